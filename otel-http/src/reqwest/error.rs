//! `error.type` of reqwest's errors.

use ::reqwest::Error;
use otel_core::ErrorType;

use crate::error::ErrorClass;

/// What reqwest says of its error, or what its causes say when that is more telling.
pub(super) fn error_type(error: &Error) -> ErrorType {
    class_of(error).map_or(ErrorType::OTHER, ErrorClass::error_type)
}

pub(super) fn class_of(error: &Error) -> Option<ErrorClass> {
    let said = match error {
        error if error.is_timeout() => Some(ErrorClass::Timeout),
        error if error.is_dns() => Some(ErrorClass::Dns),
        error if error.is_redirect() => Some(ErrorClass::Redirect),
        error if error.is_body() => Some(ErrorClass::Body),
        error if error.is_decode() => Some(ErrorClass::Decode),
        error if error.is_connect() => Some(ErrorClass::Connect),
        error if error.is_builder() || error.is_request() => Some(ErrorClass::Request),
        _ => None,
    };
    said.into_iter().chain(ErrorClass::of(error)).min()
}
