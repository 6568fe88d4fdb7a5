//! Whose trace a call belongs to: propagation, public endpoints, old peers.

use std::sync::{Arc, Mutex};

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, Link, SpanKind, TraceContextExt, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use otel_core::propagation::{RemoteDecision, remote_decision};
use otel_grpc::GrpcTraceBinPropagator;
use otel_testing::{SpanDataExt, TestTelemetry, eventually};
use tonic::metadata::MetadataValue;

use crate::echo::{EchoClient, Kind, words};
use crate::support::{
    BOUND, channel, client_layer, client_of, connected, of_kind, serve, server_layer, settled, well,
};

#[tokio::test]
async fn old_peers_are_understood_and_served() {
    let telemetry = TestTelemetry::new();
    // A client that knows nothing but `grpc-trace-bin`.
    let client = client_layer(&telemetry).with_propagator(GrpcTraceBinPropagator::new());
    let server = server_layer(&telemetry).with_grpc_trace_bin(true).build();
    let mut client = client_of(client, serve(server).await);
    client.call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    let (server, client) = (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
    assert!(server.is_child_of(&client), "{}", telemetry.tree());

    // A server that knows nothing else.
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_propagator(GrpcTraceBinPropagator::new()).build();
    let client = client_layer(&telemetry).with_grpc_trace_bin(true);
    let mut client = client_of(client, serve(server).await);
    client.call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    let (server, client) = (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
    assert!(server.is_child_of(&client), "{}", telemetry.tree());
}

#[tokio::test]
async fn of_two_parents_the_newer_format_counts() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_grpc_trace_bin(true).build();
    let mut client = EchoClient::new(channel(serve(server).await));
    let mut request = well(Kind::Unary).request(words("one"));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    let old = [&[0, 0][..], &[7; 16], &[1], &[7; 8], &[2, 1]].concat();
    request.metadata_mut().insert_bin("grpc-trace-bin", MetadataValue::from_bytes(&old));
    client.unary(request).await.unwrap();
    eventually(BOUND, || telemetry.spans().len() == 1).await;
    let trace = telemetry.spans()[0].span_context.trace_id().to_string();
    assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn calls_that_continue_no_trace_are_counted() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (public, expected) in [(false, [1.0, 2.0, 0.0]), (true, [1.0, 2.0, 1.0])] {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry).with_remote_context_counter(true).with_public_endpoint(public);
        let mut client = EchoClient::new(channel(serve(server.build()).await));
        for (name, value) in
            [("x-other", "1"), ("traceparent", PARENT), ("traceparent", "00-0-0-01"), ("b3", "0-0-1")]
        {
            let mut request = well(Kind::Unary).request(words("one"));
            request.metadata_mut().insert(name, value.parse().unwrap());
            client.unary(request).await.unwrap();
        }
        let points = telemetry.points("otel_grpc.server.remote_contexts");
        let count = |word: &'static str| {
            let point = points.iter().find(|point| point.has("otel_grpc.remote_context", word));
            point.map_or(0.0, otel_testing::Point::total)
        };
        assert_eq!(["absent", "invalid", "restarted"].map(count), expected, "{points:?}");
    }
}

#[tokio::test]
async fn a_public_endpoint_starts_traces_of_its_own() {
    let telemetry = TestTelemetry::new();
    let both = || {
        TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ])
    };
    let server = server_layer(&telemetry)
        .with_public_endpoint(true)
        .with_propagator(both())
        .with_baggage_attributes(["tier"]);
    let client = client_layer(&telemetry).with_propagator(both()).with_baggage_attributes(["tier"]);
    let mut client = client_of(client, serve(server.build()).await);
    let baggage = Context::current().with_baggage([KeyValue::new("tier", "gold")]);
    client.call(&well(Kind::Unary)).with_context(baggage).await.unwrap();
    settled(&telemetry).await;
    let (server, client) = (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
    assert!(server.is_root() && server.span_context.trace_id() != client.span_context.trace_id());
    assert_eq!(server.links.links[0].span_context.span_id(), client.span_context.span_id());
    assert!(client.has("tier", "gold") && server.attribute("tier").is_none(), "{}", telemetry.tree());
}

/// A caller that says its parent in both formats is linked to once, and one of the old format alone decides as little.
#[tokio::test]
async fn the_old_format_is_believed_no_more_than_the_new_one() {
    for (is_public, says_both) in [(true, true), (true, false), (false, false)] {
        let decisions = Decisions::default();
        let sampler: Box<dyn ShouldSample> = Box::new(decisions.clone());
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let server = server_layer(&telemetry)
            .with_grpc_trace_bin(true)
            .with_public_endpoint(is_public)
            .with_sampled_flag_ignored(true);
        let mut client = EchoClient::new(channel(serve(server.build()).await));
        let mut request = well(Kind::Unary).request(words("one"));
        let metadata = request.metadata_mut();
        if says_both {
            let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            metadata.insert("traceparent", parent.parse().unwrap());
        }
        let old = [&[0, 0][..], &[7; 16], &[1], &[7; 8], &[2, 1]].concat();
        metadata.insert_bin("grpc-trace-bin", MetadataValue::from_bytes(&old));
        client.unary(request).await.unwrap();
        eventually(BOUND, || telemetry.spans().len() == 1).await;
        let span = of_kind(&telemetry, &SpanKind::Server);
        let links: Vec<_> = span.links.iter().map(|link| link.span_context.span_id().to_string()).collect();
        let said = if says_both { "b7ad6b7169203331" } else { "0707070707070707" };
        assert_eq!(links, if is_public { vec![said] } else { Vec::new() }, "{says_both}");
        assert_eq!(span.is_root(), is_public);
        let expected = if is_public { Vec::new() } else { vec![RemoteDecision::Deferred] };
        assert_eq!(*decisions.0.lock().unwrap(), expected, "{is_public} {says_both}");
    }
}

/// A layer is for one channel, and so for one destination.
#[tokio::test]
async fn what_goes_out_is_what_the_channel_s_propagator_writes() {
    let trace_context =
        || Box::new(TraceContextPropagator::new()) as Box<dyn TextMapPropagator + Send + Sync>;
    let baggage = || Box::new(BaggagePropagator::new()) as Box<dyn TextMapPropagator + Send + Sync>;
    for (written, is_child, has_baggage) in [
        (vec![trace_context(), baggage()], true, true),
        (vec![trace_context()], true, false),
        (vec![baggage()], false, true),
        (vec![], false, false),
    ] {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry)
            .with_propagator(TextMapCompositePropagator::new(vec![trace_context(), baggage()]))
            .with_baggage_attributes(["tier"]);
        let client = client_layer(&telemetry).with_propagator(TextMapCompositePropagator::new(written));
        let mut client = client_of(client, serve(server.build()).await);
        let context = Context::current().with_baggage([KeyValue::new("tier", "gold")]);
        client.call(&well(Kind::Unary)).with_context(context).await.unwrap();
        settled(&telemetry).await;
        let (server, client) =
            (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
        assert_eq!((server.is_child_of(&client), server.has("tier", "gold")), (is_child, has_baggage));
    }
}

/// Says what came in, as a sampler sees it.
#[derive(Clone, Debug, Default)]
struct Decisions(Arc<Mutex<Vec<RemoteDecision>>>);

impl ShouldSample for Decisions {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        kind: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        if *kind == SpanKind::Server {
            self.0.lock().unwrap().extend(parent.and_then(remote_decision));
        }
        let trace_state = TraceState::default();
        SamplingResult { decision: SamplingDecision::RecordAndSample, attributes: Vec::new(), trace_state }
    }
}

#[tokio::test]
async fn a_caller_may_be_a_parent_without_deciding_what_is_recorded() {
    for (ignored, expected) in [(false, RemoteDecision::Sampled), (true, RemoteDecision::Deferred)] {
        let decisions = Decisions::default();
        let sampler: Box<dyn ShouldSample> = Box::new(decisions.clone());
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let server = server_layer(&telemetry).with_sampled_flag_ignored(ignored);
        let mut client = client_of(client_layer(&telemetry), serve(server.build()).await);
        client.call(&well(Kind::Unary)).await.unwrap();
        settled(&telemetry).await;
        let server = of_kind(&telemetry, &SpanKind::Server);
        assert!(server.is_child_of(&of_kind(&telemetry, &SpanKind::Client)), "{}", telemetry.tree());
        assert_eq!(*decisions.0.lock().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn calls_nest_under_the_application_s_span_and_its_spans_under_the_server_s() {
    let telemetry = TestTelemetry::new();
    let _logs = tracing::subscriber::set_default(telemetry.subscriber());
    // While there is one subscriber alone, `tracing` asks that of the thread which comes to a place first, and remembers its
    // answer for all: other tests, without a subscriber, would switch the handler's log off.
    let _another = tracing::Dispatch::new(telemetry.subscriber());
    let mut client = connected(&telemetry).await;
    let tracer = telemetry.tracer_provider().tracer("app");
    let context = Context::current_with_span(tracer.start("app"));
    client.call(&well(Kind::Unary)).with_context(context.clone()).await.unwrap();
    context.span().end();
    eventually(BOUND, || telemetry.spans_named("test.v1.Echo/Unary").len() == 2).await;
    let client = of_kind(&telemetry, &SpanKind::Client);
    assert!(client.is_child_of(&telemetry.span("app")), "{}", telemetry.tree());
    let server = of_kind(&telemetry, &SpanKind::Server);
    let log = telemetry.logs().into_iter().find(|log| log.message() == "in the handler").unwrap();
    assert_eq!(log.span_id, Some(server.span_context.span_id()));
}
