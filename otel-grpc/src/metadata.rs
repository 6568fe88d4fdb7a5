//! `rpc.request.header.*`, `rpc.response.header.*`, `rpc.response.trailer.*`: only what was asked for, and never a secret.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Array, Key, StringValue, Value};
use otel_core::Attributes;

use crate::glob::matches;
use crate::text::bounded;

const REDACTED: &str = "REDACTED";

/// Keys whose values are replaced even when they were asked for: rather one too many than a key that leaves.
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

/// What ends the key of binary metadata. Behind it is the same kind of secret.
const BINARY: &str = "-bin";

/// More than this of one direction is left off: what a peer sends must not crowd out what we say.
const MAX_CAPTURED: usize = 32;

/// Which metadata of one direction is recorded.
///
/// "Instrumentations SHOULD require an explicit configuration of which metadata values are to be captured."
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/rpc/>
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataCapture {
    included: Vec<String>,
    excluded: Vec<String>,
    sensitive: Vec<String>,
}

impl MetadataCapture {
    /// Adds patterns: keys in any case, with `*` and `?`; a pattern that begins with `!` excludes.
    pub(crate) fn add(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        for pattern in patterns {
            let pattern = pattern.into().to_ascii_lowercase();
            match pattern.strip_prefix('!') {
                Some(excluded) => self.excluded.push(excluded.to_owned()),
                None => self.included.push(pattern),
            }
        }
    }

    /// Adds a pattern of keys whose values are replaced.
    pub(crate) fn add_sensitive(&mut self, pattern: impl Into<String>) {
        self.sensitive.push(pattern.into().to_ascii_lowercase());
    }

    /// Writes the chosen metadata, each key with all of its values, under `prefix`.
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

    /// Binary metadata stays in the base64 of the wire: "values of `-bin` keys" have no text of their own.
    fn readable(&self, name: &HeaderName, value: &HeaderValue) -> StringValue {
        if value.is_sensitive() || self.is_secret(name.as_str()) {
            return StringValue::from(REDACTED);
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        StringValue::from(bounded(&text).to_owned())
    }

    fn is_secret(&self, name: &str) -> bool {
        let key = name.strip_suffix(BINARY).unwrap_or(name);
        SENSITIVE.iter().any(|pattern| matches(pattern, key)) || matches_any(&self.sensitive, name)
    }
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(capture: &MetadataCapture, pairs: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let (mut span, mut metric) = (Vec::new(), Vec::new());
        capture.capture("rpc.request.header.", &headers, &mut Attributes::to_lists(&mut span, &mut metric));
        assert!(metric.is_empty());
        span.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect()
    }

    #[test]
    fn nothing_unless_asked_for_and_secrets_never() {
        let mut capture = MetadataCapture::default();
        let sent = [
            ("x-tenant", "a"),
            ("x-tenant", "b"),
            ("api-key-bin", "c2VjcmV0"),
            ("authorization", "Bearer x"),
        ];
        assert_eq!(captured(&capture, &sent), Vec::<String>::new());
        capture.add(["*", "!x-noise"]);
        capture.add_sensitive("x-own");
        assert_eq!(
            captured(
                &capture,
                &[&sent[..], &[("x-noise", "1"), ("x-own", "2"), ("id-bin", "AAE=")]].concat()
            ),
            [
                "rpc.request.header.x-tenant=[\"a\",\"b\"]",
                "rpc.request.header.api-key-bin=[\"REDACTED\"]",
                "rpc.request.header.authorization=[\"REDACTED\"]",
                "rpc.request.header.x-own=[\"REDACTED\"]",
                "rpc.request.header.id-bin=[\"AAE=\"]",
            ]
        );
    }
}
