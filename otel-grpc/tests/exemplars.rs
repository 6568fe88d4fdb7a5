//! The exemplars of durations lead to the span of the very call. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use otel_grpc::{GrpcClientLayer, GrpcServerLayer};
use otel_testing::OtlpReceiver;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn they_lead_to_the_span_of_the_call() {
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry =
        otel_init::Telemetry::builder().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let handler = service_fn(|_: http::Request<tonic::body::Body>| async {
        Ok::<_, std::convert::Infallible>(
            tonic::Status::not_found("no song").into_http::<tonic::body::Body>(),
        )
    });
    let client = GrpcClientLayer::new().layer(GrpcServerLayer::new().layer(handler));
    let around = Context::new().with_span(global::tracer("test").start("around"));
    // Once more than it takes for the attributes to be known, and bound.
    for _ in 0..3 {
        let request = http::Request::post("http://songs.example/songs.Songs/Find");
        let request = request.header("content-type", "application/grpc").body(tonic::body::Body::empty());
        let current = around.clone().attach();
        let answering = client.clone().oneshot(request.unwrap());
        drop(current);
        drop(answering.await.unwrap());
    }
    drop(around);
    telemetry.shutdown().await.unwrap();

    let metrics = receiver.metrics();
    for (name, kind) in
        [("rpc.server.call.duration", SpanKind::Server), ("rpc.client.call.duration", SpanKind::Client)]
    {
        let points = metrics.iter().find(|metric| metric.name() == name).unwrap().points();
        assert_eq!(points.len(), 1, "{name}: {points:?}");
        assert!(!points[0].exemplars.is_empty(), "{name} has none");
        for exemplar in &points[0].exemplars {
            let trace = receiver.trace(exemplar.trace_id.as_ref().unwrap()).unwrap();
            let span = trace.span(exemplar.span_id.as_ref().unwrap()).unwrap();
            assert_eq!(span.kind, kind, "{name} of {}", trace.tree());
            let difference = exemplar.value.unwrap().as_f64() - span.duration().as_secs_f64();
            assert!(difference.abs() < 1e-6, "{name}: {difference}");
        }
    }
}
