//! `network.protocol.version` and what a status code says.

use http::{StatusCode, Version};
use otel_core::ErrorType;

/// The value of `network.protocol.version`; the name is `http` and therefore left out.
pub(crate) fn protocol_version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// The `error.type` of a status: the code itself, so that it takes few values.
pub(crate) fn status_error(status: StatusCode) -> ErrorType {
    match status {
        StatusCode::BAD_REQUEST => ErrorType::new("400"),
        StatusCode::UNAUTHORIZED => ErrorType::new("401"),
        StatusCode::NOT_FOUND => ErrorType::new("404"),
        StatusCode::INTERNAL_SERVER_ERROR => ErrorType::new("500"),
        StatusCode::BAD_GATEWAY => ErrorType::new("502"),
        StatusCode::SERVICE_UNAVAILABLE => ErrorType::new("503"),
        StatusCode::GATEWAY_TIMEOUT => ErrorType::new("504"),
        other => ErrorType::from_code(other.as_str()),
    }
}

/// A status code from 500 on is a failure of the server; one that no specification knows counts as one.
pub(crate) fn is_server_error(status: StatusCode) -> bool {
    status.as_u16() >= 500
}
