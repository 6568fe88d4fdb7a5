//! The answers that a test asked for.

use std::panic::resume_unwind;
use std::time::Duration;

use prost::Message as _;
use tonic::{Code, Status};

use super::Reply;

const ASKED_FOR: &str = "the test asked for this answer";

/// What [`Reply::Slow`] waits. A timer of no time would still last until the clock's next tick.
pub(super) async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// The status of a refusal. It does not return for [`Reply::Hang`], and does not come back from [`Reply::Cut`].
pub(super) async fn grpc_status(reply: Reply) -> Status {
    match reply {
        Reply::InvalidArgument => Status::invalid_argument(ASKED_FOR),
        Reply::Throttle(after) => with_retry_info(Code::ResourceExhausted, after),
        Reply::UnavailableFor(after) => with_retry_info(Code::Unavailable, after),
        Reply::Garbage => Status::data_loss(ASKED_FOR),
        Reply::Hang => std::future::pending().await,
        // Neither hyper nor tonic lets a handler close its connection. Unwinding ends the task that serves it, and with
        // that the connection; without a panic's hook, so that nothing is printed.
        Reply::Cut | Reply::Refuse => resume_unwind(Box::new("the test asked for a cut")),
        Reply::Accept | Reply::Slow(_) | Reply::Unavailable => Status::unavailable(ASKED_FOR),
    }
}

/// `Retry-After` in seconds: rounded up, because earlier would be too early.
pub(super) fn retry_after(reply: Reply) -> Option<u64> {
    match reply {
        Reply::Throttle(after) | Reply::UnavailableFor(after) => {
            Some(after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)))
        }
        _ => None,
    }
}

/// "the server SHOULD attach RetryInfo" (OTLP specification, OTLP/gRPC Throttling).
fn with_retry_info(code: Code, after: Duration) -> Status {
    let delay = Delay {
        seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(after.subsec_nanos()).unwrap_or_default(),
    };
    let detail = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec(),
    };
    let details = RpcStatus { code: code.into(), message: ASKED_FOR.to_owned(), details: vec![detail] };
    Status::with_details(code, ASKED_FOR, details.encode_to_vec().into())
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_as_far_as_seconds_go() {
        let seconds = |after| retry_after(Reply::Throttle(after));
        assert_eq!(seconds(Duration::from_millis(1_001)), Some(2));
        assert_eq!(seconds(Duration::MAX), Some(u64::MAX));
    }
}
