//! What functions of the user's may say.

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::Sampler;
use otel_testing::{SpanDataExt, TestTelemetry, eventually};
use tonic::Code;

use crate::echo::{Asked, EchoClient, End, Kind, words};
use crate::support::{
    BOUND, SERVER_DURATION, channel, client_layer, client_of, of_kind, serve, server_layer, settled, well,
};

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
