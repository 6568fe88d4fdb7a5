//! An edge that anybody can call.

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::Request;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use otel_testing::TestTelemetry;

use crate::support::{call, server_layer};

#[tokio::test]
async fn starts_a_trace_of_its_own_that_links_to_the_caller_s() {
    let telemetry = TestTelemetry::new();
    let w3c = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]);
    let handler = || async { opentelemetry::Context::current().baggage().len().to_string() };
    let layer = server_layer(&telemetry).with_propagator(w3c).with_public_endpoint(true).build();
    let app = Router::new().route("/", on_get(handler)).layer(layer);
    let request = Request::get("/")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
        .header("baggage", "role=admin");
    let response = call(&app, request.body(Body::empty()).unwrap()).await;

    assert_eq!(axum::body::to_bytes(response.into_body(), 10).await.unwrap(), "0", "no baggage comes in");
    let span = telemetry.span("GET /"); // recorded, although the caller said "not sampled"
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_ne!(span.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.links.links[0].span_context.span_id().to_string(), "b7ad6b7169203331");
}
