//! What is shown of a header that was asked for and is no secret.

use http::HeaderName;
use otel_core::{UrlSecrets, bounded};

/// Headers that are a URL, which may hold credentials and signatures; in any other there may be one.
const URLS: [&str; 11] = [
    "location",
    "content-location",
    "referer",
    "origin",
    "destination",
    "sourcemap",
    "x-forwarded-uri",
    "x-original-uri",
    "x-original-url",
    "x-request-uri",
    "x-rewrite-url",
];

/// For [`otel_core::HeaderCapture::capture`].
pub(crate) fn shown(secrets: &UrlSecrets) -> impl Fn(&HeaderName, &str) -> String + '_ {
    |name, text| match URLS.contains(&name.as_str()) {
        true => bounded(&secrets.redact_url(text)).to_owned(),
        false => bounded(&secrets.redact_urls(text)).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_urls_are_hidden_in_whatever_header_holds_one() {
        let secrets = UrlSecrets::default();
        for (name, sent, expected) in [
            ("location", "/a?sig=x#top", "/a?sig=REDACTED"),
            (
                "link",
                "<https://a.example/?page=2>; rel=\"next\", <https://u:p@a.example/?sig=x&page=1>; rel=\"first\"",
                "<https://a.example/?page=2>; rel=\"next\", <https://REDACTED:REDACTED@a.example/?sig=REDACTED&page=1>; rel=\"first\"",
            ),
            (
                "x-ms-copy-source",
                "https://a.example/b?sv=2022&sig=x%3D",
                "https://a.example/b?sv=2022&sig=REDACTED",
            ),
            ("refresh", "5; url=https://u:p@a.example/", "5; url=https://REDACTED:REDACTED@a.example/"),
            ("x-envoy-original-path", "/a?sig=x", "/a?sig=REDACTED"),
            (
                "x-urls",
                "https://a.example/?b=1,https://a.example/?sig=x",
                "https://a.example/?b=1,https://a.example/?sig=REDACTED",
            ),
            ("x-note", "what? mail me at a@b.example", "what? mail me at a@b.example"),
            ("from", "ada@shop.example", "ada@shop.example"),
            ("accept", "*/*", "*/*"),
        ] {
            assert_eq!(shown(&secrets)(&HeaderName::from_static(name), sent), expected, "{name}");
        }
    }
}
