//! Client and server over real sockets.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get as on_get;
use futures_util::stream;
use http::{HeaderMap, HeaderName};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::SpanKind;
use otel_testing::{SpanDataExt, TestTelemetry, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{ServiceBuilder, ServiceExt};

use crate::support::{BOUND, SERVER_DURATION, client_layer, get, is_in_flight, serve, server_layer};

fn app(telemetry: &TestTelemetry) -> Router {
    let endless = || async {
        Body::from_stream(stream::repeat_with(|| {
            Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; 65_536]))
        }))
    };
    Router::new()
        .route("/users/{id}", on_get(|| async { "Ada" }))
        .route("/endless", on_get(endless))
        .route("/slow", on_get(std::future::pending::<()>))
        .layer(server_layer(telemetry).build())
}

#[tokio::test]
async fn the_client_span_is_the_server_span_s_parent_in_both_versions() {
    for http2 in [false, true] {
        let telemetry = TestTelemetry::new();
        let address = serve(app(&telemetry)).await;
        let inner = Client::builder(TokioExecutor::new()).http2_only(http2).build_http::<Empty<Bytes>>();
        let client = ServiceBuilder::new().layer(client_layer(&telemetry).build()).service(inner);
        let request = get(&format!("http://{address}/users/42")).map(|_| Empty::new());
        let response = client.oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "Ada");

        eventually(BOUND, || telemetry.spans().len() == 2).await;
        let server = telemetry.span("GET /users/{id}");
        let client = telemetry.spans().into_iter().find(|span| span.span_kind == SpanKind::Client).unwrap();
        assert_eq!(server.parent_span_id, client.span_context.span_id(), "{}", telemetry.tree());
        assert_eq!(server.span_context.trace_id(), client.span_context.trace_id());
        let version = if http2 { "2" } else { "1.1" };
        for span in [&server, &client] {
            assert!(span.has("network.protocol.version", version), "{}", telemetry.tree());
        }
        assert!(server.has("network.peer.address", "127.0.0.1"));
    }
}

#[tokio::test]
async fn an_empty_body_is_known_to_be_empty_before_it_is_read() {
    let telemetry = TestTelemetry::new();
    for (path, length) in [("/users/42", 3), ("/nowhere", 0)] {
        let response = app(&telemetry).oneshot(get(path)).await.unwrap();
        assert_eq!(response.body().is_end_stream(), length == 0, "{path}");
        assert_eq!(response.body().size_hint().exact(), Some(length), "{path}");
    }
}

/// As when files are served: the server takes no more than the length that the headers say, and does not ask for an end.
#[tokio::test]
async fn a_stream_of_an_announced_length_has_passed_when_its_length_has() {
    let telemetry = TestTelemetry::new();
    let file = || async {
        let pieces = stream::iter(["Ada ", "Byron"].map(Ok::<_, std::convert::Infallible>));
        ([("content-length", "9")], Body::from_stream(pieces))
    };
    let layer = server_layer(&telemetry).with_body_sizes(true).build();
    let address = serve(Router::new().route("/file", on_get(file)).layer(layer)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(format!("http://{address}/file").parse().unwrap()).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "Ada Byron");
    eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
    assert_eq!(telemetry.histogram_count("http.server.response.body.size"), 1);
    assert!(telemetry.span("GET /file").attribute("otel_http.ended_early").is_none(), "{}", telemetry.tree());
}

/// Nothing comes after trailers, and servers drop the body with them.
#[tokio::test]
async fn a_body_that_ends_with_trailers_has_passed_with_them() {
    for http2 in [false, true] {
        let telemetry = TestTelemetry::new();
        let checked = || async {
            let trailers =
                HeaderMap::from_iter([(HeaderName::from_static("checksum"), "7".parse().unwrap())]);
            let frames = [Frame::data(Bytes::from("Ada")), Frame::trailers(trailers)];
            let body = StreamBody::new(stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
            ([("trailer", "checksum")], Body::new(body))
        };
        let app = Router::new().route("/checked", on_get(checked)).layer(server_layer(&telemetry).build());
        let address = serve(app).await;
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http::<Empty<Bytes>>();
        let request = http::Request::get(format!("http://{address}/checked")).header("te", "trailers");
        let response = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["checksum"], "7");
        eventually(BOUND, || telemetry.histogram_count(SERVER_DURATION) == 1).await;
        let span = telemetry.span("GET /checked");
        assert!(span.attribute("otel_http.ended_early").is_none(), "HTTP/2: {http2} {}", telemetry.tree());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_midway_leaves_nothing_in_flight() {
    for path in ["/endless", "/slow"] {
        let telemetry = TestTelemetry::new();
        let address = serve(app(&telemetry)).await;
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        eventually(BOUND, || is_in_flight(&telemetry, 1.0)).await;
        if path == "/endless" {
            socket.read_exact(&mut [0; 1000]).await.unwrap();
        }
        drop(socket);
        eventually(BOUND, || is_in_flight(&telemetry, 0.0) && telemetry.open_spans().is_empty()).await;
        assert_eq!((telemetry.spans().len(), telemetry.histogram_count(SERVER_DURATION)), (1, 1));
        let span = telemetry.span(&format!("GET {path}"));
        assert_eq!(span.attribute("http.response.status_code").is_some(), path == "/endless");
    }
}

#[tokio::test]
async fn pipelined_requests_have_traces_of_their_own() {
    let telemetry = TestTelemetry::new();
    let address = serve(app(&telemetry)).await;
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut requests = "GET /users/1 HTTP/1.1\r\nhost: x\r\n\r\n".repeat(9);
    requests.push_str("GET /users/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    socket.read_to_end(&mut answers).await.unwrap();
    eventually(BOUND, || telemetry.spans().len() == 10).await;
    let traces: std::collections::HashSet<_> =
        telemetry.spans().iter().map(|span| span.span_context.trace_id()).collect();
    assert_eq!(traces.len(), 10);
}

#[tokio::test]
async fn a_socket_s_other_end_is_a_trusted_proxy_or_a_stranger() {
    for (network, client) in [("127.0.0.0/8", "192.0.2.7"), ("10.0.0.0/8", "127.0.0.1")] {
        let telemetry = TestTelemetry::new();
        let proxies = otel_http::TrustedProxies::networks([network]).unwrap();
        let layer = server_layer(&telemetry).with_trusted_proxies(proxies).build();
        let address = serve(Router::new().route("/", on_get(|| async {})).layer(layer)).await;
        let client_of_proxy = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            client_of_proxy.get(format!("http://{address}/")).header("x-forwarded-for", "192.0.2.7");
        request.send().await.unwrap();
        eventually(BOUND, || telemetry.spans().len() == 1).await;
        let span = telemetry.span("GET /");
        assert!(span.has("client.address", client), "{network}: {}", telemetry.tree());
        assert!(span.has("network.peer.address", "127.0.0.1"), "{network}: {}", telemetry.tree());
    }
}
