//! The client layer around any tower service.

use axum::body::Body;
use futures_util::poll;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use opentelemetry::trace::{SpanKind, Status};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{CLIENT_DURATION, client_layer, get};

#[track_caller]
fn assert_sent_once(telemetry: &TestTelemetry) {
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    assert!(telemetry.open_spans().is_empty());
    assert_eq!(telemetry.histogram_count(CLIENT_DURATION), 1);
}

async fn answer(status: StatusCode) -> Result<Response<Body>, std::io::Error> {
    let mut response = Response::new(Body::from("hello"));
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::test]
async fn every_fact_of_a_request() {
    let telemetry = TestTelemetry::new();
    let client = client_layer(&telemetry).build().layer(service_fn(|request: Request<Body>| async move {
        assert!(request.headers().contains_key("traceparent"));
        answer(StatusCode::OK).await
    }));
    client.oneshot(get("https://user:secret@users.example/users/42?sig=secret")).await.unwrap();

    assert_sent_once(&telemetry);
    let span = telemetry.span("GET");
    assert_eq!((&span.span_kind, &span.status), (&SpanKind::Client, &Status::Unset));
    let mut attributes: Vec<_> =
        span.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    attributes.sort();
    assert_eq!(
        attributes,
        [
            "http.request.method=GET",
            "http.response.status_code=200",
            "network.protocol.version=1.1",
            "server.address=users.example",
            "server.port=443",
            "url.full=https://REDACTED:REDACTED@users.example/users/42?sig=REDACTED",
        ]
    );
    let points = telemetry.points(CLIENT_DURATION);
    let mut keys = points[0].attributes.keys();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "http.request.method",
            "http.response.status_code",
            "network.protocol.version",
            "server.address",
            "server.port"
        ]
    );
}

#[tokio::test]
async fn status_codes_are_errors_from_400_on() {
    for (code, is_error) in [(200, false), (304, false), (400, true), (404, true), (500, true)] {
        let telemetry = TestTelemetry::new();
        let status = StatusCode::from_u16(code).unwrap();
        let client =
            client_layer(&telemetry).build().layer(service_fn(move |_: Request<Body>| answer(status)));
        client.oneshot(get("http://users.example/")).await.unwrap();
        assert_sent_once(&telemetry);
        let span = telemetry.span("GET");
        assert_eq!(span.status, if is_error { Status::error("") } else { Status::Unset }, "{code}");
        assert_eq!(span.has("error.type", code.to_string()), is_error, "{code}");
    }
}

#[tokio::test]
async fn errors_and_cancelled_calls() {
    let telemetry = TestTelemetry::new();
    let client = client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(std::io::Error::other("refused"))
    }));
    client.oneshot(get("http://users.example/")).await.unwrap_err();
    assert_sent_once(&telemetry);
    assert!(telemetry.span("GET").has("error.type", "std::io::error::Error"));

    // "cancelled by the caller is not an error"
    let telemetry = TestTelemetry::new();
    let client = client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, std::io::Error>>()
    }));
    let mut future = Box::pin(client.oneshot(get("http://users.example/")));
    assert!(poll!(&mut future).is_pending());
    drop(future);
    assert_sent_once(&telemetry);
    assert_eq!(telemetry.span("GET").status, Status::Unset);
}

/// What goes over a connection that is there already says no scheme.
#[tokio::test]
async fn the_url_of_a_request_without_a_scheme_has_its_host() {
    let request = |method: &str, uri: &str| Request::builder().method(method).uri(uri);
    for (request, expected) in [
        (
            request("GET", "/users/7?sig=x").header("host", "a:b@users.example"),
            "//REDACTED:REDACTED@users.example/users/7?sig=REDACTED",
        ),
        (request("OPTIONS", "*").header("host", "users.example:81"), "//users.example:81"),
        (request("CONNECT", "a:b@users.example:443"), "//REDACTED:REDACTED@users.example:443"),
        (request("GET", "/users/7"), "/users/7"),
    ] {
        let telemetry = TestTelemetry::new();
        let client =
            client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| answer(StatusCode::OK)));
        client.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert!(telemetry.spans()[0].has("url.full", expected), "{}", telemetry.tree());
    }
}

/// Whoever answers with a redirect chooses where it leads to.
#[tokio::test]
async fn a_long_url_is_cut() {
    let telemetry = TestTelemetry::new();
    let client =
        client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| answer(StatusCode::OK)));
    let uri = format!("http://users.example/?sig=secret&a={}", "a".repeat(20_000));
    client.oneshot(Request::get(uri).body(Body::empty()).unwrap()).await.unwrap();
    let url = telemetry.spans()[0].attribute("url.full").map(ToString::to_string).unwrap();
    assert_eq!(url.len(), 8 * 1024);
    assert!(url.starts_with("http://users.example/?sig=REDACTED&a=aa"), "{url}");
}

#[tokio::test]
async fn ends_at_the_head_or_with_the_body() {
    for end_at_body in [false, true] {
        let telemetry = TestTelemetry::new();
        let client = client_layer(&telemetry)
            .with_end_at_body(end_at_body)
            .build()
            .layer(service_fn(|_: Request<Body>| answer(StatusCode::OK)));
        let response = client.oneshot(get("http://users.example/")).await.unwrap();
        assert_eq!(telemetry.spans().len(), usize::from(!end_at_body));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
        assert_sent_once(&telemetry);
    }
}

#[tokio::test]
async fn context_in_the_headers_is_replaced_not_doubled() {
    let telemetry = TestTelemetry::new();
    let client = client_layer(&telemetry).build().layer(service_fn(|request: Request<Body>| async move {
        let sent: Vec<_> = request.headers().get_all("traceparent").iter().cloned().collect();
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(sent);
        Ok::<_, std::io::Error>(response)
    }));
    let request = Request::get("http://users.example/").header("traceparent", "12345789");
    let response = client.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let sent = response.extensions().get::<Vec<http::HeaderValue>>().unwrap();
    let context = telemetry.span("GET").span_context;
    assert_eq!(*sent, [format!("00-{}-{}-01", context.trace_id(), context.span_id())]);
}
