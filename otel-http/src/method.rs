//! `http.request.method`: a known method, or `_OTHER`.

use std::sync::LazyLock;

use http::Method;

use otel_core::bounded;

/// The methods of RFC 9110, PATCH of RFC 5789 and QUERY; case counts.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>
const STANDARD: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"];

/// "This list MUST be a full override of the default known method, it is not a list of known methods in addition to the
/// defaults."
const KNOWN_METHODS_VARIABLE: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// "If the HTTP request method is not known to instrumentation, it MUST set the `http.request.method` attribute to
/// `_OTHER`": a client can send any word, so that it would be an unbounded attribute.
const OTHER: &str = "_OTHER";

static KNOWN: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| known_methods(std::env::var(KNOWN_METHODS_VARIABLE).ok().as_deref()));

/// The methods of a comma-separated list, or the standard ones when it is empty. Read once in a process, and kept.
fn known_methods(list: Option<&str>) -> Vec<&'static str> {
    let names = list.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    let known: Vec<&'static str> = names.map(|name| &*Box::leak(Box::<str>::from(name))).collect();
    if known.is_empty() { STANDARD.to_vec() } else { known }
}

/// A method as telemetry names it, looked up once for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MethodName {
    /// The value of `http.request.method`.
    pub(crate) attribute: &'static str,
    /// Its place in the list of known methods; that of `_OTHER` is behind the last.
    pub(crate) index: usize,
}

/// How many different names there are.
pub(crate) fn method_names() -> usize {
    KNOWN.len() + 1
}

impl MethodName {
    pub(crate) fn of(method: &Method) -> Self {
        Self::among(&KNOWN, method)
    }

    fn among(known: &[&'static str], method: &Method) -> Self {
        let found = known.iter().position(|known| *known == method.as_str());
        let index = found.unwrap_or(known.len());
        Self { attribute: known.get(index).copied().unwrap_or(OTHER), index }
    }

    /// The value of `http.request.method_original`: only of an unknown method.
    pub(crate) fn original(self, method: &Method) -> Option<String> {
        (self.attribute == OTHER).then(|| bounded(method.as_str()).to_owned())
    }

    /// The method's part of a span name: "`{method}` MUST be [...] `HTTP` when the method is not known".
    pub(crate) fn in_name(self) -> &'static str {
        match self.attribute {
            OTHER => "HTTP",
            known => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_list_replaces_the_standard_one() {
        for (list, method, expected) in [
            (None, "GET", "GET"),
            (Some(""), "GET", "GET"),
            (Some(" only , custom"), "only", "only"),
            (Some("only,custom"), "GET", "_OTHER"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(MethodName::among(&known_methods(list), &method).attribute, expected, "{list:?}");
        }
    }

    #[test]
    fn unknown_methods_and_other_cases_are_other() {
        for (sent, attribute, original, name) in [
            ("GET", "GET", None, "GET"),
            ("QUERY", "QUERY", None, "QUERY"),
            ("get", "_OTHER", Some("get"), "HTTP"),
            ("PURGE", "_OTHER", Some("PURGE"), "HTTP"),
        ] {
            let method = Method::from_bytes(sent.as_bytes()).unwrap();
            let found = MethodName::of(&method);
            assert_eq!(found.attribute, attribute);
            assert_eq!(found.original(&method).as_deref(), original);
            assert_eq!(found.in_name(), name);
        }
    }
}
