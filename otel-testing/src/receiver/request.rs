//! Requests as they came in, and how they are answered.

use std::time::Duration;

/// One of the three signals of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
}

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with `application/x-protobuf`.
    HttpProtobuf,
    /// OTLP/HTTP with `application/json`.
    HttpJson,
}

/// A request that came in, without its body.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// What it carried.
    pub signal: Signal,
    /// How it came.
    pub protocol: Protocol,
    /// Header names in lower case, and values; binary values are left out.
    pub headers: Vec<(String, String)>,
    /// Whether it was answered with success.
    pub accepted: bool,
}

impl ReceivedRequest {
    /// The first value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// How the receiver answers requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// Keeps the data and answers with success.
    #[default]
    Accept,
    /// Keeps nothing: 503, or `UNAVAILABLE`. The sender may try again.
    Unavailable,
    /// Keeps nothing: 400, or `INVALID_ARGUMENT`. The sender must not try again.
    InvalidArgument,
    /// Keeps nothing: 503 with `Retry-After`, or `UNAVAILABLE` with `RetryInfo`. The sender may try again after this time,
    /// which HTTP carries in whole seconds, rounded up.
    UnavailableFor(Duration),
    /// Keeps nothing: 429 with `Retry-After`, or `RESOURCE_EXHAUSTED` with `RetryInfo`. The sender may try again after this
    /// time, which HTTP carries in whole seconds, rounded up.
    Throttle(Duration),
    /// Keeps the data and answers with success, after this time.
    Slow(Duration),
    /// Keeps nothing and never answers; the connection stays open.
    Hang,
    /// Keeps nothing and closes the connection without an answer; of HTTP/2, which gRPC uses, it resets the stream.
    Cut,
    /// Keeps nothing and closes new connections before the first byte; requests on open connections are cut.
    Refuse,
    /// Keeps nothing: 200 with bytes that are no OTLP. Over gRPC, whose framing is not ours to break, `DATA_LOSS`.
    Garbage,
}
