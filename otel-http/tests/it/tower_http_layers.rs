//! Inside and outside of the layers that services put around their routers.

use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get as on_get, post as on_post};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use otel_http::BodyCapture;
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::decompression::{DecompressionLayer, RequestDecompressionLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::support::{assert_served_once, call, client_layer, server_layer};

fn routes() -> Router {
    async fn panics() -> &'static str {
        panic!("a test panics here")
    }
    Router::new()
        .route("/ok", on_get(|| async { "hello ".repeat(100) }))
        .route("/slow", on_get(std::future::pending::<()>))
        .route("/panics", on_get(panics))
        .route("/length", on_post(async |body: Bytes| body.len().to_string()))
}

fn compressed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The order that the documentation recommends, without our layer.
macro_rules! other_layers {
    () => {
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(TraceLayer::new_for_http())
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(CompressionLayer::new())
            .layer(RequestDecompressionLayer::new())
            .layer(CorsLayer::permissive())
            .layer(CatchPanicLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(1)))
            .layer(RequestBodyLimitLayer::new(1024))
    };
}

async fn status_of(app: &Router, path: &str) -> StatusCode {
    let request = Request::get(path).header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let response = call(app, request).await;
    let status = response.status();
    response.into_body().collect().await.unwrap();
    status
}

#[tokio::test]
async fn outside_of_them_the_span_has_the_answer_that_the_client_gets() {
    for (path, status, error_type) in
        [("/ok", 200, None), ("/slow", 504, Some("504")), ("/panics", 500, Some("500"))]
    {
        let telemetry = TestTelemetry::new();
        let app = routes().layer(other_layers!()).layer(server_layer(&telemetry).build());
        assert_eq!(status_of(&app, path).await, status);
        assert_served_once(&telemetry);
        let span = telemetry.span(&format!("GET {path}"));
        assert!(span.has("http.response.status_code", i64::from(status)));
        assert_eq!(span.attribute("error.type").map(|value| value.to_string()).as_deref(), error_type);
    }
}

#[tokio::test]
async fn inside_of_them_it_sees_what_they_do_to_the_handler() {
    // A timeout drops the handler: cancelled, no status. A panic passes through us on its way to CatchPanic.
    for (path, status, error_type) in
        [("/ok", 200, None), ("/slow", 504, None), ("/panics", 500, Some("panic"))]
    {
        let telemetry = TestTelemetry::new();
        let app = routes().layer(server_layer(&telemetry).build()).layer(other_layers!());
        assert_eq!(status_of(&app, path).await, status);
        assert_served_once(&telemetry);
        let span = telemetry.span(&format!("GET {path}"));
        assert_eq!(span.attribute("error.type").map(|value| value.to_string()).as_deref(), error_type);
        assert_eq!(span.attribute("http.response.status_code").is_some(), path == "/ok");
    }
}

/// What is counted is what passes where the layer stands: outside of the decompression the bytes of the wire, inside the
/// decoded ones.
#[tokio::test]
async fn a_compressed_body_is_counted_where_the_layer_stands() {
    let text = "hello ".repeat(100);
    let sent = compressed(text.as_bytes());
    let request = || {
        let request = Request::post("/length").header("content-encoding", "gzip");
        request.header("content-length", sent.len()).body(Body::from(sent.clone())).unwrap()
    };
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_body_sizes(true).build();
    let app = routes().layer(RequestDecompressionLayer::new()).layer(layer);
    let response = call(&app, request()).await;
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text.len().to_string());
    assert_served_once(&telemetry);
    let size = telemetry.metric("http.server.request.body.size");
    assert_eq!(size.points[0].histogram().unwrap().sum, Some(sent.len() as f64));

    for is_outside in [true, false] {
        let telemetry = TestTelemetry::new();
        let layer = client_layer(&telemetry).with_body_sizes(true).with_end_at_body(true).build();
        let server = routes().layer(CompressionLayer::new());
        let decompression = DecompressionLayer::new();
        let request = Request::get("http://shop.example/ok").body(Body::empty()).unwrap();
        let body = if is_outside {
            let client = ServiceBuilder::new().layer(layer).layer(decompression).service(server);
            client.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
        } else {
            let client = ServiceBuilder::new().layer(decompression).layer(layer).service(server);
            client.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
        };
        assert_eq!(body, text);
        telemetry.assert_all_spans_ended();
        assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
        let sum = telemetry.metric("http.client.response.body.size").points[0].histogram().unwrap().sum;
        assert_eq!(sum == Some(text.len() as f64), is_outside, "{sum:?}");
    }
}

/// axum tells a body that is too long by its error, and looks for it no deeper than it wraps errors itself.
#[tokio::test]
async fn a_body_beyond_the_limit_is_told_as_such_whatever_is_recorded_of_it() {
    let pieces = || Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("12"), Ok("34")]));
    for (counts, captures) in [(false, false), (true, false), (false, true), (true, true)] {
        let telemetry = TestTelemetry::new();
        let mut layer = server_layer(&telemetry).with_body_sizes(counts);
        if captures {
            layer = layer.with_captured_request_body(BodyCapture::of_types(["text/plain"]));
        }
        let app = routes().layer(layer.build()).layer(RequestBodyLimitLayer::new(3));
        let request = Request::post("/length").header("content-type", "text/plain").body(pieces()).unwrap();
        assert_eq!(call(&app, request).await.status(), StatusCode::PAYLOAD_TOO_LARGE, "{counts} {captures}");
    }
}
