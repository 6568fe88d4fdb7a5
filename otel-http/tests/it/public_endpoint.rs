//! An edge that anybody can call.

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::Request;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::{SpanId, TraceContextExt};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use otel_core::propagation::{RemoteDecision, remote_decision};
use otel_http::HttpServerLayer;
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

/// Says what came in, as a sampler sees it.
#[derive(Clone, Debug)]
struct Decisions(std::sync::Arc<std::sync::Mutex<Vec<Option<RemoteDecision>>>>);

impl ShouldSample for Decisions {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        _: opentelemetry::trace::TraceId,
        _: &str,
        _: &opentelemetry::trace::SpanKind,
        _: &[opentelemetry::KeyValue],
        _: &[opentelemetry::trace::Link],
    ) -> SamplingResult {
        let state = parent.map(|parent| parent.span().span_context().trace_state().clone());
        self.0.lock().unwrap().push(parent.and_then(remote_decision));
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: state.unwrap_or_default(),
        }
    }
}

#[tokio::test]
async fn a_caller_may_be_a_parent_without_deciding_what_is_recorded() {
    let decisions = Decisions(std::sync::Arc::default());
    let provider = SdkTracerProvider::builder().with_sampler(decisions.clone()).build();
    for (flags, ignored, expected) in [
        ("01", false, RemoteDecision::Sampled),
        ("00", false, RemoteDecision::NotSampled),
        ("01", true, RemoteDecision::Deferred),
        ("00", true, RemoteDecision::Deferred),
    ] {
        let layer = HttpServerLayer::builder()
            .for_axum()
            .with_tracer_provider(provider.clone())
            .with_propagator(TraceContextPropagator::new())
            .with_sampled_flag_ignored(ignored)
            .build();
        let handler =
            || async { opentelemetry::Context::current().span().span_context().trace_id().to_string() };
        let app = Router::new().route("/", on_get(handler)).layer(layer);
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        let request = Request::get("/").header("traceparent", parent);
        let response = call(&app, request.body(Body::empty()).unwrap()).await;
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body, "0af7651916cd43dd8448eb211c80319c", "the trace goes on");
        assert_eq!(decisions.0.lock().unwrap().pop().flatten(), Some(expected), "{flags} {ignored}");
    }
}
