//! What is shown of a header that was asked for and is no secret.

use http::HeaderName;

use crate::url::{bounded, redact_url};

/// Headers that hold a URL, which may hold credentials and signatures.
const URLS: [&str; 4] = ["location", "content-location", "referer", "origin"];

/// For [`otel_core::HeaderCapture::capture`].
pub(crate) fn shown(name: &HeaderName, text: &str) -> String {
    if URLS.contains(&name.as_str()) {
        bounded(&redact_url(text)).to_owned()
    } else {
        bounded(text).to_owned()
    }
}
