//! What is shown of a header that was asked for and is no secret.

use http::HeaderName;
use otel_core::bounded;

use crate::url::SecretKeys;

/// Headers that hold a URL, which may hold credentials and signatures.
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
pub(crate) fn shown(keys: &SecretKeys) -> impl Fn(&HeaderName, &str) -> String + '_ {
    |name, text| match URLS.contains(&name.as_str()) {
        true => bounded(&keys.redact_url(text)).to_owned(),
        false => bounded(text).to_owned(),
    }
}
