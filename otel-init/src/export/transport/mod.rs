//! One attempt to send one request.

use std::time::Duration;

use bytes::Bytes;

mod client;
mod compression;
mod connector;
mod grpc;
mod grpc_message;
mod http;
mod secrets;
mod tls;

pub(super) use client::Client;
pub(super) use grpc::GrpcTransport;
pub(super) use http::HttpTransport;
pub(super) use tls::system_roots;

use self::secrets::Secrets;

/// The way to one collector.
#[derive(Debug)]
pub(super) enum Transport {
    Http(HttpTransport),
    Grpc(GrpcTransport),
}

/// What a collector that took the request answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Bytes,
    pub(super) is_json: bool,
    /// What its words must not repeat.
    pub(super) secrets: Secrets,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SendError {
    /// For a person, without credentials.
    pub(super) cause: String,
    pub(super) retry: Retry,
}

/// Whether the same request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    /// With growing delays.
    BackOff,
    /// Not before the collector said.
    After(Duration),
}

impl SendError {
    pub(super) fn final_(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), retry: Retry::Never }
    }

    /// Worth another try, by the same process or the next.
    pub(super) fn transient(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), retry: Retry::BackOff }
    }
}

impl Transport {
    pub(super) fn has_header_provider(&self) -> bool {
        match self {
            Self::Http(http) => http.provider.is_some(),
            Self::Grpc(grpc) => grpc.provider.is_some(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Http(http) => &http.client,
            Self::Grpc(grpc) => &grpc.client,
        }
    }

    /// After a request without an answer. The connection may lead to a host that is gone without a word, and HTTP/2 would
    /// put the next request on it too; HTTP/1 has closed it.
    pub(super) fn reconnect(&self) {
        if let Self::Grpc(grpc) = self {
            grpc.client.reconnect();
        }
    }

    pub(super) async fn send(&self, body: Bytes, grpc_path: &'static str) -> Result<Answer, SendError> {
        match self {
            Self::Http(http) => http.send(body).await,
            Self::Grpc(grpc) => grpc.send(body, grpc_path).await,
        }
    }
}

/// The causes of an error in one line, without its outermost part, which only says that the client failed.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes: Vec<_> = std::iter::successors(error.source(), |&cause| cause.source())
        .map(|cause| tls::out_of_date(cause).unwrap_or_else(|| cause.to_string()))
        .collect();
    let told = if causes.is_empty() { error.to_string() } else { causes.join(": ") };
    if OTHER_PROTOCOL.iter().any(|text| told.contains(text)) { NO_HTTP_1.to_owned() } else { told }
}

/// hyper has two texts for an answer in another protocol, by whether it was there before the request: one cause, which is told once.
const OTHER_PROTOCOL: [&str; 2] =
    ["invalid HTTP version parsed", "received unexpected message from connection"];
const NO_HTTP_1: &str = "the answer is no HTTP/1";

#[cfg(test)]
mod tests {
    use super::causes;

    #[derive(Debug, thiserror::Error)]
    #[error("client error")]
    struct Failed(#[source] std::io::Error);

    #[test]
    fn an_answer_in_another_protocol_is_one_cause() {
        let told = |text| causes(&Failed(std::io::Error::other(text)));
        assert_eq!(told("refused"), "refused");
        assert_eq!(told("invalid HTTP version parsed"), "the answer is no HTTP/1");
        assert_eq!(told("received unexpected message from connection"), "the answer is no HTTP/1");
    }
}
