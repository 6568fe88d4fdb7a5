//! Contents of bodies, when asked for: text of named types, its beginning, without its secrets.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Buf;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use otel_core::{Attributes, call_hook};

use crate::redact::redact_secrets;

/// Longer contents are cut.
const MAX_BYTES: usize = 1_000;

/// What is recorded of bodies: `http.request.body.content` and `http.response.body.content` (stability: development).
///
/// At most 1,000 bytes of a body are recorded, of the content types that are named, if it is text and not compressed. The
/// values of keys that sound like a secret are replaced in JSON and in forms, as far as a text that was cut can be read; a
/// name or an address is not a secret to this rule, and a body may hold whatever its users typed.
/// [`with_redaction`](Self::with_redaction) knows better what yours hold.
///
/// ```
/// use otel_http::{BodyCapture, HttpServerLayer};
///
/// let capture = BodyCapture::of_types(["application/problem+json"])
///     .with_redaction(|text| text.replace("Ada", "REDACTED"));
/// let layer = HttpServerLayer::builder().with_captured_response_body(capture).build();
/// ```
#[derive(Clone)]
#[must_use]
pub struct BodyCapture {
    types: Vec<String>,
    redact: Option<Redact>,
}

type Redact = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl BodyCapture {
    /// Bodies of these content types, compared without their parameters and in any case.
    pub fn of_types(types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { types: types.into_iter().map(|name| name.into().to_ascii_lowercase()).collect(), redact: None }
    }

    /// Changes what is recorded, after the rule for keys. A body is not recorded if `redact` panics.
    pub fn with_redaction(mut self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }

    /// A place for the body that these headers announce; `None` if it is none of the types.
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Option<Captured> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let name = content_type.split(';').next().unwrap_or_default().trim();
        let is_wanted = self.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
        (is_wanted && is_plain).then(|| Captured(Arc::default()))
    }

    /// What may be recorded of the bytes; nothing of what is no text.
    fn text(&self, bytes: &[u8]) -> Option<String> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // Cut within a character.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        // Two bytes for each letter, and no key could be read.
        if text.is_empty() || text.contains('\0') {
            return None;
        }
        let safe = redact_secrets(text);
        let redacted = match &self.redact {
            Some(redact) => call_hook(|| Some(redact(&safe)), None)?,
            None => safe.into_owned(),
        };
        let cut = (0..=MAX_BYTES.min(redacted.len())).rev().find(|at| redacted.is_char_boundary(*at))?;
        Some(redacted[..cut].to_owned())
    }
}

impl fmt::Debug for BodyCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyCapture").field("types", &self.types).finish_non_exhaustive()
    }
}

/// The beginning of a body that is passing.
#[derive(Clone, Debug)]
pub(crate) struct Captured(Arc<Mutex<Beginning>>);

#[derive(Debug, Default)]
struct Beginning {
    bytes: Vec<u8>,
    /// What comes now does not follow what is there: a key could be missing to a secret.
    has_gap: bool,
}

impl Captured {
    /// Takes what there is still room for.
    pub(crate) fn add(&self, data: &impl Buf) {
        let mut beginning = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if beginning.has_gap {
            return;
        }
        // Of a piece of data in several buffers only the first is taken: nearly all have one.
        let chunk = data.chunk();
        let taken = chunk.len().min(MAX_BYTES - beginning.bytes.len());
        beginning.bytes.extend_from_slice(&chunk[..taken]);
        beginning.has_gap = taken < data.remaining();
    }

    pub(crate) fn write(&self, key: &'static str, capture: &BodyCapture, attributes: &mut Attributes<'_>) {
        let beginning = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(text) = capture.text(&beginning.bytes) {
            attributes.span(key, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_not_recorded_and_what_is_long_is_cut() {
        let capture = BodyCapture::of_types(["text/plain"]);
        assert_eq!(capture.text(b"\xff\xfe"), None);
        // UTF-16, in which no key would be read.
        assert_eq!(capture.text(b"{\0\"\0p\0i\0n\0\"\0:\x001\0}\0"), None);
        assert_eq!(capture.text("é".as_bytes()).as_deref(), Some("é"));
        assert_eq!(capture.text(&"aé".as_bytes()[..2]).as_deref(), Some("a"));
        let growing = capture.with_redaction(|text| text.repeat(1_000));
        assert_eq!(growing.text(b"ab").map(|text| text.len()), Some(MAX_BYTES));
        let captured = Captured(Arc::default());
        captured.add(&bytes::Bytes::from(vec![b'a'; 700]));
        captured.add(&bytes::Bytes::from(vec![b'b'; 700]));
        assert_eq!(taken(&captured).len(), MAX_BYTES);
    }

    #[test]
    fn nothing_comes_after_a_gap() {
        let captured = Captured(Arc::default());
        captured.add(&bytes::Bytes::from("{\"a\":1,\"pass"));
        captured.add(&Buf::chain(&b"w"[..], &b"ord\":\""[..]));
        captured.add(&bytes::Bytes::from("hunter2\"}"));
        assert_eq!(taken(&captured), b"{\"a\":1,\"passw");
    }

    fn taken(captured: &Captured) -> Vec<u8> {
        captured.0.lock().unwrap().bytes.clone()
    }
}
