//! What calls probably cost.

mod error;

use std::path::Path;

use serde::Deserialize;

use crate::provider::{Provider, Usage};

pub use error::PriceTableError;
use error::Problem;

/// Prices of models, from a file of yours. None are built in: they change, and contracts differ.
///
/// ```json
/// {
///   "format": 1,
///   "version": "2026-11-01",
///   "currency": "USD",
///   "models": [
///     { "provider": "openai", "model": "gpt-4o-mini*", "per": 1000000,
///       "input": 0.15, "cache_read_input": 0.075, "output": 0.60 },
///     { "provider": "anthropic", "model": "claude-sonnet-4-5", "per": 1000000,
///       "input": 3.0, "cache_read_input": 0.3, "cache_write_input": 3.75, "output": 15.0 }
///   ]
/// }
/// ```
///
/// `per` is the number of tokens that the prices are for, one million if it is not there. A `*` at the end of a model stands
/// for any rest; an exact name wins over a longer pattern, and that over a shorter one. Cached tokens without a price of
/// their own cost what others do. **A model that is not in the table has no cost**: neither attribute nor metric, never 0.
///
/// ```
/// use otel_genai::{GenAi, PriceTable};
///
/// let prices = PriceTable::from_json(r#"{ "format": 1, "version": "mine", "currency": "EUR", "models": [
///     { "provider": "ollama", "model": "*", "input": 0.01, "output": 0.02 }
/// ]}"#)?;
/// let genai = GenAi::builder().with_price_table(prices).build();
/// # Ok::<(), otel_genai::PriceTableError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PriceTable {
    version: String,
    currency: String,
    models: Vec<Price>,
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

#[derive(Deserialize)]
struct File {
    version: String,
    currency: String,
    models: Vec<Price>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    provider: String,
    model: String,
    #[serde(default = "million")]
    per: f64,
    input: f64,
    cache_read_input: Option<f64>,
    cache_write_input: Option<f64>,
    output: Option<f64>,
}

fn million() -> f64 {
    1e6
}

/// It becomes a unit, and "the unit [..] is ASCII" of at most 63 characters: an SDK drops an instrument of any other.
/// <https://opentelemetry.io/docs/specs/otel/metrics/api/#instrument-unit>
fn is_currency(code: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}');
    (1..=32).contains(&code.len()) && code.bytes().all(is_part)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, PriceTableError> {
    serde_json::from_str(text).map_err(|error| PriceTableError(Problem::Json(error)))
}

impl PriceTable {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// The text is not such a table, of another format, its currency is no code such as `USD`, or a price is negative or not
    /// finite.
    pub fn from_json(text: &str) -> Result<Self, PriceTableError> {
        // First, for the rest of another format may look like anything.
        let Format { format } = parse(text)?;
        if format != 1 {
            return Err(PriceTableError(Problem::Format(format)));
        }
        let file: File = parse(text)?;
        if !is_currency(&file.currency) {
            return Err(PriceTableError(Problem::Currency(file.currency)));
        }
        if let Some((model, what)) = file.models.iter().find_map(|price| Some((price, price.problem()?))) {
            return Err(PriceTableError(Problem::Price { model: model.model.clone(), what }));
        }
        Ok(Self { version: file.version, currency: file.currency, models: file.models })
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no table.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PriceTableError> {
        let text = std::fs::read_to_string(path).map_err(|error| PriceTableError(Problem::Read(error)))?;
        Self::from_json(&text)
    }

    /// The version that the file gives itself.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The currency of all prices.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// What these tokens cost; `None` for a model that is not in the table, and for a response that does not say.
    #[must_use]
    pub fn estimate(&self, provider: &Provider, model: &str, usage: &Usage) -> Option<f64> {
        self.find(provider.as_str(), model)?.of(usage)
    }

    fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        let fits = self.models.iter().filter(|price| price.provider == provider);
        fits.filter_map(|price| Some((price.fit(model)?, price)))
            .max_by_key(|(fit, _)| *fit)
            .map(|(_, price)| price)
    }
}

impl Price {
    fn problem(&self) -> Option<&'static str> {
        let prices = [Some(self.input), self.cache_read_input, self.cache_write_input, self.output];
        if prices.into_iter().flatten().any(|price| !price.is_finite() || price < 0.0) {
            return Some("a price is negative or not finite");
        }
        let per = self.per.is_finite() && self.per > 0.0;
        (!per).then_some("`per` is not a positive number")
    }

    /// How exactly this is the model.
    fn fit(&self, model: &str) -> Option<usize> {
        match self.model.strip_suffix('*') {
            Some(start) => model.starts_with(start).then_some(start.len()),
            None => (self.model == model).then_some(usize::MAX),
        }
    }

    fn of(&self, usage: &Usage) -> Option<f64> {
        let input = usage.billed_input_tokens.or(usage.input_tokens);
        let output = usage.billed_output_tokens.or(usage.output_tokens);
        if input.is_none() && output.is_none() {
            return None;
        }
        let (read, written) = (usage.cache_read_input_tokens, usage.cache_write_input_tokens);
        // A server that says so: a wrong figure would stay in the sum for ever.
        let mut counts = [input, output, read, written].into_iter().flatten();
        if counts.any(|count| !(0..=i64::from(u32::MAX)).contains(&count)) {
            return None;
        }
        let tokens = |count: Option<i64>| count.unwrap_or(0) as f64;
        // The total has the cached ones in it. It may be what is on the bill, which may be less.
        let read = tokens(read).min(tokens(input));
        let written = tokens(written).min(tokens(input) - read);
        let fresh = tokens(input) - read - written;
        let output_price = match tokens(output) {
            0.0 => 0.0,
            _ => self.output?,
        };
        let cost = fresh * self.input
            + read * self.cache_read_input.unwrap_or(self.input)
            + written * self.cache_write_input.unwrap_or(self.input)
            + tokens(output) * output_price;
        Some(cost / self.per).filter(|cost| cost.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"{ "format": 1, "version": "t", "currency": "USD", "models": [
        { "provider": "openai", "model": "gpt-4o*", "input": 2.0, "output": 8.0 },
        { "provider": "openai", "model": "gpt-4o-mini*", "per": 1000, "input": 1.0, "cache_read_input": 0.5, "output": 4.0 },
        { "provider": "openai", "model": "gpt-4o-mini-exact", "per": 1, "input": 1.0 }
    ]}"#;

    fn usage(input: i64, cached: i64, output: i64) -> Usage {
        Usage {
            input_tokens: Some(input),
            cache_read_input_tokens: Some(cached),
            output_tokens: Some(output),
            ..Usage::default()
        }
    }

    #[test]
    fn the_most_exact_price_counts_and_cached_tokens_are_part_of_the_total() {
        let table = PriceTable::from_json(TABLE).unwrap();
        let estimate = |model, usage| table.estimate(&Provider::OpenAi, model, &usage);
        assert_eq!(estimate("gpt-4o-2024", usage(500_000, 0, 1_000_000)), Some(9.0));
        assert_eq!(estimate("gpt-4o-mini", usage(3_000, 1_000, 2_000)), Some(2.0 + 0.5 + 8.0));
        assert_eq!(estimate("gpt-4o-mini-exact", usage(3, 0, 0)), Some(3.0));
        // No more than the total, which may be what is on the bill.
        assert_eq!(estimate("gpt-4o-mini", usage(3_000, 4_000, 0)), Some(1.5));
    }

    #[test]
    fn what_is_not_known_is_absent_and_never_zero() {
        let table = PriceTable::from_json(TABLE).unwrap();
        let estimate = |provider, model, usage| table.estimate(&provider, model, &usage);
        assert_eq!(estimate(Provider::OpenAi, "o9", usage(1, 0, 1)), None);
        assert_eq!(estimate(Provider::Groq, "gpt-4o", usage(1, 0, 1)), None);
        assert_eq!(estimate(Provider::OpenAi, "gpt-4o", Usage::default()), None);
        // Counts that make no sense.
        for count in [-1, i64::MIN, i64::MAX, 1 << 40] {
            assert_eq!(estimate(Provider::OpenAi, "gpt-4o", usage(count, 0, 1)), None);
            assert_eq!(estimate(Provider::OpenAi, "gpt-4o", usage(1, 0, count)), None);
        }
        for cached in [i64::MAX, 1 << 40] {
            assert_eq!(estimate(Provider::OpenAi, "gpt-4o", usage(1, cached, 1)), None);
        }
        let tiny = PriceTable::from_json(&TABLE.replace("\"per\": 1000", "\"per\": 1e-308")).unwrap();
        assert_eq!(tiny.estimate(&Provider::OpenAi, "gpt-4o-mini", &usage(1_000_000, 0, 1)), None);
        // Output, and no price for it.
        assert_eq!(estimate(Provider::OpenAi, "gpt-4o-mini-exact", usage(1, 0, 1)), None);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let other = TABLE.replace("\"format\": 1", "\"format\": 2");
        assert!(PriceTable::from_json(&other).unwrap_err().is_format());
        // Whatever else is in it.
        let later = PriceTable::from_json(r#"{ "format": 2, "prices": {} }"#).unwrap_err();
        assert!(later.is_format() && later.to_string().contains("format 2"), "{later}");
        for format in ["\"1\"", "1.0", "-1", "null"] {
            assert!(
                PriceTable::from_json(&TABLE.replace("1, \"version\"", &format!("{format}, \"version\"")))
                    .unwrap_err()
                    .is_format()
            );
        }
        assert!(PriceTable::from_json("[]").unwrap_err().is_format());
        for currency in ["\u{20ac}", "", "US D", "U}D", "123456789012345678901234567890123"] {
            let error = PriceTable::from_json(&TABLE.replace("USD", currency)).unwrap_err();
            assert!(error.is_format() && error.to_string().contains("currency"), "{error}");
        }
        let negative = PriceTable::from_json(&TABLE.replace("2.0", "-2.0")).unwrap_err();
        assert!(negative.is_price());
        assert!(negative.to_string().contains("gpt-4o*"), "{negative}");
        assert!(PriceTable::from_file("/nowhere/at/all").unwrap_err().is_read());
    }
}
