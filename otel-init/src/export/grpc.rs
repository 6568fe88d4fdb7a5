//! OTLP over gRPC.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Limited};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::client::Client;
use super::compression::Coding;
use super::grpc_message::{Message, content};
use super::http::{EXPORTER, LONGEST_ANSWER, headers_of_now};
use super::transport::{Answer, Retry, SendError, causes};
use crate::config::{HeaderProvider, OtlpConfig};

/// One host, and what goes with every request to it.
///
/// The call is made here and not by tonic's client, which copies each message, and compresses it with a new state and a
/// level of its own.
#[derive(Debug)]
pub(super) struct GrpcTransport {
    client: Client,
    /// Without a slash at its end.
    origin: String,
    headers: HeaderMap,
    pub(super) provider: Option<HeaderProvider>,
    coding: Coding,
}

impl GrpcTransport {
    pub(super) fn new(config: &OtlpConfig, client: Client) -> Result<Self, InvalidUri> {
        let mut headers = config.headers.clone();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(EXPORTER));
        let origin: Uri = config.endpoint.url().parse()?;
        Ok(Self {
            client,
            origin: origin.to_string().trim_end_matches('/').to_owned(),
            headers,
            provider: config.header_provider.clone(),
            coding: Coding::new(config.compression),
        })
    }

    pub(super) async fn send(&self, body: Bytes, path: &'static str) -> Result<Answer, SendError> {
        let request = self.request(body, path)?;
        let unreachable = |cause| SendError::transient(self.client.explained(cause));
        let client = self.client.current().map_err(SendError::transient)?;
        let answer = client.request(request).await.map_err(|error| unreachable(causes(&error)))?;
        let (head, body) = answer.into_parts();
        // An answer without a body has its status among the headers.
        let early = Status::from_header_map(&head.headers);
        if let Some(status) = early.as_ref().filter(|status| status.code() != Code::Ok) {
            return Err(refusal(status));
        }
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| unreachable(format!("the answer was cut off: {error}")))?;
        match body.trailers().and_then(Status::from_header_map).or(early) {
            Some(status) if status.code() != Code::Ok => return Err(refusal(&status)),
            None if head.status != StatusCode::OK => return Err(no_grpc(head.status)),
            _ => {}
        }
        let content = content(&body.to_bytes());
        let content = content.ok_or_else(|| SendError::final_("the answer is no gRPC message"))?;
        Ok(Answer { body: content, is_json: false })
    }

    fn request(&self, body: Bytes, path: &str) -> Result<Request<tonic::body::Body>, SendError> {
        let body = self.coding.apply(body);
        let body =
            body.map_err(|error| SendError::final_(format!("cannot compress the request: {error}")))?;
        let message = Message::new(body, self.coding.name().is_some());
        let mut request = Request::new(tonic::body::Body::new(message));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        let url = format!("{}{path}", self.origin).parse();
        *request.uri_mut() =
            url.map_err(|error| SendError::final_(format!("the URL cannot be read: {error}")))?;
        let mut headers = headers_of_now(&self.headers, self.provider.as_ref())?;
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        if let Some(name) = self.coding.name() {
            headers.insert("grpc-encoding", HeaderValue::from_static(name));
        }
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn refusal(status: &Status) -> SendError {
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    // The table of the specification; "RESOURCE_EXHAUSTED: retryable only if the server provided RetryInfo".
    let retry = match status.code() {
        Code::ResourceExhausted => delay.map_or(Retry::Never, Retry::After),
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => delay.map_or(Retry::BackOff, Retry::After),
        _ => Retry::Never,
    };
    let message: String =
        status.message().chars().filter(|character| !character.is_control()).take(200).collect();
    SendError { cause: format!("gRPC status {:?}: {message}", status.code()), retry }
}

/// What a proxy answers in place of the collector.
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn no_grpc(status: StatusCode) -> SendError {
    let retry = match status.as_u16() {
        // "UNAVAILABLE"
        429 | 502 | 503 | 504 => Retry::BackOff,
        _ => Retry::Never,
    };
    SendError { cause: format!("the server answered {status}, which is no gRPC"), retry }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::{Retry, refusal};

    #[test]
    fn the_table_of_the_specification_holds() {
        let retryable = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for number in 1..=16 {
            let code = Code::from(number);
            let expected = if retryable.contains(&code) { Retry::BackOff } else { Retry::Never };
            assert_eq!(refusal(&Status::new(code, "no")).retry, expected, "{code:?}");
        }
        let delay = Duration::from_secs(3);
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let details = ErrorDetails::with_retry_info(Some(delay));
            assert_eq!(
                refusal(&Status::with_error_details(code, "later", details)).retry,
                Retry::After(delay)
            );
        }
        assert_eq!(refusal(&Status::unavailable("no")).cause, "gRPC status Unavailable: no");
    }
}
