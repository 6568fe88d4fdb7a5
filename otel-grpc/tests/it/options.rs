//! What a layer is told: filter, names, attributes, metadata, propagation, public endpoint.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::Severity;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, Link, Span, SpanKind, TraceContextExt, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use otel_core::Install;
use otel_core::propagation::{RemoteDecision, remote_decision};
use otel_grpc::{GrpcTraceBinPropagator, not_health_or_reflection};
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry, eventually, log};
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt};

use crate::echo::{Asked, EchoClient, End, Kind, words};
use crate::support::{
    BOUND, SERVER_DURATION, channel, client_layer, client_of, connected, of_kind, serve, server_layer,
    settled,
};

fn well(kind: Kind) -> Asked {
    Asked::new(kind, Code::Ok, End::Trailers)
}

#[tokio::test]
async fn a_filtered_call_leaves_nothing_and_hands_its_caller_on() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_filter(not_health_or_reflection).build();
    let mut client = EchoClient::new(channel(serve(layer).await));
    client.missing("/grpc.health.v1.Health/Check").await.unwrap_err();
    client.missing("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo").await.unwrap_err();
    client.call(&well(Kind::Unary)).await.unwrap();
    eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
    assert_eq!((telemetry.started_spans(), telemetry.spans()[0].name.as_ref()), (1, "test.v1.Echo/Unary"));
}

#[tokio::test]
async fn a_filtered_call_stays_below_the_span_of_another_layer_further_out() {
    let telemetry = TestTelemetry::new();
    let found = Arc::new(Mutex::new(None));
    let finds = Arc::clone(&found);
    let service = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
        let current = Context::map_current(|context| context.span().span_context().span_id());
        *finds.lock().unwrap() = Some(current);
        std::future::ready(Ok::<_, std::convert::Infallible>(Status::ok("").into_http::<tonic::body::Body>()))
    });
    let server = server_layer(&telemetry).with_filter(|_| false).with_grpc_trace_bin(true).build();
    // As `otel-http` does around a router.
    let span = telemetry.tracer_provider().tracer("http").start("POST");
    let expected = span.span_context().span_id();
    let request = http::Request::post("http://x/test.v1.Echo/Unary")
        .header("content-type", "application/grpc")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(tonic::body::Body::empty());
    let context = Context::current_with_span(span);
    server.layer(service).oneshot(request.unwrap()).with_context(context).await.unwrap();
    assert_eq!(*found.lock().unwrap(), Some(expected));
}

#[tokio::test]
async fn a_call_that_the_installer_excludes_leaves_nothing() {
    // The only test of this binary that says something for the process, of a service that the others do not have.
    Install::new().with_excluded_paths("grpc", ["/excluded.*/Check"]).announce();
    let telemetry = TestTelemetry::new();
    let mut client = EchoClient::new(channel(serve(server_layer(&telemetry).build()).await));
    client.missing("/excluded.v1.Health/Check").await.unwrap_err();
    client.missing("/excluded.v1.Health/Watch").await.unwrap_err();
    client.call(&well(Kind::Unary)).await.unwrap();
    eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 2).await;
    assert_eq!(telemetry.started_spans(), 2);
}

#[tokio::test]
async fn names_and_attributes_of_one_s_own() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry)
        .with_span_name(|call| (call.method() == "Unary").then_some(Cow::Borrowed("mine")))
        .with_attributes(|call, attributes| attributes.both("app.service", call.service().to_owned()))
        .with_response_attributes(|response, attributes| {
            attributes.span("app.code", i64::from(i32::from(response.code())));
            attributes.span("app.has_trailers", response.trailers().is_some());
        });
    let mut client = client_of(client_layer(&telemetry), serve(server.build()).await);
    client.call(&Asked::new(Kind::Unary, Code::NotFound, End::TrailersOnly)).await.unwrap_err();
    settled(&telemetry).await;
    let span = telemetry.span("mine");
    assert!(
        span.has("app.service", "test.v1.Echo")
            && span.has("app.code", 5)
            && span.has("app.has_trailers", true)
    );
    assert!(telemetry.points(SERVER_DURATION)[0].has("app.service", "test.v1.Echo"));
}

#[tokio::test]
async fn what_the_layer_says_is_said_once() {
    let telemetry = TestTelemetry::new();
    let propagator = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]);
    let server = server_layer(&telemetry)
        .with_propagator(propagator)
        .with_captured_request_headers(["x-code"])
        .with_baggage_attributes(["rpc.method", "app.tenant"])
        .with_attributes(|_, attributes| {
            for key in ["rpc.method", "server.address", "rpc.request.header.x-code", "app.tenant"] {
                attributes.both(key, "mine");
            }
        })
        .with_response_attributes(|_, attributes| {
            for key in ["error.type", "rpc.status_code", "app.tenant", "app.end"] {
                attributes.both(key, "late");
            }
        });
    let mut client = EchoClient::new(channel(serve(server.build()).await));
    let mut request = Asked::new(Kind::Unary, Code::Internal, End::TrailersOnly).request(words("one"));
    request.metadata_mut().insert("baggage", "rpc.method=theirs,app.tenant=theirs".parse().unwrap());
    client.unary(request).await.unwrap_err();
    eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
    let span = of_kind(&telemetry, &SpanKind::Server);
    assert!(span.has("rpc.method", Kind::Unary.method()) && span.has("error.type", "INTERNAL"));
    assert!(span.has("app.tenant", "mine") && span.has("app.end", "late"));
    let point = &telemetry.points(SERVER_DURATION)[0];
    assert!(point.has("app.tenant", "mine") && point.has("error.type", "INTERNAL"), "{point:?}");
    assert!(point.has("rpc.method", Kind::Unary.method()), "{point:?}");
    let mut keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    let said = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(said, keys.len(), "{}", telemetry.tree());
}

#[tokio::test]
async fn at_the_start_a_hook_says_what_the_layer_does_not() {
    for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let server = server_layer(&telemetry).with_attributes(|_, attributes| {
            attributes.span("rpc.request.header.x-code", "mine");
            // On a server's metric it is opt-in: <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/>
            for key in ["server.address", "rpc.method", "rpc.system.name"] {
                attributes.both(key, "mine");
            }
            for key in ["rpc.status_code", "error.type", "network.peer.address"] {
                attributes.both(key, "too early");
            }
        });
        let mut client = EchoClient::new(channel(serve(server.build()).await));
        client.unary(Asked::new(Kind::Unary, Code::Ok, End::Trailers).request(words("one"))).await.unwrap();
        eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
        for span in telemetry.spans() {
            assert!(span.has("rpc.request.header.x-code", "mine"), "{}", telemetry.tree());
            assert!(span.has("server.address", "127.0.0.1") && span.has("rpc.status_code", "OK"));
            assert!(span.has("network.peer.address", "127.0.0.1") && span.attribute("error.type").is_none());
        }
        let point = &telemetry.points(SERVER_DURATION)[0];
        assert!(point.has("server.address", "mine") && point.has("rpc.method", Kind::Unary.method()));
        assert!(point.has("rpc.system.name", "grpc") && point.has("rpc.status_code", "OK"), "{point:?}");
        assert_eq!(point.attributes.len(), 4, "{point:?}");
    }
}

#[tokio::test]
async fn neither_a_caller_nor_a_hook_alone_says_what_the_layer_says() {
    let by_caller = |telemetry: &TestTelemetry| {
        let layer = server_layer(telemetry).with_propagator(BaggagePropagator::new());
        layer.with_baggage_attributes(["rpc.method", "app.own"])
    };
    let by_hook = |telemetry: &TestTelemetry| {
        server_layer(telemetry).with_response_attributes(|_, attributes| {
            attributes.both("rpc.method", "theirs");
            attributes.both("app.own", "theirs");
        })
    };
    for layer in [&by_caller as &dyn Fn(&TestTelemetry) -> _, &by_hook] {
        let telemetry = TestTelemetry::new();
        let mut client = EchoClient::new(channel(serve(layer(&telemetry).build()).await));
        let mut request = Asked::new(Kind::Unary, Code::Ok, End::Trailers).request(words("one"));
        request.metadata_mut().insert("baggage", "rpc.method=theirs,app.own=theirs".parse().unwrap());
        client.unary(request).await.unwrap();
        eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
        let span = of_kind(&telemetry, &SpanKind::Server);
        let methods = span.attributes.iter().filter(|attribute| attribute.key.as_str() == "rpc.method");
        assert_eq!(methods.count(), 1, "{}", telemetry.tree());
        assert!(span.has("rpc.method", Kind::Unary.method()), "{}", telemetry.tree());
        assert!(span.has("app.own", "theirs"), "{}", telemetry.tree());
    }
}

#[tokio::test]
async fn hooks_that_panic_break_nothing() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry)
        .with_filter(|_| panic!("a test panics here"))
        .with_span_name(|_| panic!("a test panics here"))
        .with_peer_address(|_| panic!("a test panics here"))
        .with_attributes(|_, _| panic!("a test panics here"))
        .with_response_attributes(|_, _| panic!("a test panics here"));
    let mut client = client_of(client_layer(&telemetry), serve(server.build()).await);
    client.call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    assert_eq!(of_kind(&telemetry, &SpanKind::Server).name, "test.v1.Echo/Unary");
}

/// What must be nowhere, and in which metadata it is sent.
const SECRETS: [(&str, &str); 4] = [
    ("authorization", "Bearer s3cr3t-bearer"),
    ("x-api-key", "s3cr3t-key"),
    ("cookie", "s3cr3t-cookie"),
    ("x-own", "s3cr3t-own"),
];

#[tokio::test]
async fn metadata_that_was_asked_for_and_no_secret() {
    let telemetry = TestTelemetry::new();
    let everything = ["*"];
    let server = server_layer(&telemetry)
        .with_captured_request_headers(everything)
        .with_captured_response_headers(everything)
        .with_captured_response_trailers(everything)
        .with_sensitive_headers(["x-own", "x-header", "x-trailer"]);
    let client = client_layer(&telemetry)
        .with_captured_request_headers(["x-tenant", "x-id-bin", "authorization"])
        .with_captured_response_headers(["x-header", "x-session-id"])
        .with_captured_response_trailers(["x-trailer", "set-cookie"]);
    let mut client = client_of(client, serve(server.build()).await);
    let mut request = Asked::new(Kind::ServerStream, Code::DataLoss, End::Trailers).request(words("one"));
    for (key, value) in SECRETS {
        request.metadata_mut().insert(key, value.parse().unwrap());
    }
    let metadata = request.metadata_mut();
    metadata.insert("x-tenant", "a".parse().unwrap());
    metadata.append("x-tenant", "b".parse().unwrap());
    metadata.insert_bin("x-id-bin", MetadataValue::from_bytes(&[0, 1, 2]));
    metadata.insert_bin("x-token-bin", MetadataValue::from_bytes(b"s3cr3t-binary"));
    let mut answers = client.server_stream(request).await.unwrap().into_inner();
    while answers.message().await.is_ok_and(|message| message.is_some()) {}
    settled(&telemetry).await;

    for kind in [SpanKind::Server, SpanKind::Client] {
        let span = of_kind(&telemetry, &kind);
        let text = |key: &str| span.attribute(key).map(|value| value.to_string()).unwrap_or_default();
        assert_eq!(text("rpc.request.header.x-tenant"), "[\"a\",\"b\"]", "{}", telemetry.tree());
        assert_eq!(text("rpc.request.header.x-id-bin"), "[\"AAEC\"]");
        assert_eq!(text("rpc.request.header.authorization"), "[\"REDACTED\"]");
        let shown = |value: &str| match kind {
            SpanKind::Server => "[\"REDACTED\"]".to_owned(),
            _ => format!("[\"{value}\"]"),
        };
        assert_eq!(text("rpc.response.header.x-header"), shown("h"));
        assert_eq!(text("rpc.response.header.x-session-id"), "[\"REDACTED\"]");
        assert_eq!(text("rpc.response.trailer.x-trailer"), shown("t"));
        assert_eq!(text("rpc.response.trailer.set-cookie"), "[\"REDACTED\"]");
    }
    let binary = base64::engine::general_purpose::STANDARD_NO_PAD.encode("s3cr3t-binary");
    telemetry.assert_no_secrets(["s3cr3t", &binary]);
    telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
}

#[tokio::test]
async fn errors_and_panics_are_events_and_statuses_are_not() {
    let telemetry = TestTelemetry::new();
    let logs = telemetry.logger_provider();
    let address = serve(server_layer(&telemetry).with_exception_events(&logs).build()).await;
    let mut client = client_of(client_layer(&telemetry).with_exception_events(&logs), address);
    for code in [Code::NotFound, Code::Internal] {
        for end in [End::Trailers, End::TrailersOnly] {
            client.call(&Asked::new(Kind::Unary, code, end)).await.unwrap_err();
        }
    }
    eventually(BOUND, || telemetry.spans().len() == 8).await;
    assert!(telemetry.logs().is_empty(), "{:?}", telemetry.logs());

    let panics = Asked::new(Kind::ServerStream, Code::Ok, End::PanicInStream);
    client.call(&panics).await.unwrap_err();
    eventually(BOUND, || telemetry.spans().len() == 10).await;
    let event = |side: &str| log("").event_name(format!("rpc.{side}.call.exception"));
    let on_server = event("server").has("exception.type", "panic").severity(Severity::Error);
    telemetry.assert_logs(1, on_server.in_span("test.v1.Echo/ServerStream"));

    telemetry.clear();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut client = client_of(client_layer(&telemetry).with_exception_events(&logs), nobody);
    client.call(&well(Kind::Unary)).await.unwrap_err();
    let on_client = event("client").has("exception.type", "UNAVAILABLE").severity(Severity::Warn);
    telemetry.assert_logs(1, on_client.in_span("test.v1.Echo/Unary"));
    assert!(of_kind(&telemetry, &SpanKind::Client).has("error.type", "UNAVAILABLE"));

    // What a server's client breaks off is no failure of the server.
    telemetry.clear();
    let gone = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        Err::<http::Response<tonic::body::Body>, _>(Status::cancelled("hunter2"))
    });
    let layer = server_layer(&telemetry).with_exception_events(&logs).build();
    let request = || {
        let request = http::Request::post("/test.v1.Echo/Unary").header("content-type", "application/grpc");
        request.body(tonic::body::Body::empty()).unwrap()
    };
    layer.layer(gone).oneshot(request()).await.unwrap_err();
    assert!(telemetry.logs().is_empty());
    let fails = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        Err::<http::Response<tonic::body::Body>, _>(std::io::Error::other("hunter2"))
    });
    layer.layer(fails).oneshot(request()).await.unwrap_err();
    telemetry.assert_logs(1, event("server").has("exception.type", "UNKNOWN"));
    telemetry.assert_no_secrets(["hunter2"]);
    telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
}

/// "Trailers-Only is permitted for calls that produce an immediate error": what is in its one block are trailers.
#[tokio::test]
async fn of_a_response_that_has_only_trailers_nothing_is_a_header() {
    let telemetry = TestTelemetry::new();
    let names = ["x-trailer"];
    let server = server_layer(&telemetry).with_captured_response_headers(names);
    let server = server.with_captured_response_trailers(names).build();
    let peer: SocketAddr = "192.0.2.7:1".parse().unwrap();
    let client = client_layer(&telemetry)
        .with_captured_response_headers(names)
        .with_captured_response_trailers(names)
        .with_peer_address(move |_| Some(peer));
    let asked = Asked::new(Kind::Unary, Code::NotFound, End::TrailersOnly);
    client_of(client, serve(server).await).call(&asked).await.unwrap_err();
    settled(&telemetry).await;
    for kind in [SpanKind::Server, SpanKind::Client] {
        let span = of_kind(&telemetry, &kind);
        let text = |key: &str| span.attribute(key).map(|value| value.to_string());
        assert_eq!(text("rpc.response.trailer.x-trailer").as_deref(), Some("[\"t\"]"));
        assert_eq!(text("rpc.response.header.x-trailer"), None, "{}", telemetry.tree());
    }
    let client = of_kind(&telemetry, &SpanKind::Client);
    assert!(client.has("network.peer.address", "192.0.2.7"), "the head is still looked at");
}

#[tokio::test]
async fn nothing_of_metadata_by_default() {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    let mut request = Asked::new(Kind::Unary, Code::DataLoss, End::Trailers).request(words("s3cr3t-message"));
    for (key, value) in SECRETS {
        request.metadata_mut().insert(key, value.parse().unwrap());
    }
    client.unary(request).await.unwrap_err();
    settled(&telemetry).await;
    telemetry.assert_no_secrets(["s3cr3t", "as asked"]);
    let keys: Vec<_> = telemetry.spans().iter().flat_map(|span| span.attributes.clone()).collect();
    assert!(keys.iter().all(|attribute| !attribute.key.as_str().contains("header")), "{keys:?}");
}

#[tokio::test]
async fn the_deadline_is_recorded_when_asked_for() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_deadlines(true).build();
    let mut client = client_of(client_layer(&telemetry).with_deadlines(true), serve(server).await);
    let mut asked = well(Kind::Unary);
    asked.timeout = Some(std::time::Duration::from_millis(2_500));
    client.call(&asked).await.unwrap();
    settled(&telemetry).await;
    for kind in [SpanKind::Server, SpanKind::Client] {
        assert!(of_kind(&telemetry, &kind).has("grpc.timeout", 2.5), "{}", telemetry.tree());
    }
}

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

#[tokio::test]
async fn a_name_of_one_s_own_outlives_a_method_that_is_none() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_span_name(|_| Some(Cow::Borrowed("mine"))).build();
    let mut client = EchoClient::new(channel(serve(server).await));
    let asked = Asked::new(Kind::Unary, Code::Unimplemented, End::TrailersOnly);
    client.call(&asked).await.unwrap_err();
    eventually(BOUND, || telemetry.spans().len() == 1).await;
    assert_eq!(of_kind(&telemetry, &SpanKind::Server).name, "mine");
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

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

/// An encoded `google.rpc.Status` with a reason.
fn details_of(reason: &str) -> Vec<u8> {
    let info = Info { reason: reason.into(), domain: "shop.example".into() };
    let any =
        Any { type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(), value: info.encode_to_vec() };
    RpcStatus { code: 8, message: "s3cr3t-message".into(), details: vec![any] }.encode_to_vec()
}

#[tokio::test]
async fn rich_errors_name_the_class_of_the_error() {
    let details = details_of("OUT_OF_COFFEE");
    for asked in [false, true] {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry).with_rich_errors(asked).build();
        let details = details.clone();
        let service = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
            let status = Status::with_details(Code::ResourceExhausted, "none left", details.clone().into());
            std::future::ready(Ok::<_, std::convert::Infallible>(status.into_http::<tonic::body::Body>()))
        });
        let client = client_layer(&telemetry).with_rich_errors(asked).with_target("http://x").build();
        let service = tower::ServiceBuilder::new().layer(client).layer(server).service(service);
        EchoClient::new(service).call(&well(Kind::Unary)).await.unwrap_err();
        settled(&telemetry).await;
        let (server, client) =
            (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
        let class = if asked { "OUT_OF_COFFEE" } else { "RESOURCE_EXHAUSTED" };
        assert!(client.has("error.type", class), "{}", telemetry.tree());
        assert!(server.attribute("error.type").is_none(), "no fault of the server");
        for span in [&server, &client] {
            assert!(span.has("rpc.status_code", "RESOURCE_EXHAUSTED"));
            assert_eq!(span.has("grpc.error.reason", "OUT_OF_COFFEE"), asked);
            assert_eq!(span.has("grpc.error.domain", "shop.example"), asked);
            assert_eq!(span.attribute("grpc.error.details").is_some(), asked);
        }
        telemetry.assert_no_secrets(["s3cr3t"]);
        telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
    }
}

#[tokio::test]
async fn reasons_of_what_is_no_error_take_no_room_from_those_that_are() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_rich_errors(true).build();
    let answer = |code: Code, reason: String| {
        let service = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
            let status = Status::with_details(code, "", details_of(&reason).into());
            std::future::ready(Ok::<_, std::convert::Infallible>(status.into_http::<tonic::body::Body>()))
        });
        let request = http::Request::post("/test.v1.Echo/Unary").header("content-type", "application/grpc");
        let request = request.body(tonic::body::Body::empty()).unwrap();
        layer.layer(service).oneshot(request)
    };
    for number in 0..300 {
        drop(answer(Code::NotFound, format!("NO_USER_{number}")).await);
    }
    drop(answer(Code::Internal, "DISK_FULL".into()).await);
    let failed = telemetry.spans().into_iter().find(|span| span.has("rpc.status_code", "INTERNAL")).unwrap();
    assert!(failed.has("error.type", "DISK_FULL"), "{failed:?}");
}
