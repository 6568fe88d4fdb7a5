//! The exemplars of durations and sizes lead to the span of the very request. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::Request;
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use otel_http::{HttpClientLayer, HttpServerLayer};
use otel_testing::OtlpReceiver;
use tower::{Layer, ServiceExt};

#[tokio::test]
async fn they_lead_to_the_span_of_the_request() {
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry =
        otel_init::Telemetry::builder().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let server = HttpServerLayer::builder().for_axum().with_body_sizes(true).build();
    let app = Router::new().route("/users/{id}", post(|body: String| async { body })).layer(server);
    let client = HttpClientLayer::builder().with_body_sizes(true).build().layer(app.into_service::<Body>());
    let around = Context::new().with_span(global::tracer("test").start("around"));
    for _ in 0..3 {
        let request = Request::post("http://users.example/users/42").body(Body::from("Ada")).unwrap();
        let current = around.clone().attach();
        let answering = client.clone().oneshot(request);
        drop(current);
        // In another context, as a task that only waits is.
        let answer = axum::body::to_bytes(Body::new(answering.await.unwrap().into_body()), 10).await;
        assert_eq!(answer.unwrap(), "Ada");
    }
    drop(around);
    telemetry.shutdown().await.unwrap();

    let metrics = receiver.metrics();
    for (side, kind) in [("server", SpanKind::Server), ("client", SpanKind::Client)] {
        for what in ["request.duration", "request.body.size", "response.body.size"] {
            let name = format!("http.{side}.{what}");
            let metric = metrics.iter().find(|metric| metric.name() == name);
            let points = metric.unwrap_or_else(|| panic!("{name} is missing")).points();
            assert_eq!(points.len(), 1, "{name}");
            assert!(!points[0].exemplars.is_empty(), "{name} has none");
            for exemplar in &points[0].exemplars {
                let trace = receiver.trace(exemplar.trace_id.as_ref().unwrap()).unwrap();
                let span = trace.span(exemplar.span_id.as_ref().unwrap()).unwrap();
                assert_eq!(span.kind, kind, "{name} of {}", trace.tree());
                if let ("request.duration", Some(value)) = (what, exemplar.value) {
                    assert!((value.as_f64() - span.duration().as_secs_f64()).abs() < 1e-6, "{name}");
                }
            }
        }
    }
}
