//! Why there was no response, or not all of it.

use std::any::Any;

use ::reqwest::Error;
use otel_core::ErrorType;

/// The class of an error of reqwest, or of whatever the service around it makes of one.
pub(crate) fn error_type_of_any<E: 'static>(error: &E) -> ErrorType {
    let any: &dyn Any = error;
    any.downcast_ref::<Error>().map_or_else(ErrorType::of::<E>, error_type)
}

/// Classes of otel-http, without those that only its reading of the causes tells apart (`dns`, `tls`, `connection_lost`).
pub(crate) fn error_type(error: &Error) -> ErrorType {
    ErrorType::new(match () {
        () if error.is_timeout() => "timeout",
        () if error.is_connect() => "connect",
        () if error.is_redirect() => "redirect",
        () if error.is_decode() => "decode",
        () if error.is_body() => "body",
        () if error.is_request() || error.is_builder() => "request",
        () => return ErrorType::of::<Error>(),
    })
}
