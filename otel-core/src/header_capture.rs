//! Headers and metadata as attributes: only what was asked for, and never a secret.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{Array, Key, StringValue, Value};

use crate::installed::{captures_headers, with_captured_headers};
use crate::{Attributes, glob_matches};

const REDACTED: &str = "REDACTED";

/// Names whose values are replaced even when they were asked for: rather one too many than a key that leaves.
const SENSITIVE: [&str; 20] = [
    "*auth*",
    "*cookie*",
    "*token*",
    "*bearer*",
    "*-otp",
    "*secret*",
    "*passw*",
    "*pwd*",
    "*passphrase*",
    "*api-key*",
    "*apikey*",
    "*-key",
    "*accesskey*",
    "*session*",
    "*jwt*",
    "*assertion*",
    "*oidc*",
    "*csrf*",
    "*credential*",
    "*signature*",
];

/// What ends the name of gRPC's binary metadata. Before it stands the same kind of secret.
const BINARY: &str = "-bin";

/// More than this of one direction is left off: what a peer sends must not crowd out what we say.
const MAX_CAPTURED: usize = 32;

/// Whose headers, and of which message: what an installer may have recorded without code.
///
/// See [`Install::with_captured_headers`](crate::Install::with_captured_headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpHeaders {
    /// Of requests that a server receives.
    ServerRequest,
    /// Of responses that a server sends.
    ServerResponse,
    /// Of requests that a client sends.
    ClientRequest,
    /// Of responses that a client receives.
    ClientResponse,
}

/// Which headers of one direction are recorded; none unless some are added.
///
/// "Instrumentations SHOULD require an explicit configuration of which headers are to be captured."
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>
///
/// ```
/// use http::HeaderMap;
/// use otel_core::{Attributes, HeaderCapture};
///
/// let mut capture = HeaderCapture::default();
/// capture.add(["x-*", "!x-noise"]);
/// let mut headers = HeaderMap::new();
/// headers.insert("x-tenant", "acme".parse().unwrap());
/// headers.insert("x-api-key", "s3cr3t".parse().unwrap());
///
/// let (mut span, mut metric) = (Vec::new(), Vec::new());
/// let mut attributes = Attributes::to_lists(&mut span, &mut metric);
/// capture.capture("http.request.header.", &headers, &mut attributes, |_, text| text.to_owned());
/// let said: Vec<String> = span.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect();
/// assert_eq!(said, ["http.request.header.x-tenant=[\"acme\"]", "http.request.header.x-api-key=[\"REDACTED\"]"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HeaderCapture {
    included: Vec<String>,
    excluded: Vec<String>,
    sensitive: Vec<String>,
}

impl HeaderCapture {
    /// Adds patterns: names in any case, with `*` and `?`; a pattern that begins with `!` excludes. An exclusion wins;
    /// exclusions alone choose all the rest.
    pub fn add(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        for pattern in patterns {
            let pattern = pattern.into().to_ascii_lowercase();
            match pattern.strip_prefix('!') {
                Some(excluded) => self.excluded.push(excluded.to_owned()),
                None => self.included.push(pattern),
            }
        }
    }

    /// Adds patterns of names whose values are replaced, besides those that are known to be secret.
    pub fn add_sensitive(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        self.sensitive.extend(patterns.into_iter().map(|pattern| pattern.into().to_ascii_lowercase()));
    }

    /// Writes the chosen headers, each with all of its values, under `prefix`. `shown` shortens or redacts a value that is
    /// no secret by its name.
    pub fn capture(
        &self,
        prefix: &str,
        headers: &HeaderMap,
        attributes: &mut Attributes<'_>,
        shown: impl Fn(&HeaderName, &str) -> String,
    ) {
        if !self.is_off() && attributes.wants_span() {
            self.write(None, prefix, headers, attributes, shown);
        }
    }

    /// As [`capture`](Self::capture), with the patterns besides that the installer gave for these headers. Both lists add
    /// up as if they were one; one relaxed load where the installer gave none.
    pub fn capture_with_installed(
        &self,
        of: HttpHeaders,
        prefix: &str,
        headers: &HeaderMap,
        attributes: &mut Attributes<'_>,
        shown: impl Fn(&HeaderName, &str) -> String,
    ) {
        if !attributes.wants_span() {
            return;
        }
        if !captures_headers() {
            return self.capture(prefix, headers, attributes, shown);
        }
        with_captured_headers(of, |installed| {
            if !self.is_off() || !installed.is_off() {
                self.write(Some(installed), prefix, headers, attributes, shown);
            }
        });
    }

    fn write(
        &self,
        installed: Option<&Self>,
        prefix: &str,
        headers: &HeaderMap,
        attributes: &mut Attributes<'_>,
        shown: impl Fn(&HeaderName, &str) -> String,
    ) {
        for name in headers.keys().filter(|name| self.wants(installed, name.as_str())).take(MAX_CAPTURED) {
            let is_secret = self.is_secret(name.as_str());
            let text = |value: &HeaderValue| match is_secret || value.is_sensitive() {
                true => StringValue::from(REDACTED),
                false => StringValue::from(shown(name, &String::from_utf8_lossy(value.as_bytes()))),
            };
            let values: Vec<StringValue> = headers.get_all(name).iter().map(text).collect();
            attributes.span(Key::from(format!("{prefix}{name}")), Value::Array(Array::String(values)));
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }

    fn wants(&self, installed: Option<&Self>, name: &str) -> bool {
        let lists = || std::iter::once(self).chain(installed);
        let included = lists().all(|list| list.included.is_empty())
            || lists().any(|list| matches_any(&list.included, name));
        included && !lists().any(|list| matches_any(&list.excluded, name))
    }

    fn is_secret(&self, name: &str) -> bool {
        sounds_secret(name) || matches_any(&self.sensitive, name)
    }
}

/// Whether a name, with hyphens or underscores between its words, is that of a secret: of credentials, sessions, keys or
/// signatures.
///
/// ```
/// assert!(otel_core::sounds_secret("x-api-key"));
/// assert!(otel_core::sounds_secret("api_key"));
/// assert!(!otel_core::sounds_secret("x-tenant"));
/// ```
#[must_use]
pub fn sounds_secret(name: &str) -> bool {
    let name = match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    };
    let name = name.strip_suffix(BINARY).unwrap_or(&name);
    SENSITIVE.iter().any(|pattern| glob_matches(pattern, name))
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| glob_matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::HeaderCapture;
    use crate::Attributes;

    fn captured(capture: &HeaderCapture, pairs: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let (mut span, mut metric) = (Vec::new(), Vec::new());
        let mut attributes = Attributes::to_lists(&mut span, &mut metric);
        capture.capture("header.", &headers, &mut attributes, |_, text| text.to_owned());
        assert!(metric.is_empty());
        span.iter().map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect()
    }

    #[test]
    fn nothing_unless_asked_for_and_secrets_never() {
        let mut capture = HeaderCapture::default();
        let sent = [
            ("x-tenant", "a"),
            ("x-tenant", "b"),
            ("api-key-bin", "c2VjcmV0"),
            ("x-db-passwd", "hunter2"),
            ("smtp-pwd", "hunter2"),
            ("passphrase", "hunter2"),
            ("x_api_key", "hunter2"),
            ("signing_key_bin", "hunter2"),
            ("accesskey", "hunter2"),
            ("x-bearer", "hunter2"),
            ("x-github-otp", "hunter2"),
            ("authorization", "Bearer x"),
        ];
        assert_eq!(captured(&capture, &sent), Vec::<String>::new());
        capture.add(["*", "!x-noise"]);
        capture.add_sensitive(["x-own"]);
        assert_eq!(
            captured(
                &capture,
                &[&sent[..], &[("x-noise", "1"), ("x-own", "2"), ("id-bin", "AAE=")]].concat()
            ),
            [
                "header.x-tenant=[\"a\",\"b\"]",
                "header.api-key-bin=[\"REDACTED\"]",
                "header.x-db-passwd=[\"REDACTED\"]",
                "header.smtp-pwd=[\"REDACTED\"]",
                "header.passphrase=[\"REDACTED\"]",
                "header.x_api_key=[\"REDACTED\"]",
                "header.signing_key_bin=[\"REDACTED\"]",
                "header.accesskey=[\"REDACTED\"]",
                "header.x-bearer=[\"REDACTED\"]",
                "header.x-github-otp=[\"REDACTED\"]",
                "header.authorization=[\"REDACTED\"]",
                "header.x-own=[\"REDACTED\"]",
                "header.id-bin=[\"AAE=\"]",
            ]
        );
    }
}
