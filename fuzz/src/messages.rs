//! Whole requests, calls and messages of strangers, through the layers that observe them.
//!
//! Each is served and answered as if there were no layer, gives one span that has ended, and says no secret and nothing
//! without end.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry_sdk::trace::SpanData;
use otel_genai::GenAi;
use otel_genai::mcp::McpMessageBuilder;
use otel_grpc::{GrpcClientLayer, GrpcServerLayer};
use otel_http::{BodyCapture, HttpClientLayer, HttpServerLayer, TrustedProxies};
use otel_testing::{Captured, TestTelemetry};
use tower::util::service_fn;
use tower::{Layer, Service};

const SECRET: &str = "zq8473920174";

/// The longest text of a stranger's that a span may hold.
const MAX_TEXT: usize = 8 * 1024;

/// What observes, one for each thread, because tests run at the same time.
struct Observers {
    telemetry: TestTelemetry,
    http_servers: [HttpServerLayer; 2],
    http_client: HttpClientLayer,
    grpc_server: GrpcServerLayer,
    grpc_client: GrpcClientLayer,
    genai: GenAi,
}

thread_local! {
    static OBSERVERS: Observers = Observers::new();
}

/// A request of HTTP on its server and its client: the method and the target, lines of headers, an empty line, the body. The
/// answer has the same headers and the same body.
pub fn http_request(data: &[u8]) {
    let Some(request) = Message::parse(data).and_then(Message::into_request) else { return };
    OBSERVERS.with(|observers| {
        for layer in &observers.http_servers {
            observers.passes(layer.layer(service_fn(answer)), &request);
        }
        observers.passes(observers.http_client.layer(service_fn(answer)), &request);
    });
}

/// A call of gRPC on its server and its client: the path, lines of metadata, an empty line, and the messages. The answer has
/// the same headers, messages and trailers.
pub fn grpc_call(data: &[u8]) {
    let Some(mut request) = Message::parse(data).and_then(Message::into_request) else { return };
    // Others are no calls.
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    OBSERVERS.with(|observers| {
        observers.passes(observers.grpc_server.layer(service_fn(answer)), &request);
        observers.passes(observers.grpc_client.layer(service_fn(answer)), &request);
    });
}

/// A document of OTLP in JSON: what is read has a tree, whatever it says of parents.
pub fn otlp_json(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Captured::from_otlp_json(&text) {
        Ok(captured) => {
            let _ = captured.tree();
            for trace in captured.traces() {
                let _ = (trace.tree(), captured.trace(&trace.trace_id));
            }
        }
        Err(error) => assert!(error.to_string().starts_with("document "), "{error}"),
    }
}

/// A message of MCP: the method, a line for each name in it, a line of `_meta`, and the response, in JSON.
pub fn mcp_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(4, '\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (method, name, meta, response) = (line(), line(), line(), line());
    let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
    let start = |message: McpMessageBuilder| {
        let message = message.with_request_id(&name).with_tool(name.clone()).with_prompt(name.clone());
        message.with_resource_uri(name.clone()).with_session_id(name.clone()).with_meta(&json(&meta)).start()
    };
    OBSERVERS.with(|observers| {
        let genai = &observers.genai;
        for builder in [genai.mcp_client(method.clone()), genai.mcp_server(method.clone())] {
            let mut message = start(builder);
            message.inject(&mut serde_json::Map::new());
            message.respond(&json(&response));
            message.end();
            observers.span();
        }
    });
}

impl Observers {
    fn new() -> Self {
        let telemetry = TestTelemetry::new();
        let proxies = [TrustedProxies::all(), TrustedProxies::all().by_forwarded_header()];
        Self {
            http_servers: proxies.map(|proxies| http_server(&telemetry, proxies)),
            http_client: http_client(&telemetry),
            grpc_server: grpc_server(&telemetry),
            grpc_client: grpc_client(&telemetry),
            genai: GenAi::builder()
                .with_tracer_provider(telemetry.tracer_provider())
                .with_meter_provider(telemetry.meter_provider())
                .with_propagator(telemetry.propagator())
                .build(),
            telemetry,
        }
    }

    /// The request reaches the service, and its answer comes back, as it is; with one span.
    fn passes<S, B>(&self, mut service: S, request: &Request<Bytes>)
    where
        S: Service<Request<Body>, Response = Response<B>, Error = axum::Error>,
        B: http_body::Body<Data = Bytes, Error = axum::Error>,
    {
        let mut sent = Request::builder().method(request.method()).uri(request.uri());
        if let Some(headers) = sent.headers_mut() {
            headers.clone_from(request.headers());
        }
        let sent = sent.body(Body::from(request.body().clone())).expect("parts of a good request");
        let response = ready(service.call(sent)).expect("the service does not fail");
        let (parts, body) = response.into_parts();
        let body = ready(body.collect()).expect("the body does not fail");
        assert!(body.trailers().is_some_and(|trailers| trailers.contains_key("authorization")));
        assert!(parts.headers.contains_key("authorization"));
        assert_eq!(body.to_bytes(), request.body());
        for pair in self.span().attributes {
            assert!(!pair.value.as_str().contains(SECRET), "{} has a secret: {}", pair.key, pair.value);
        }
    }

    /// The one span since the last look.
    fn span(&self) -> SpanData {
        assert_eq!(self.telemetry.open_spans(), [""; 0]);
        let mut spans = self.telemetry.spans();
        self.telemetry.clear();
        let (Some(span), true) = (spans.pop(), spans.is_empty()) else { panic!("not one span") };
        assert!(span.name.len() <= 2 * MAX_TEXT, "a name of {} bytes", span.name.len());
        for pair in &span.attributes {
            if let opentelemetry::Value::String(text) = &pair.value {
                assert!(text.as_str().len() <= MAX_TEXT, "{} has {} bytes", pair.key, text.as_str().len());
            }
        }
        span
    }
}

fn http_server(telemetry: &TestTelemetry, proxies: TrustedProxies) -> HttpServerLayer {
    let capture = || BodyCapture::of_types(["text/plain", "application/json"]);
    HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(telemetry.propagator())
        .with_trusted_proxies(proxies)
        .with_body_sizes(true)
        .with_synthetic_type(true)
        .with_remote_context_counter(true)
        .with_captured_request_headers(["*"])
        .with_captured_response_headers(["*"])
        .with_captured_request_body(capture())
        .with_captured_response_body(capture())
        .with_baggage_attributes(["*"])
        .build()
}

fn http_client(telemetry: &TestTelemetry) -> HttpClientLayer {
    HttpClientLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(telemetry.propagator())
        .with_captured_request_headers(["*"])
        .with_captured_response_headers(["*"])
        .with_url_templates(["/users/{id}", "/{a}/{b}"])
        .with_body_sizes(true)
        .with_end_at_body(true)
        .build()
}

fn grpc_server(telemetry: &TestTelemetry) -> GrpcServerLayer {
    GrpcServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(telemetry.propagator())
        .with_grpc_trace_bin(true)
        .with_deadlines(true)
        .with_rich_errors(true)
        .with_message_events(true)
        .with_grpc_metrics(true)
        .with_captured_request_headers(["*"])
        .with_captured_response_headers(["*"])
        .with_captured_response_trailers(["*"])
        .build()
}

fn grpc_client(telemetry: &TestTelemetry) -> GrpcClientLayer {
    GrpcClientLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(telemetry.propagator())
        .with_target("dns:///shop.example:50051")
        .with_grpc_trace_bin(true)
        .with_deadlines(true)
        .with_rich_errors(true)
        .with_message_events(true)
        .with_captured_response_trailers(["*"])
        .build()
}

/// Method and target, headers, body.
struct Message {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Message {
    /// Nothing where the secret stands in other places than [`Self::into_request`] puts it.
    fn parse(data: &[u8]) -> Option<Self> {
        if data.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) {
            return None;
        }
        let mut lines = data.split(|byte| *byte == b'\n');
        let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
        let (method, uri) = (first.next()?, first.next().unwrap_or(b"/"));
        let (method, uri) = (Method::from_bytes(method).ok()?, Uri::try_from(uri).ok()?);
        let (mut headers, mut length) = (HeaderMap::new(), 0);
        let head = lines.by_ref().take_while(|line| !line.is_empty());
        for line in head {
            length += 1;
            let mut pair = line.splitn(2, |byte| *byte == b':');
            let (Some(name), Some(value)) = (pair.next(), pair.next()) else { continue };
            let (name, value) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii()));
            if let (Ok(name), Ok(value), true) = (name, value, length < 200) {
                headers.append(name, value);
            }
        }
        let body: Vec<&[u8]> = lines.collect();
        Some(Self { method, uri, headers, body: body.join(&b'\n').into() })
    }

    /// With secrets where there usually are some.
    fn into_request(mut self) -> Option<Request<Bytes>> {
        for name in ["authorization", "cookie", "x-api-key", "set-cookie"] {
            self.headers.insert(name, HeaderValue::from_static(SECRET));
        }
        let text = self.uri.to_string();
        let mark = if text.contains('?') { '&' } else { '?' };
        let uri = Uri::try_from(format!("{text}{mark}sig={SECRET}")).unwrap_or(self.uri);
        let mut request = Request::builder().method(self.method).uri(uri).body(self.body).ok()?;
        *request.headers_mut() = self.headers;
        Some(request)
    }
}

type Answer = Response<Body>;

async fn answer(request: Request<Body>) -> Result<Answer, axum::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let status = parts.headers.get("x-status").and_then(|status| status.as_bytes().try_into().ok());
    let status = status.unwrap_or_default();
    let frames = [Frame::data(body), Frame::trailers(parts.headers.clone())];
    let frames = futures_util::stream::iter(frames.map(Ok::<_, axum::Error>));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    *response.status_mut() = status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// Nothing here waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::drive;

    const HTTP: &[&str] = &[
        "GET /users/7?a=1&sig=x#f\nhost: shop.example:80\nuser-agent: Googlebot\n",
        "POST https://user:pw@shop.example/a\nforwarded: for=\"[::1]:80\";proto=https;host=a, for=b\ncontent-type: application/json\n\n{\"password\":\"x\",\"a\":[1]}",
        "BREW *\nx-forwarded-for: 1.2.3.4, ::1, unknown\nx-forwarded-proto: https\nx-forwarded-host: h:1\nx-status: 503\n",
        "CONNECT shop.example:443\ncontent-length: 5\nreferer: https://u:p@h/?sig=1\n\na=1&token=2",
    ];

    #[test]
    fn requests() {
        drive(super::http_request, HTTP);
    }

    #[test]
    fn calls() {
        let calls = [
            "POST /shop.v1.Orders/Place\ngrpc-timeout: 5S\ngrpc-status: 5\ngrpc-trace-bin: AABLsJMmwbZUaP2jVz7Dnd0KAf8LCwwNDg8QAgE\n\n\0\0\0\0\x03abc",
            "POST /a/b\nhost: shop.example:443\ngrpc-status-details-bin: CAUSBW5vcGU\ngrpc-message: a%20b\nx-status: 404\n\n",
        ];
        drive(super::grpc_call, &calls);
    }

    #[test]
    fn documents() {
        let documents = [
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"b7ad6b7169203331","name":"a","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":2,"status":{"code":2}}]}]}]}"#,
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"dataPoints":[{"asInt":"1","timeUnixNano":1}],"aggregationTemporality":2,"isMonotonic":true}}]}]}]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"bytesValue":"AA=="}]}}}]}},"severityNumber":9}]}]}]}"#,
        ];
        drive(super::otlp_json, &documents);
    }

    #[test]
    fn messages() {
        let messages = [
            "tools/call\nsearch\n{\"traceparent\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\",\"baggage\":\"a=1\"}\n{\"result\":{\"isError\":true}}",
            "resources/read\nfile://user:pw@h/a\n{}\n{\"error\":{\"code\":-32602,\"message\":\"no\"}}",
        ];
        drive(super::mcp_message, &messages);
    }
}
