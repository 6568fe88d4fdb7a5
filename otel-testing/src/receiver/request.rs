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
}
