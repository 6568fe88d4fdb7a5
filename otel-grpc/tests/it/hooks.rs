//! What functions of the user's may say.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::Sampler;
use otel_grpc::{GrpcServerLayer, RequestAttributes};
use otel_http::HttpServerLayer;
use otel_testing::{SpanDataExt, TestTelemetry, eventually};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tower::{Layer, ServiceExt};

use crate::echo::{Asked, EchoClient, EchoServer, End, Kind, words};
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

/// Calls a service that is given what handlers are given.
async fn handled<F, B>(
    layer: GrpcServerLayer,
    handler: impl Fn(RequestAttributes) -> F,
) -> http::Response<otel_grpc::GrpcResponseBody<B, otel_grpc::ServerSide>>
where
    F: Future<Output = http::Response<B>>,
    B: http_body::Body<Data = Bytes, Error = Infallible>,
{
    let service = tower::service_fn(|request: http::Request<()>| {
        let response = handler(request.extensions().get::<RequestAttributes>().unwrap().clone());
        async { Ok::<_, Infallible>(response.await) }
    });
    let request = http::Request::post("/test.v1.Echo/Bidi").header("content-type", "application/grpc");
    layer.layer(service).oneshot(request.body(()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_handler_adds_attributes_until_its_stream_has_ended() {
    for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let layer = server_layer(&telemetry)
            .with_request_attributes(true)
            .with_attributes(|_, attributes| attributes.both("app.tenant", "hook"));
        let handler = |attributes: RequestAttributes| async move {
            attributes.span("app.results", 11);
            for key in ["app.tenant", "rpc.method", "rpc.system.name", "rpc.status_code", "error.type"] {
                attributes.both(key, "handler");
            }
            let later = stream::once(async move {
                attributes.span("app.results", 12);
                attributes.both("app.cached", true);
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\0")))
            });
            http::Response::new(StreamBody::new(Box::pin(later)))
        };
        handled(layer.build(), handler).await.into_body().collect().await.unwrap();
        for span in telemetry.spans() {
            assert!(span.has("app.results", 12) && span.has("app.cached", true), "{}", telemetry.tree());
            assert!(span.has("app.tenant", "hook") && span.has("error.type", "UNKNOWN"));
            let mut keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
            keys.sort_unstable();
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{}", telemetry.tree());
        }
        let point = &telemetry.points(SERVER_DURATION)[0];
        assert!(point.has("app.cached", true) && point.has("app.tenant", "hook"), "{point:?}");
        assert!(point.has("rpc.method", Kind::Bidi.method()) && point.has("error.type", "UNKNOWN"));
        assert!(point.attribute("app.results").is_none(), "{point:?}");
    }
}

/// The call ends first. What was added is on the request around it, too.
#[tokio::test]
async fn what_a_handler_adds_is_on_both_of_two_spans() {
    let telemetry = TestTelemetry::new();
    let http = HttpServerLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_request_attributes(true)
        .build();
    let service = tower::service_fn(|request: http::Request<()>| async move {
        request.extensions().get::<RequestAttributes>().unwrap().both("app.tenant", "handler");
        Ok::<_, Infallible>(http::Response::new(http_body_util::Empty::<Bytes>::new()))
    });
    let service = (http, server_layer(&telemetry).with_request_attributes(true).build()).layer(service);
    let request = http::Request::post("/test.v1.Echo/Bidi").header("content-type", "application/grpc");
    service.oneshot(request.body(()).unwrap()).await.unwrap().into_body().collect().await.unwrap();
    let spans = telemetry.spans();
    assert_eq!(spans.len(), 2, "{}", telemetry.tree());
    assert!(spans.iter().all(|span| span.has("app.tenant", "handler")), "{}", telemetry.tree());
}

#[tokio::test]
async fn what_a_handler_has_added_stays_however_the_call_ends() {
    type Nothing = http_body_util::Empty<Bytes>;
    fn panics() -> http::Response<Nothing> {
        panic!("a test panics here")
    }
    let telemetry = TestTelemetry::new();
    let layer = || server_layer(&telemetry).with_request_attributes(true).build();
    let added = |attributes: &RequestAttributes| attributes.both("app.step", "asked");
    let mut hanging = Box::pin(handled(layer(), |attributes| async move {
        added(&attributes);
        std::future::pending::<http::Response<Nothing>>().await
    }));
    assert!(futures_util::poll!(&mut hanging).is_pending());
    drop(hanging);
    let panicking = handled(layer(), |attributes| async move {
        added(&attributes);
        panics()
    });
    let panicking = std::panic::AssertUnwindSafe(panicking);
    assert!(futures_util::FutureExt::catch_unwind(panicking).await.is_err());
    let spans = telemetry.spans();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.has("app.step", "asked")), "{}", telemetry.tree());
    assert!(spans[1].has("error.type", "panic"), "{}", telemetry.tree());
    assert!(telemetry.points(SERVER_DURATION).iter().all(|point| point.has("app.step", "asked")));
}

#[tokio::test]
async fn handlers_of_tonic_find_their_attributes_whether_or_not_the_call_is_observed() {
    for is_wanted in [true, false] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_request_attributes(true).with_filter(move |_| is_wanted);
        let service = InterceptedService::new(EchoServer, |request: tonic::Request<()>| {
            let given = request.extensions().get::<RequestAttributes>();
            given.ok_or_else(|| tonic::Status::internal("none"))?.both("app.seen", true);
            Ok(request)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder().layer(layer.build()).add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        EchoClient::new(channel(address)).call(&well(Kind::Unary)).await.unwrap();
        if is_wanted {
            eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
            assert!(of_kind(&telemetry, &SpanKind::Server).has("app.seen", true), "{}", telemetry.tree());
            assert!(telemetry.points(SERVER_DURATION)[0].has("app.seen", true));
        }
    }
}
