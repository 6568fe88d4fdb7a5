//! Where a layer may stand: inside of axum, around plain HTTP, twice, before the SDK, under suppression; and what it knows
//! of addresses there.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{FutureExt, SpanId, SpanKind, TraceContextExt};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use otel_core::AlreadyObserved;
use otel_core::propagation::{B3Propagator, RemoteDecision, remote_decision};
use otel_grpc::GrpcServerLayer;
use otel_http::HttpServerLayer;
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, eventually};
use tokio::net::TcpListener;
use tonic::Code;
use tonic::service::Routes;
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::echo::{Asked, EchoClient, EchoServer, End, Kind, words};
use crate::support::{
    BOUND, CLIENT_DURATION, SERVER_DURATION, channel, client_layer, client_of, connected, endpoint, of_kind,
    serve, server_layer, settled,
};

fn well(kind: Kind) -> Asked {
    Asked::new(kind, Code::Ok, End::Trailers)
}

#[tokio::test]
async fn a_tonic_router_inside_of_axum_beside_plain_routes() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).for_axum().with_message_counts(true).build();
    let app =
        Routes::new(EchoServer).into_axum_router().route("/healthz", get(|| async { "fine" })).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::into_make_service_with_connect_info::<SocketAddr>(app);
    tokio::spawn(axum::serve(listener, service).into_future());

    let plain = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(plain);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{address}/healthz"));
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    assert_eq!(telemetry.started_spans(), 0, "plain HTTP is for otel-http");

    let mut client = client_of(client_layer(&telemetry), address);
    assert_eq!(client.call(&well(Kind::Bidi)).await.unwrap(), ["one", "two"]);
    settled(&telemetry).await;
    let span = of_kind(&telemetry, &SpanKind::Server);
    assert!(span.has("network.peer.address", "127.0.0.1"), "{}", telemetry.tree());
    assert!(span.has("grpc.rcvd_messages", 2) && span.has("grpc.sent_messages", 2), "{}", telemetry.tree());
    telemetry.assert_clean();
}

#[tokio::test]
async fn addresses_of_both_ends() {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    client.call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    let (server, client) = (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
    let port = client.attribute("server.port").cloned().unwrap();
    assert!(client.has("server.address", "127.0.0.1") && server.has("server.address", "127.0.0.1"));
    assert_eq!(server.attribute("server.port"), Some(&port));
    assert!(
        server.has("network.peer.address", "127.0.0.1") && server.attribute("network.peer.port").is_some()
    );
    telemetry.assert_metric(SERVER_DURATION).is_histogram().has_unit("s").has_scope("otel-grpc");
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    for name in [SERVER_DURATION, CLIENT_DURATION] {
        let point = telemetry.points(name).remove(0);
        assert_eq!(point.histogram().unwrap().bounds, bounds);
    }
    assert!(telemetry.spans().iter().all(|span| {
        span.instrumentation_scope.schema_url() == Some("https://opentelemetry.io/schemas/1.45.0")
    }));
}

#[tokio::test]
async fn a_layer_for_axum_knows_the_peer_of_tonic_s_own_server_too() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).for_axum().build()).await;
    client_of(client_layer(&telemetry), address).call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    assert!(of_kind(&telemetry, &SpanKind::Server).has("network.peer.address", "127.0.0.1"));
}

#[tokio::test]
async fn without_a_target_the_request_s_origin_is_the_server() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let layer = client_layer(&telemetry)
        .with_peer_address(|extensions| extensions.get::<SocketAddr>().copied())
        .build();
    let told = tower::util::MapResponseLayer::new(move |mut response: http::Response<_>| {
        response.extensions_mut().insert(address);
        response
    });
    let service = ServiceBuilder::new().layer(layer).layer(told).service(channel(address));
    let origin = format!("http://{address}").parse().unwrap();
    EchoClient::with_origin(service, origin).call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    let client = of_kind(&telemetry, &SpanKind::Client);
    assert!(client.has("server.port", i64::from(address.port())), "{}", telemetry.tree());
    assert!(client.has("network.peer.port", i64::from(address.port())), "{}", telemetry.tree());
}

#[tokio::test]
async fn two_server_layers_give_one_span() {
    let telemetry = TestTelemetry::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layers = ServiceBuilder::new()
        .layer(server_layer(&telemetry).build())
        .layer(server_layer(&telemetry).build())
        .into_inner();
    let server = tonic::transport::Server::builder().layer(layers).add_service(EchoServer);
    tokio::spawn(server.serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)));
    client_of(client_layer(&telemetry), address).call(&well(Kind::ServerStream)).await.unwrap();
    settled(&telemetry).await;
}

#[tokio::test]
async fn two_client_layers_give_one_span() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let layer = client_layer(&telemetry).build();
    let channel = ServiceBuilder::new().layer(layer.clone()).layer(layer).service(channel(address));
    let origin = format!("http://{address}").parse().unwrap();
    EchoClient::with_origin(channel, origin).call(&well(Kind::ServerStream)).await.unwrap();
    settled(&telemetry).await;
}

#[tokio::test]
async fn of_a_layer_of_http_and_one_of_grpc_the_one_further_in_has_a_child_of_the_other_s_span() {
    for is_http_outside in [true, false] {
        let telemetry = TestTelemetry::new();
        let http = HttpServerLayer::builder()
            .with_tracer_provider(telemetry.tracer_provider())
            .with_meter_provider(telemetry.meter_provider())
            .with_propagator(TraceContextPropagator::new());
        let (http, grpc) = (http.build(), server_layer(&telemetry).build());
        let handler = tower::service_fn(|_: http::Request<Empty<Bytes>>| {
            std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
        });
        let request = http::Request::post("http://x/test.v1.Echo/Unary")
            .header("content-type", "application/grpc")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let request = request.body(Empty::new()).unwrap();
        match is_http_outside {
            true => drop(http.layer(grpc.layer(handler)).oneshot(request).await.unwrap()),
            false => drop(grpc.layer(http.layer(handler)).oneshot(request).await.unwrap()),
        }
        let (http, grpc) = (telemetry.span("POST"), telemetry.span("test.v1.Echo/Unary"));
        let (outer, inner) = if is_http_outside { (http, grpc) } else { (grpc, http) };
        assert_eq!(outer.parent_span_id.to_string(), "b7ad6b7169203331", "{}", telemetry.tree());
        assert!(inner.is_child_of(&outer), "{}", telemetry.tree());
        assert_eq!(telemetry.spans().len(), 2);
    }
}

/// Tells which span was current when it was dropped.
struct Witness(Arc<Mutex<Option<SpanId>>>);

impl Drop for Witness {
    fn drop(&mut self) {
        *self.0.lock().unwrap() =
            Some(Context::map_current(|context| context.span().span_context().span_id()));
    }
}

#[tokio::test]
async fn destructors_of_a_call_that_is_dropped_run_in_its_context() {
    let telemetry = TestTelemetry::new();
    let seen = Arc::new(Mutex::new(None));
    let witnessed = Arc::clone(&seen);
    let waits = tower::service_fn(move |_: http::Request<tonic::body::Body>| {
        let witness = Witness(Arc::clone(&witnessed));
        async move {
            let _held = witness;
            std::future::pending::<Result<http::Response<tonic::body::Body>, Infallible>>().await
        }
    });
    let request =
        http::Request::post("http://x/test.v1.Echo/Unary").header("content-type", "application/grpc");
    let request = request.body(tonic::body::Body::empty()).unwrap();
    let mut call = Box::pin(server_layer(&telemetry).build().layer(waits).oneshot(request));
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    let span = of_kind(&telemetry, &SpanKind::Server);
    assert_eq!(*seen.lock().unwrap(), Some(span.span_context.span_id()));
    telemetry.assert_clean();
}

#[tokio::test]
async fn a_call_is_marked_so_that_layers_for_plain_http_stay_silent() {
    let telemetry = TestTelemetry::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_below = Arc::clone(&seen);
    let below = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        seen_below.lock().unwrap().push(AlreadyObserved::is_marked(request.extensions()));
        std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
    });
    let layer = client_layer(&telemetry).build();
    let _ = EchoClient::new(ServiceBuilder::new().layer(layer).service(below)).call(&well(Kind::Unary)).await;
    assert_eq!(*seen.lock().unwrap(), [true]);
}

#[tokio::test]
async fn under_suppression_nothing_is_recorded() {
    let telemetry = TestTelemetry::new();
    let address =
        serve(GrpcServerLayer::builder().with_propagator(TraceContextPropagator::new()).build()).await;
    let mut client = client_of(client_layer(&telemetry), address);
    let suppressed = Context::current().with_telemetry_suppressed();
    client.call(&well(Kind::Unary)).with_context(suppressed).await.unwrap();
    assert_eq!(telemetry.started_spans(), 0);
    assert!(telemetry.metrics().is_empty());
    client.call(&well(Kind::Unary)).await.unwrap();
    eventually(BOUND, || telemetry.spans().len() == 1).await;
}

#[tokio::test]
async fn a_buffer_and_a_unix_socket_below_change_nothing() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let buffered = tower::buffer::Buffer::new(endpoint(address).connect_lazy(), 4);
    let layer = client_layer(&telemetry).with_target("unix:///run/echo.sock").build();
    let service = ServiceBuilder::new().layer(layer).service(buffered);
    EchoClient::new(service).call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    let client = of_kind(&telemetry, &SpanKind::Client);
    assert!(client.has("server.address", "/run/echo.sock") && client.attribute("server.port").is_none());
    assert!(of_kind(&telemetry, &SpanKind::Server).is_child_of(&client), "the context goes with the request");
}

/// What a handler finds in the context: a value that was there before the call, and the caller's baggage.
#[derive(Clone, Copy, Debug)]
struct Before;

fn found() -> (bool, Option<String>) {
    let context = Context::current();
    (context.get::<Before>().is_some(), context.baggage().get("tier").map(ToString::to_string))
}

#[tokio::test]
async fn with_metrics_alone_a_handler_has_what_its_caller_sent_and_what_was_there() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_tracer_provider(NoopTracerProvider::new())
        .with_propagator(BaggagePropagator::new())
        .build();
    for (call, sent) in [None, Some("tier=gold"), None, Some("tier=gold")].into_iter().enumerate() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (in_call, below) = (Arc::clone(&seen), Arc::clone(&seen));
        let service = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
            in_call.lock().unwrap().push(found());
            let below = Arc::clone(&below);
            async move {
                below.lock().unwrap().push(found());
                let trailers = http::HeaderMap::from_iter([(
                    http::HeaderName::from_static("grpc-status"),
                    http::HeaderValue::from_static("0"),
                )]);
                let last = futures_util::stream::once(async move {
                    below.lock().unwrap().push(found());
                    Ok::<_, Infallible>(Frame::<Bytes>::trailers(trailers))
                });
                Ok::<_, Infallible>(http::Response::new(StreamBody::new(Box::pin(last))))
            }
        });
        let mut request =
            http::Request::post("/test.v1.Echo/Unary").header("content-type", "application/grpc");
        if let Some(baggage) = sent {
            request = request.header("baggage", baggage);
        }
        let response = layer.layer(service).oneshot(request.body(Empty::new()).unwrap());
        let answered = async { response.await.unwrap().into_body().collect().await.unwrap() };
        answered.with_context(Context::current().with_value(Before)).await;
        let tier = sent.map(|_| "gold".to_owned());
        assert_eq!(*seen.lock().unwrap(), vec![(true, tier); 3], "{sent:?}");
        assert_eq!(telemetry.histogram_count(SERVER_DURATION), call as u64 + 1);
    }
    assert_eq!(telemetry.started_spans(), 0);
}

#[tokio::test]
async fn a_call_that_nobody_wants_hands_on_a_decision_that_came_without_ids() {
    for (sent, expected) in [("0", Some(RemoteDecision::NotSampled)), ("d", Some(RemoteDecision::Debug))] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_filter(|_| false).with_propagator(B3Propagator::single());
        let seen = Arc::new(Mutex::new(None));
        let below = Arc::clone(&seen);
        let service = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
            *below.lock().unwrap() = remote_decision(&Context::current());
            std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
        });
        let request = http::Request::post("http://x/test.v1.Echo/Unary")
            .header("content-type", "application/grpc")
            .header("b3", sent);
        let response = layer.build().layer(service).oneshot(request.body(Empty::new()).unwrap());
        drop(response.await.unwrap());
        assert_eq!(*seen.lock().unwrap(), expected);
        assert_eq!(telemetry.started_spans(), 0);
    }
}

/// Reads a value of its own, which handlers look for.
#[derive(Debug)]
struct Tenants;

impl TextMapPropagator for Tenants {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.with_value(Before)
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| ["x-tenant".to_owned()]);
        FieldIter::new(FIELDS.as_slice())
    }
}

#[tokio::test]
async fn what_a_propagator_of_one_s_own_reads_reaches_the_handler_of_every_call() {
    for (is_wanted, is_suppressed) in [(true, false), (false, false), (true, true)] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_filter(move |_| is_wanted).with_propagator(Tenants);
        let seen = Arc::new(Mutex::new(None));
        let below = Arc::clone(&seen);
        let service = tower::service_fn(move |_: http::Request<Empty<Bytes>>| {
            *below.lock().unwrap() = Some(found().0);
            std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
        });
        let request = http::Request::post("/test.v1.Echo/Unary").header("content-type", "application/grpc");
        let context = Context::new();
        let context = if is_suppressed { context.with_telemetry_suppressed() } else { context };
        let response = layer.build().layer(service).oneshot(request.body(Empty::new()).unwrap());
        drop(response.with_context(context).await.unwrap());
        assert_eq!(*seen.lock().unwrap(), Some(true), "{is_wanted} {is_suppressed}");
    }
}

/// A client and a server in one process, and the server hands the very request on.
#[tokio::test]
async fn a_request_that_is_served_and_sent_on_is_another_one_for_the_next_client() {
    let telemetry = TestTelemetry::new();
    let leaf = tower::service_fn(|_: http::Request<Empty<Bytes>>| {
        std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
    });
    let client = || client_layer(&telemetry).with_target("http://x").build();
    let relay = client().layer(leaf);
    let service =
        ServiceBuilder::new().layer(client()).layer(server_layer(&telemetry).build()).service(relay);
    let request =
        http::Request::post("http://x/test.v1.Echo/Unary").header("content-type", "application/grpc");
    drop(service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap());
    let kinds: Vec<_> = telemetry.spans().iter().map(|span| span.span_kind.clone()).collect();
    assert_eq!(kinds, [SpanKind::Client, SpanKind::Server, SpanKind::Client], "{}", telemetry.tree());
}

#[tokio::test]
async fn a_call_that_is_sent_on_to_a_server_of_the_same_process_is_served_there_too() {
    let telemetry = TestTelemetry::new();
    let leaf = tower::service_fn(|_: http::Request<Empty<Bytes>>| {
        std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
    });
    let server = || server_layer(&telemetry).build();
    let client = client_layer(&telemetry).with_target("http://x").build();
    let service = ServiceBuilder::new().layer(server()).layer(client).layer(server()).service(leaf);
    let request =
        http::Request::post("http://x/test.v1.Echo/Unary").header("content-type", "application/grpc");
    drop(service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap());
    let kinds: Vec<_> = telemetry.spans().iter().map(|span| span.span_kind.clone()).collect();
    assert_eq!(kinds, [SpanKind::Server, SpanKind::Client, SpanKind::Server], "{}", telemetry.tree());
}

/// The same where the server and the next client know the call as an HTTP request only.
#[tokio::test]
async fn a_call_that_an_http_server_sends_on_is_another_request_for_a_client_of_http() {
    for is_served_wanted in [true, false] {
        let telemetry = TestTelemetry::new();
        let leaf = tower::service_fn(|_: http::Request<Empty<Bytes>>| {
            std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
        });
        let server = HttpServerLayer::builder()
            .with_tracer_provider(telemetry.tracer_provider())
            .with_meter_provider(telemetry.meter_provider())
            .with_filter(move |_| is_served_wanted)
            .with_propagator(TraceContextPropagator::new());
        let client = otel_http::HttpClientLayer::builder()
            .with_tracer_provider(telemetry.tracer_provider())
            .with_meter_provider(telemetry.meter_provider())
            .with_propagator(TraceContextPropagator::new());
        let calls = client_layer(&telemetry).with_target("http://x").build();
        let service = calls.layer(server.build().layer(client.build().layer(leaf)));
        let request =
            http::Request::post("http://x/test.v1.Echo/Unary").header("content-type", "application/grpc");
        drop(service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap());
        let names: Vec<_> = telemetry
            .spans()
            .iter()
            .map(|span| format!("{:?} {}", span.span_kind, span.instrumentation_scope.name()))
            .collect();
        let expected = ["Client otel-http", "Server otel-http", "Client otel-grpc"];
        let expected: Vec<_> =
            expected.into_iter().filter(|name| is_served_wanted || !name.starts_with("Server")).collect();
        assert_eq!(telemetry.spans().len(), expected.len(), "{names:?}\n{}", telemetry.tree());
        assert!(expected.iter().all(|name| names.iter().any(|it| it == name)), "{names:?}");
    }
}

/// "The type and subtype tokens are case-insensitive."
#[tokio::test]
async fn of_both_layers_one_observes_a_call_however_its_type_is_written() {
    for content_type in ["application/grpc", "Application/gRPC+proto"] {
        let telemetry = TestTelemetry::new();
        let http = HttpServerLayer::builder()
            .with_tracer_provider(telemetry.tracer_provider())
            .with_meter_provider(telemetry.meter_provider())
            .with_filter(otel_http::not_grpc);
        let handler = tower::service_fn(|_: http::Request<Empty<Bytes>>| {
            std::future::ready(Ok::<_, Infallible>(tonic::Status::ok("").into_http::<tonic::body::Body>()))
        });
        let service = http.build().layer(server_layer(&telemetry).build().layer(handler));
        let request = http::Request::post("http://x/test.v1.Echo/Unary").header("content-type", content_type);
        drop(service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap());
        let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
        assert_eq!(names, ["test.v1.Echo/Unary"], "{content_type}");
    }
}

/// Outside of it, the status is a part of the body, where nobody looks for it.
#[tokio::test]
async fn inside_of_the_layer_for_grpc_web_a_call_has_its_status_and_messages() {
    for (code, name) in [(Code::Ok, "OK"), (Code::Internal, "INTERNAL")] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_message_counts(true).build();
        let service =
            ServiceBuilder::new().layer(tonic_web::GrpcWebLayer::new()).layer(layer).service(EchoServer);
        let message = prost::Message::encode_to_vec(&words("one"));
        let prefix = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat();
        let request = http::Request::post("http://x/test.v1.Echo/Unary")
            .header("content-type", "application/grpc-web+proto")
            .header("x-code", i32::from(code))
            .body(Full::new(Bytes::from([prefix, message].concat())));
        let response = service.oneshot(request.unwrap()).await.unwrap();
        let in_head = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let told = format!("{in_head:?} {}", String::from_utf8_lossy(&body));
        assert!(told.contains(&i32::from(code).to_string()), "{told}");
        let span = telemetry.span("test.v1.Echo/Unary");
        assert!(
            span.has("rpc.status_code", name) && span.has("grpc.rcvd_messages", 1),
            "{}",
            telemetry.tree()
        );
        telemetry.assert_clean();
    }
}
