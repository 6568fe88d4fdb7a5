//! OTLP over gRPC.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE, USER_AGENT};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Limited};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::pb;

use super::client::Client;
use super::compression::Coding;
use super::grpc_message::{Message, content};
use super::http::{EXPORTER, LONGEST_ANSWER, cut_off, headers_of_now};
use super::secrets::Secrets;
use super::{Answer, Retry, SendError, causes};
use crate::config::{HeaderProvider, OtlpConfig};

/// One host, and what goes with every request to it.
///
/// The call is made here and not by tonic's client, which copies each message, and compresses it with a new state and a
/// level of its own.
#[derive(Debug)]
pub(in crate::export) struct GrpcTransport {
    pub(in crate::export) client: Client,
    /// Without a slash at its end.
    origin: String,
    headers: HeaderMap,
    pub(in crate::export) provider: Option<HeaderProvider>,
    coding: Coding,
}

impl GrpcTransport {
    pub(in crate::export) fn new(config: &OtlpConfig, client: Client) -> Result<Self, InvalidUri> {
        let mut headers = config.headers.clone();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(EXPORTER));
        if let Some(authorization) = config.endpoint.authorization() {
            headers.entry(AUTHORIZATION).or_insert_with(|| authorization.clone());
        }
        let target = config.endpoint.target();
        // What comes behind it is the name of a method.
        let origin: Uri = target.split('?').next().unwrap_or(target).parse()?;
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
        let secrets = Secrets::of(request.headers(), None);
        let explained = |cause| self.client.explained(secrets.cause_of(cause));
        let client = self.client.current().map_err(SendError::transient)?;
        let answer =
            client.request(request).await.map_err(|error| SendError::transient(explained(causes(&error))))?;
        let (head, body) = answer.into_parts();
        // An answer without a body has its status among the headers.
        let early = Status::from_header_map(&head.headers);
        if let Some(status) = early.as_ref().filter(|status| status.code() != Code::Ok) {
            return Err(refusal(status, &secrets));
        }
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| cut_off(&*error, explained))?;
        match body.trailers().and_then(Status::from_header_map).or(early) {
            Some(status) if status.code() != Code::Ok => return Err(refusal(&status, &secrets)),
            None if head.status != StatusCode::OK => return Err(no_grpc(head.status)),
            _ => {}
        }
        let content = content(&body.to_bytes());
        let content = content.ok_or_else(|| SendError::final_("the answer is no gRPC message"))?;
        Ok(Answer { body: content, is_json: false, secrets })
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

fn refusal(status: &Status, secrets: &Secrets) -> SendError {
    let delay = retry_delay(status);
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
    let message = secrets.line_of(status.message().to_owned());
    let colon = if message.is_empty() { "" } else { ": " };
    SendError { cause: format!("gRPC status {:?}{colon}{message}", status.code()), retry }
}

/// How long the collector wants to be left alone. What is no time is none: the conversion of `tonic-types` panics at the
/// smallest number of seconds.
fn retry_delay(status: &Status) -> Option<Duration> {
    let status = tonic_types::Status::decode(status.details()).ok()?;
    let info = status.details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = pb::RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
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

    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};
    use prost::Message;
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::{Retry, Secrets, refusal};

    #[test]
    fn the_table_of_the_specification_holds() {
        let sent = Secrets::of(&HeaderMap::new(), None);
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
            assert_eq!(refusal(&Status::new(code, "no"), &sent).retry, expected, "{code:?}");
        }
        let delay = Duration::from_secs(3);
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            let details = ErrorDetails::with_retry_info(Some(delay));
            assert_eq!(
                refusal(&Status::with_error_details(code, "later", details), &sent).retry,
                Retry::After(delay)
            );
        }
        assert_eq!(refusal(&Status::unavailable("no"), &sent).cause, "gRPC status Unavailable: no");
        assert_eq!(refusal(&Status::unavailable(""), &sent).cause, "gRPC status Unavailable");
    }

    #[test]
    fn a_token_that_the_collector_repeats_is_not_told() {
        let mut token = HeaderValue::from_static("Bearer c0ffee1234");
        token.set_sensitive(true);
        let sent = Secrets::of(&HeaderMap::from_iter([(AUTHORIZATION, token)]), None);
        let cause = refusal(&Status::unauthenticated("no such token: c0ffee1234"), &sent).cause;
        assert_eq!(cause, "gRPC status Unauthenticated: no such token: REDACTED");
    }

    #[test]
    fn a_delay_that_is_no_time_is_none() {
        for (seconds, nanos, expected) in [
            (3, 500_000_000, Retry::After(Duration::from_millis(3500))),
            (i64::MAX, 0, Retry::After(Duration::from_secs(i64::MAX as u64))),
            (-1, 0, Retry::BackOff),
            (0, -1, Retry::BackOff),
            (1, 2_000_000_000, Retry::BackOff),
            (i64::MIN, -1, Retry::BackOff),
        ] {
            let nothing = Secrets::of(&HeaderMap::new(), None);
            let status = unavailable_for(seconds, nanos);
            assert_eq!(refusal(&status, &nothing).retry, expected, "{seconds} s {nanos} ns");
        }
    }

    /// Written by hand: the types of the crates refuse what a server may send.
    fn unavailable_for(seconds: i64, nanos: i32) -> Status {
        #[derive(Clone, PartialEq, prost::Message)]
        struct Delay {
            #[prost(int64, tag = "1")]
            seconds: i64,
            #[prost(int32, tag = "2")]
            nanos: i32,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        struct Info {
            #[prost(message, tag = "1")]
            delay: Option<Delay>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        struct Any {
            #[prost(string, tag = "1")]
            type_url: String,
            #[prost(bytes, tag = "2")]
            value: Vec<u8>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        struct Details {
            #[prost(message, repeated, tag = "3")]
            details: Vec<Any>,
        }
        let value = Info { delay: Some(Delay { seconds, nanos }) }.encode_to_vec();
        let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value };
        Status::with_details(Code::Unavailable, "", Details { details: vec![any] }.encode_to_vec().into())
    }
}
