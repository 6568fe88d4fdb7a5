//! `http.request.method`: a known method, or `_OTHER`.

use std::sync::LazyLock;

use http::Method;

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

/// The value of `http.request.method`.
pub(crate) fn method_attribute(method: &Method) -> &'static str {
    attribute_among(&KNOWN, method)
}

fn attribute_among(known: &[&'static str], method: &Method) -> &'static str {
    known.iter().find(|known| **known == method.as_str()).copied().unwrap_or(OTHER)
}

/// The value of `http.request.method_original`: only of an unknown method.
pub(crate) fn original_method(method: &Method) -> Option<String> {
    (method_attribute(method) == OTHER).then(|| method.as_str().to_owned())
}

/// The method's part of a span name: "`{method}` MUST be [...] `HTTP` when the method is not known".
pub(crate) fn method_in_name(method: &Method) -> &'static str {
    match method_attribute(method) {
        OTHER => "HTTP",
        known => known,
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
            assert_eq!(attribute_among(&known_methods(list), &method), expected, "{list:?}");
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
            assert_eq!(method_attribute(&method), attribute);
            assert_eq!(original_method(&method).as_deref(), original);
            assert_eq!(method_in_name(&method), name);
        }
    }
}
