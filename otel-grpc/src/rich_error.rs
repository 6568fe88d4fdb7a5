//! `google.rpc.Status` in `grpc-status-details-bin`: what a service says of its error beyond the code.
//! <https://google.aip.dev/193>

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use http::{HeaderMap, HeaderName};
use opentelemetry::{Array, StringValue, Value};
use otel_core::{Attributes, ErrorType};
use prost::Message;

use crate::trace_bin::ENGINE;

static DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// How much of it is looked at.
const MAX_ENCODED: usize = 16 * 1024;
const MAX_DETAILS: usize = 16;

/// "This must be at most 63 characters and match a regular expression of `[A-Z][A-Z0-9_]+[A-Z0-9]`."
const MAX_REASON: usize = 63;
const MAX_DOMAIN: usize = 255;

/// More reasons than the services that a process talks to have. When peers have made up so many, further ones are classed by
/// their status: `error.type` is on metrics.
const MAX_CLASSES: usize = 200;

const ERROR_INFO: &str = "google.rpc.ErrorInfo";

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: bytes::Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

/// What is recorded of an error's details: never their texts, which may hold anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RichError {
    /// Names of the messages, such as `google.rpc.ErrorInfo`.
    types: Vec<String>,
    reason: Option<String>,
    domain: Option<String>,
}

impl RichError {
    /// Reads the details of trailers, or of the headers of a response that has only trailers.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let encoded = headers.get(&DETAILS)?.as_bytes();
        if encoded.len() > MAX_ENCODED {
            return None;
        }
        let status = Status::decode(ENGINE.decode(encoded).ok()?.as_slice()).ok()?;
        let details = &status.details[..status.details.len().min(MAX_DETAILS)];
        let info = details.iter().find(|detail| type_name(detail) == ERROR_INFO);
        let info = info.and_then(|detail| ErrorInfo::decode(detail.value.clone()).ok()).unwrap_or_default();
        let types = details.iter().map(type_name).filter(|name| is_word(name, MAX_DOMAIN));
        Some(Self {
            types: types.map(str::to_owned).collect(),
            reason: Some(info.reason).filter(|reason| is_reason(reason)),
            domain: Some(info.domain).filter(|domain| is_word(domain, MAX_DOMAIN)),
        })
    }

    pub(crate) fn write(&self, attributes: &mut Attributes<'_>) {
        if !self.types.is_empty() {
            let types = self.types.iter().map(|name| StringValue::from(name.clone())).collect();
            attributes.span("grpc.error.details", Value::Array(Array::String(types)));
        }
        if let Some(reason) = &self.reason {
            attributes.span("grpc.error.reason", reason.clone());
        }
        if let Some(domain) = &self.domain {
            attributes.span("grpc.error.domain", domain.clone());
        }
    }

    /// The reason is the class of the error: "a constant value that identifies the proximate cause".
    pub(crate) fn error_type(&self) -> Option<ErrorType> {
        self.reason.as_deref().and_then(class).map(ErrorType::new)
    }
}

/// A reason as one of the process's classes of errors. They are never freed, which is bounded by [`MAX_CLASSES`].
fn class(reason: &str) -> Option<&'static str> {
    static CLASSES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut classes = CLASSES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = classes.get(reason) {
        return Some(known);
    }
    if classes.len() >= MAX_CLASSES {
        return None;
    }
    let new = Box::leak(Box::from(reason));
    classes.insert(new);
    Some(new)
}

fn type_name(detail: &Any) -> &str {
    detail.type_url.rsplit('/').next().unwrap_or_default()
}

fn is_reason(text: &str) -> bool {
    let is_long_enough = (1..=MAX_REASON).contains(&text.len());
    is_long_enough
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A dotted name: a host, a package, a message.
fn is_word(text: &str, longest: usize) -> bool {
    let is_long_enough = (1..=longest).contains(&text.len());
    is_long_enough && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(status: &Status) -> HeaderMap {
        let encoded = ENGINE.encode(status.encode_to_vec());
        HeaderMap::from_iter([(DETAILS.clone(), encoded.parse().unwrap())])
    }

    fn detail(type_url: &str, value: &impl Message) -> Any {
        Any { type_url: type_url.into(), value: value.encode_to_vec().into() }
    }

    fn info(reason: &str, domain: &str) -> Any {
        let info = ErrorInfo { reason: reason.into(), domain: domain.into() };
        detail("type.googleapis.com/google.rpc.ErrorInfo", &info)
    }

    #[test]
    fn reason_domain_and_types_are_read() {
        let other = detail("type.googleapis.com/google.rpc.RetryInfo", &());
        let status = Status { details: vec![other, info("CARD_DECLINED", "shop.example")] };
        let expected = RichError {
            types: vec!["google.rpc.RetryInfo".into(), ERROR_INFO.into()],
            reason: Some("CARD_DECLINED".into()),
            domain: Some("shop.example".into()),
        };
        assert_eq!(RichError::of(&headers(&status)), Some(expected));
    }

    #[test]
    fn what_is_no_constant_is_no_reason() {
        let long = "A".repeat(64);
        for reason in ["", "user 42 has no money", "CARD DECLINED", "1ST", "lower", &long] {
            let read = RichError::of(&headers(&Status { details: vec![info(reason, "a b")] }));
            let read = read.expect("details");
            assert_eq!((read.reason, read.domain), (None, None), "{reason:?}");
        }
    }

    #[test]
    fn a_peer_that_makes_up_reasons_makes_few_classes() {
        let class_of = |number: u32| {
            let details = vec![info(&format!("USER_{number}_NOT_FOUND"), "")];
            RichError::of(&headers(&Status { details })).and_then(|error| error.error_type())
        };
        assert_eq!(class_of(0).unwrap().as_str(), "USER_0_NOT_FOUND");
        assert_eq!((0..10_000).filter_map(class_of).count(), MAX_CLASSES);
        assert_eq!(class_of(0).unwrap().as_str(), "USER_0_NOT_FOUND", "what was known stays known");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut headers = HeaderMap::new();
            headers.insert(DETAILS.clone(), ENGINE.encode(&bytes).parse().unwrap());
            let _ = RichError::of(&headers);
        }
    }
}
