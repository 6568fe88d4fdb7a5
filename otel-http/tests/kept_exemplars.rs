//! A request that failed leads to its trace although that was not sampled. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use otel_http::HttpServerLayer;
use otel_init::sampling::{Keep, Sampling};
use otel_testing::OtlpReceiver;
use tower::ServiceExt;

#[tokio::test]
async fn a_request_that_failed_leads_to_the_trace_that_was_kept_for_it() {
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = otel_init::Telemetry::builder()
        .with_endpoint(receiver.http_endpoint())
        .with_sampling(Sampling::probability(0.0).with_keep(Keep::errors()))
        .install()
        .unwrap();
    let app = Router::new()
        .route("/fine", get(|| async { "Ada" }))
        .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(HttpServerLayer::builder().for_axum().build());
    for path in ["/fine", "/broken", "/fine", "/broken"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        drop(axum::body::to_bytes(response.into_body(), 100).await.unwrap());
    }
    telemetry.shutdown().await.unwrap();

    let metrics = receiver.metrics();
    let duration = metrics.iter().find(|metric| metric.name() == "http.server.request.duration").unwrap();
    let of = |route: &str| duration.points().iter().find(|point| point.has("http.route", route)).unwrap();
    assert!(of("/fine").exemplars.is_empty(), "{:?}", of("/fine"));
    let exemplars = &of("/broken").exemplars;
    assert!(!exemplars.is_empty(), "{:?}", of("/broken"));
    for exemplar in exemplars {
        let trace = receiver.trace(exemplar.trace_id.as_ref().unwrap()).unwrap();
        assert_eq!(trace.span(exemplar.span_id.as_ref().unwrap()).unwrap().name, "GET /broken");
    }
}
