//! `error.type` of reqwest's errors.

use ::reqwest::Error;
use otel_core::{ErrorType, HttpFailure};

pub(super) fn error_type(error: &Error) -> ErrorType {
    HttpFailure::of_reqwest(error).map_or(ErrorType::OTHER, HttpFailure::error_type)
}
