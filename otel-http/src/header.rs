//! `http.request.header.*` and `http.response.header.*`: only what was asked for, and never a secret.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Array, Key, StringValue, Value};
use otel_core::Attributes;

use crate::glob::matches;
use crate::url::{bounded, redact_url};

const REDACTED: &str = "REDACTED";

/// Headers whose values are replaced even when they were asked for: rather one too many than a key that leaves.
const SENSITIVE: [&str; 15] = [
    "*auth*",
    "*cookie*",
    "*token*",
    "*secret*",
    "*password*",
    "*api-key*",
    "*apikey*",
    "*-key",
    "*session*",
    "*jwt*",
    "*assertion*",
    "*oidc*",
    "*csrf*",
    "*credential*",
    "*signature*",
];

/// Headers that hold a URL, which may hold credentials and signatures.
const URLS: [&str; 4] = ["location", "content-location", "referer", "origin"];

/// More than this of one direction is left off: what a client sends must not crowd out what we say.
const MAX_CAPTURED: usize = 32;

/// Which headers of one direction are recorded.
///
/// "Instrumentations SHOULD require an explicit configuration of which headers are to be captured."
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderCapture {
    included: Vec<String>,
    excluded: Vec<String>,
    sensitive: Vec<String>,
}

impl HeaderCapture {
    /// Adds patterns: names in any case, with `*` and `?`; a pattern that begins with `!` excludes.
    pub(crate) fn add(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        for pattern in patterns {
            let pattern = pattern.into().to_ascii_lowercase();
            match pattern.strip_prefix('!') {
                Some(excluded) => self.excluded.push(excluded.to_owned()),
                None => self.included.push(pattern),
            }
        }
    }

    /// Adds patterns of headers whose values are replaced.
    pub(crate) fn add_sensitive(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        self.sensitive.extend(patterns.into_iter().map(|pattern| pattern.into().to_ascii_lowercase()));
    }

    /// Writes the chosen headers, each with all of its values, under `prefix`.
    pub(crate) fn capture(&self, prefix: &str, headers: &HeaderMap, attributes: &mut Attributes<'_>) {
        if self.is_off() || !attributes.wants_span() {
            return;
        }
        for name in headers.keys().filter(|name| self.wants(name.as_str())).take(MAX_CAPTURED) {
            let values = headers.get_all(name).iter();
            let values: Vec<StringValue> = values.map(|value| self.readable(name, value)).collect();
            attributes.span(Key::from(format!("{prefix}{name}")), Value::Array(Array::String(values)));
        }
    }

    fn is_off(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }

    /// An exclusion wins; exclusions alone choose all the rest.
    fn wants(&self, name: &str) -> bool {
        let included = self.included.is_empty() || matches_any(&self.included, name);
        included && !matches_any(&self.excluded, name)
    }

    fn readable(&self, name: &HeaderName, value: &HeaderValue) -> StringValue {
        let is_secret = value.is_sensitive()
            || sounds_secret(name.as_str())
            || matches_any(&self.sensitive, name.as_str());
        if is_secret {
            return StringValue::from(REDACTED);
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        let text = if URLS.contains(&name.as_str()) { redact_url(&text) } else { text.into_owned() };
        StringValue::from(bounded(&text).to_owned())
    }
}

/// Whether a name, with hyphens between its words, is that of a secret.
pub(crate) fn sounds_secret(name: &str) -> bool {
    SENSITIVE.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
}
