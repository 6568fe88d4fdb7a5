//! `http.request.method`: a known method, or `_OTHER`.

use http::Method;

/// The methods of RFC 9110, PATCH of RFC 5789 and QUERY; case counts.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>
const KNOWN: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"];

/// "If the HTTP request method is not known to instrumentation, it MUST set the `http.request.method` attribute to
/// `_OTHER`": a client can send any word, so that it would be an unbounded attribute.
const OTHER: &str = "_OTHER";

/// The value of `http.request.method`.
pub(crate) fn method_attribute(method: &Method) -> &'static str {
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER)
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
