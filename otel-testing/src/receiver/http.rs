//! OTLP over HTTP.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use super::connection::Connections;
use super::decompress::decompress;
use super::export::ExportRequest;
use super::fault::RpcStatus;
use super::store::Store;
use super::{Protocol, Reply, fault, json};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const SIGNAL_PATHS: [&str; 3] =
    [ExportTraceServiceRequest::PATH, ExportMetricsServiceRequest::PATH, ExportLogsServiceRequest::PATH];

/// Serves until it is dropped.
pub(super) async fn serve(connections: Connections, store: Arc<Store>, max_body_bytes: usize) {
    let router = Router::new()
        .route(ExportTraceServiceRequest::PATH, post(receive::<ExportTraceServiceRequest>))
        .route(ExportMetricsServiceRequest::PATH, post(receive::<ExportMetricsServiceRequest>))
        .route(ExportLogsServiceRequest::PATH, post(receive::<ExportLogsServiceRequest>))
        .fallback(refuse_path)
        .method_not_allowed_fallback(refuse_path)
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(Receiver { store, max_body_bytes });
    // axum's server never returns.
    let _ = axum::serve(connections, router).await;
}

#[derive(Clone)]
struct Receiver {
    store: Arc<Store>,
    max_body_bytes: usize,
}

async fn receive<R: ExportRequest>(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let not_understood =
        |reason: &str| receiver.store.note_not_understood(format!("POST {}: {reason}", R::PATH));
    let Some(protocol) = protocol(&headers) else {
        let message = format!("content-type must be {PROTOBUF} or {JSON}");
        not_understood(&message);
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    };
    let decoded = body
        .map_err(|rejection| Refusal::of_body(&rejection, receiver.max_body_bytes))
        .and_then(|body| decode(protocol, &headers, &body, receiver.max_body_bytes));
    let request: R = match decoded {
        Ok(request) => request,
        Err(refusal) => {
            not_understood(&refusal.message);
            return failure(protocol, &refusal);
        }
    };
    match receiver.store.receive(request, protocol, texts(&headers)) {
        Ok((rejected, delay)) => {
            fault::pause(delay).await;
            success::<R>(protocol, rejected)
        }
        Err(Reply::Garbage) => ([(CONTENT_TYPE, PROTOBUF)], "\u{fffd}this is no OTLP").into_response(),
        Err(reply) => {
            let status = fault::grpc_status(reply).await;
            let mut response = failure(protocol, &Refusal::from_grpc(&status));
            if let Some(after) = fault::retry_after(reply) {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after));
            }
            response
        }
    }
}

/// An exporter that is built in code takes the whole URL, and one without the path sends to nowhere.
async fn refuse_path(State(receiver): State<Receiver>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let (status, paths) = match SIGNAL_PATHS.contains(&path) {
        true => (StatusCode::METHOD_NOT_ALLOWED, "only POST is OTLP".to_owned()),
        false => (StatusCode::NOT_FOUND, format!("OTLP over HTTP goes to {}", SIGNAL_PATHS.join(", "))),
    };
    receiver.store.note_not_understood(format!("{method} {path}: {paths}"));
    (status, paths).into_response()
}

fn protocol(headers: &HeaderMap) -> Option<Protocol> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    // "The type and subtype tokens are case-insensitive" (RFC 9110, section 8.3.1).
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        PROTOBUF => Some(Protocol::HttpProtobuf),
        JSON => Some(Protocol::HttpJson),
        _ => None,
    }
}

fn decode<R: ExportRequest>(
    protocol: Protocol,
    headers: &HeaderMap,
    body: &[u8],
    max_body_bytes: usize,
) -> Result<R, Refusal> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("not a text"));
    let body = decompress(encoding, body, max_body_bytes)?;
    match protocol {
        Protocol::HttpJson => json::from_slice(&body).map_err(|error| Refusal::malformed(error.to_string())),
        _ => R::decode(body.as_ref()).map_err(|error| Refusal::malformed(error.to_string())),
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&axum::http::HeaderName, &HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

fn success<R: ExportRequest>(protocol: Protocol, rejected: usize) -> Response {
    let response = R::response(rejected);
    match protocol {
        // In JSON a field without a value is absent, not null.
        Protocol::HttpJson if rejected == 0 => ([(CONTENT_TYPE, JSON)], "{}").into_response(),
        Protocol::HttpJson => {
            ([(CONTENT_TYPE, JSON)], R::partial_success_json(rejected).to_string()).into_response()
        }
        _ => ([(CONTENT_TYPE, PROTOBUF)], response.encode_to_vec()).into_response(),
    }
}

/// "The response body for all HTTP 4xx and HTTP 5xx responses MUST be a Protobuf-encoded Status message", in JSON for a
/// JSON request (OTLP specification, OTLP/HTTP Response, Failures).
fn failure(protocol: Protocol, refusal: &Refusal) -> Response {
    let (code, message) = (i32::from(refusal.grpc_code), refusal.message.clone().into_owned());
    match protocol {
        Protocol::HttpJson => {
            let body = serde_json::json!({ "code": code, "message": message }).to_string();
            (refusal.status, [(CONTENT_TYPE, JSON)], body).into_response()
        }
        _ => {
            let body = RpcStatus { code, message, details: Vec::new() }.encode_to_vec();
            (refusal.status, [(CONTENT_TYPE, PROTOBUF)], body).into_response()
        }
    }
}

pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) grpc_code: tonic::Code,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    /// The mapping of the OTLP specification: what may be tried again is 429 or 503.
    fn from_grpc(status: &tonic::Status) -> Self {
        let http = match status.code() {
            tonic::Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            tonic::Code::InvalidArgument => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status: http, grpc_code: status.code(), message: status.message().to_owned().into() }
    }

    /// A body that did not come whole, or is longer than the limit.
    fn of_body(rejection: &BytesRejection, max_body_bytes: usize) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(max_body_bytes),
            _ => Self::malformed(rejection.body_text()),
        }
    }

    pub(super) fn too_large(max_body_bytes: usize) -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            grpc_code: tonic::Code::ResourceExhausted,
            message: format!("the body is larger than {max_body_bytes} bytes").into(),
        }
    }

    pub(super) fn malformed(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            grpc_code: tonic::Code::InvalidArgument,
            message: message.into(),
        }
    }
}
