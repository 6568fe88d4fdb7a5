//! Inside and outside of the layers that services put around their routers.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::support::{assert_served_once, call, server_layer};

fn routes() -> Router {
    async fn panics() -> &'static str {
        panic!("a test panics here")
    }
    Router::new()
        .route("/ok", on_get(|| async { "hello ".repeat(100) }))
        .route("/slow", on_get(std::future::pending::<()>))
        .route("/panics", on_get(panics))
}

/// The order that the documentation recommends, without our layer.
macro_rules! other_layers {
    () => {
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(TraceLayer::new_for_http())
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(CompressionLayer::new())
            .layer(CorsLayer::permissive())
            .layer(CatchPanicLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(50)))
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
