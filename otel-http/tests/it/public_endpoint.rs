//! An edge that anybody can call.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::{Request, Response};
use http_body_util::BodyExt;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{FutureExt, SpanId, TraceContextExt};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use otel_core::propagation::{RemoteDecision, remote_decision};
use otel_http::HttpServerLayer;
use otel_testing::TestTelemetry;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{call, client_layer, server_layer};

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

/// A gateway sends on what it was sent, headers and all.
#[tokio::test]
async fn what_stays_out_is_not_forwarded_either() {
    for (reads_baggage, own, expected) in [
        (true, None, None),
        (true, Some("tenant"), Some("tenant=acme")),
        // For who knows nothing of baggage, it is a header like any other.
        (false, None, Some("role=admin")),
    ] {
        let telemetry = TestTelemetry::new();
        let propagator = move || {
            let mut propagators: Vec<Box<dyn TextMapPropagator + Send + Sync>> =
                vec![Box::new(TraceContextPropagator::new())];
            if reads_baggage {
                propagators.push(Box::new(BaggagePropagator::new()));
            }
            TextMapCompositePropagator::new(propagators)
        };
        let inside = service_fn(|request: Request<Body>| async move {
            let baggage = request.headers().get("baggage").cloned();
            Ok::<_, Infallible>(Response::new(format!("{baggage:?}")))
        });
        let client = client_layer(&telemetry).with_propagator(propagator()).build().layer(inside);
        let forwards = move |request: Request<Body>| {
            let mut context = opentelemetry::Context::current();
            if let Some(key) = own {
                context = context.with_baggage([opentelemetry::KeyValue::new(key, "acme")]);
            }
            async move { client.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes() }
                .with_context(context)
        };
        let layer = server_layer(&telemetry).with_propagator(propagator()).with_public_endpoint(true).build();
        let app = Router::new().route("/", on_get(forwards)).layer(layer);
        let request = Request::get("/").header("host", "inside").header("baggage", "role=admin");
        let response = call(&app, request.body(Body::empty()).unwrap()).await;
        let seen = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(seen, format!("{expected:?}"));
    }
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
