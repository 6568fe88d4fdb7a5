//! Baggage with one header per entry, as Jaeger and OpenTracing send it.

use opentelemetry::propagation::Extractor;

/// The longest name of an entry that is looked at; the API takes no baggage above 8,192 bytes.
const MAX_NAME: usize = 8192;

/// The headers whose names begin with `prefix`, without it. Names of headers have no case, so the rest is in lower case.
pub(super) fn entries<'a>(
    extractor: &'a dyn Extractor,
    prefix: &'static str,
) -> impl Iterator<Item = (String, &'a str)> {
    extractor.keys().into_iter().filter_map(move |name| {
        let (start, key) = name.split_at_checked(prefix.len())?;
        if !start.eq_ignore_ascii_case(prefix) || key.is_empty() || key.len() > MAX_NAME {
            return None;
        }
        Some((key.to_ascii_lowercase(), extractor.get(name)?))
    })
}
