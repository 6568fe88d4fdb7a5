//! What a layer is told: filter, names, attributes, metadata, deadlines, events.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use opentelemetry::Context;
use opentelemetry::logs::Severity;
use opentelemetry::trace::{FutureExt, Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use otel_core::Install;
use otel_grpc::not_health_or_reflection;
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry, eventually, log};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt};

use crate::echo::{Asked, EchoClient, End, Kind, words};
use crate::support::{
    BOUND, NOBODY, SERVER_DURATION, channel, client_layer, client_of, connected, of_kind, serve,
    server_layer, settled, well,
};

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

/// What must be nowhere, and in which metadata it is sent.
const SECRETS: [(&str, &str); 5] = [
    ("authorization", "Bearer s3cr3t-bearer"),
    ("x-api-key", "s3cr3t-key"),
    ("cookie", "s3cr3t-cookie"),
    ("x-own", "s3cr3t-own"),
    ("x-upload-url", "https://me:s3cr3t-password@a.example/b?v=1&X-Amz-Signature=s3cr3t-signature"),
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
        .with_captured_request_headers(["x-tenant", "x-id-bin", "authorization", "x-upload-url"])
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
        let url = "https://REDACTED:REDACTED@a.example/b?v=1&X-Amz-Signature=REDACTED";
        assert_eq!(text("rpc.request.header.x-upload-url"), format!("[\"{url}\"]"));
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
    let nobody = NOBODY.parse().unwrap();
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
    asked.timeout = Some(std::time::Duration::from_millis(60_500));
    client.call(&asked).await.unwrap();
    settled(&telemetry).await;
    for kind in [SpanKind::Server, SpanKind::Client] {
        assert!(of_kind(&telemetry, &kind).has("grpc.timeout", 60.5), "{}", telemetry.tree());
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
