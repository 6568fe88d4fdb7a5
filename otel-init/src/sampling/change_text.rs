//! A change to what is sampled, as JSON.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::change::SamplingChange;
use super::rule::Rule;

/// A longer text is no change.
pub(super) const MAX_LENGTH: usize = 64 * 1024;

/// Reads a change from JSON, as the file has it that `OTEL_INIT_SAMPLER_FILE` names; here its time begins when it is set.
///
/// | key | value |
/// |---|---|
/// | `ratio` | the share of the traces that no rule matches, 0 to 1 |
/// | `rules` | a list; each has a `ratio`, and `route`, `name` (globs), `attribute` with `value` (a glob), as far as it asks for them |
/// | `expires_after_seconds` | when what is configured returns |
///
/// ```
/// use otel_init::sampling::SamplingChange;
///
/// let text = r#"{"ratio": 0.2, "rules": [{"route": "/checkout", "ratio": 1}], "expires_after_seconds": 600}"#;
/// let change: SamplingChange = text.parse()?;
/// # let _ = change;
/// # Ok::<(), otel_init::sampling::SamplingChangeError>(())
/// ```
///
/// # Errors
///
/// Fails if the text is no such JSON, has a key that is not known, a number that is no share, or more than 64 KiB.
impl FromStr for SamplingChange {
    type Err = SamplingChangeError;

    fn from_str(text: &str) -> Result<Self, SamplingChangeError> {
        if text.len() > MAX_LENGTH {
            return Err(SamplingChangeError(format!("it is longer than {MAX_LENGTH} bytes")));
        }
        let content: Content =
            serde_json::from_str(text).map_err(|error| SamplingChangeError(error.to_string()))?;
        content.change()
    }
}

/// A text is no change to what is sampled; says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplingChangeError(String);

impl fmt::Display for SamplingChangeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SamplingChangeError {}

/// What the text holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    ratio: Option<f64>,
    #[serde(default)]
    rules: Vec<ContentRule>,
    expires_after_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentRule {
    route: Option<String>,
    name: Option<String>,
    attribute: Option<String>,
    value: Option<String>,
    ratio: f64,
}

impl Content {
    fn change(self) -> Result<SamplingChange, SamplingChangeError> {
        let mut change = SamplingChange::new();
        for rule in self.rules {
            let mut matching = Rule::any();
            if let Some(route) = &rule.route {
                matching = matching.with_route(route);
            }
            if let Some(name) = &rule.name {
                matching = matching.with_name(name);
            }
            matching = match (rule.attribute, rule.value) {
                (Some(key), value) => matching.with_attribute(key, value.as_deref().unwrap_or("*")),
                (None, None) => matching,
                (None, Some(_)) => {
                    return Err(SamplingChangeError("a rule has a value without attribute".to_owned()));
                }
            };
            change = change.with_share(matching, rule.ratio);
        }
        if let Some(ratio) = self.ratio {
            change = change.with_ratio(ratio);
        }
        if let Some(seconds) = self.expires_after_seconds {
            let expiry = Duration::try_from_secs_f64(seconds);
            change = change.with_expiry(expiry.map_err(|error| SamplingChangeError(error.to_string()))?);
        }
        change.check().map_err(SamplingChangeError)?;
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_LENGTH, SamplingChange};

    #[test]
    fn a_change_counts_from_when_it_was_written() {
        let text =
            r#"{"ratio": 0.05, "rules": [{"route": "/checkout", "ratio": 1}], "expires_after_seconds": 60}"#;
        let change: SamplingChange = text.parse().unwrap();
        assert!(change.clone().after(Duration::from_secs(59)).is_some());
        assert!(change.after(Duration::from_secs(60)).is_none());
        assert!("{}".parse::<SamplingChange>().unwrap().after(Duration::MAX).is_some());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = " ".repeat(MAX_LENGTH + 1);
        for (text, reason) in [
            ("", "EOF"),
            (r#"{"ratios": 1}"#, "unknown field `ratios`"),
            (r#"{"ratio": 5}"#, "5 is no share from 0 to 1"),
            (r#"{"rules": [{"route": "/", "ratio": -1}]}"#, "-1 is no share"),
            (r#"{"rules": [{"route": "/"}]}"#, "missing field `ratio`"),
            (r#"{"rules": [{"value": "gold", "ratio": 1}]}"#, "a rule has a value without attribute"),
            (r#"{"expires_after_seconds": -1}"#, "negative"),
            (&long, "longer than"),
        ] {
            let error = text.parse::<SamplingChange>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
