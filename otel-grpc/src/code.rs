//! Status codes: their names, which of them are errors, and where they are read from.

use http::{HeaderMap, HeaderName, StatusCode};
use otel_core::ErrorType;
use tonic::Code;

use crate::header::value_of;

static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The value of `rpc.status_code`: "the canonical name", never the number.
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>
pub(crate) const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// "all codes except `OK` SHOULD be considered errors" on a client.
pub(crate) const fn is_client_error(code: Code) -> bool {
    !matches!(code, Code::Ok)
}

/// The codes that are a server's fault. <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#server>
pub(crate) const fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The `error.type` of a call that ended with this code.
pub(crate) const fn error_type(code: Code) -> ErrorType {
    ErrorType::new(name(code))
}

/// The status in trailers, or in the headers of a response that has only trailers. What is no code is `UNKNOWN`.
pub(crate) fn in_headers(headers: &HeaderMap) -> Option<Code> {
    value_of(headers, &GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// What a response without any status means: a proxy's answer, or a stream that was cut off.
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
pub(crate) fn of_http_status(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> impl Iterator<Item = Code> {
        (0..17).map(Code::from_i32)
    }

    #[test]
    fn a_server_s_errors_are_six_and_a_client_s_all_but_one() {
        let names = |is_error: fn(Code) -> bool| -> Vec<&str> {
            codes().filter(|code| is_error(*code)).map(name).collect()
        };
        assert_eq!(
            names(is_server_error),
            ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]
        );
        assert_eq!(names(is_client_error).len(), 16);
        assert!(!is_client_error(Code::Ok));
    }

    #[test]
    fn the_status_is_read_as_the_number_it_is() {
        let mut headers = HeaderMap::new();
        assert_eq!(in_headers(&headers), None);
        for code in codes() {
            headers.insert("grpc-status", i32::from(code).into());
            assert_eq!(in_headers(&headers), Some(code));
        }
        for odd in ["", "17", "-1", "007", "OK", "99999999999999999999", "5 "] {
            headers.insert("grpc-status", odd.parse().unwrap());
            assert_eq!(in_headers(&headers), Some(Code::Unknown), "{odd:?}");
        }
    }
}
