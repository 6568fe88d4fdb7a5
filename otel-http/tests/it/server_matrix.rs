//! Every way out of a request on the server, over real sockets, with both versions of HTTP: one span, one duration, nothing
//! in flight.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use opentelemetry::trace::Status;
use otel_testing::{SpanDataExt, TestTelemetry, eventually};
use tokio::net::{TcpListener, TcpStream};
use tower::{BoxError, ServiceBuilder, service_fn};
use tower_http::timeout::TimeoutLayer;

use crate::support::{BOUND, SERVER_DURATION, assert_served_once, is_in_flight, server_layer};

/// How a request goes, by its path; what is recorded of it.
struct Case {
    path: &'static str,
    status: Option<i64>,
    error_type: Option<&'static str>,
    client: Client,
}

/// What the client does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    /// Reads all there is, or until the connection breaks.
    Reads,
    /// Goes away before there is an answer.
    LeavesBeforeTheHead,
    /// Goes away after so many frames of the body.
    LeavesAfter(usize),
}

const CASES: [Case; 16] = [
    Case { path: "/ok", status: Some(200), error_type: None, client: Client::Reads },
    Case { path: "/stream", status: Some(200), error_type: None, client: Client::Reads },
    Case { path: "/file", status: Some(200), error_type: None, client: Client::Reads },
    Case { path: "/empty", status: Some(204), error_type: None, client: Client::Reads },
    Case { path: "/missing", status: Some(404), error_type: None, client: Client::Reads },
    Case { path: "/broken", status: Some(503), error_type: Some("503"), client: Client::Reads },
    Case { path: "/error", status: None, error_type: Some("std::io::error::Error"), client: Client::Reads },
    Case { path: "/panics", status: None, error_type: Some("panic"), client: Client::Reads },
    Case { path: "/timeout", status: Some(504), error_type: Some("504"), client: Client::Reads },
    Case {
        path: "/body-error",
        status: Some(200),
        error_type: Some("axum_core::error::Error"),
        client: Client::Reads,
    },
    Case { path: "/body-panics", status: Some(200), error_type: Some("panic"), client: Client::Reads },
    Case { path: "/never", status: None, error_type: None, client: Client::LeavesBeforeTheHead },
    Case { path: "/endless", status: Some(200), error_type: None, client: Client::LeavesAfter(0) },
    Case { path: "/endless", status: Some(200), error_type: None, client: Client::LeavesAfter(3) },
    Case { path: "/stuck", status: Some(200), error_type: None, client: Client::LeavesAfter(1) },
    Case { path: "/upgrade", status: Some(101), error_type: None, client: Client::Reads },
];

async fn handle(request: Request<hyper::body::Incoming>) -> Result<Response<Body>, std::io::Error> {
    let blocks = || stream::repeat_with(|| Ok::<_, BoxError>(Bytes::from_static(&[0; 16_384])));
    let answer = |status: u16, body: Body| Ok(Response::builder().status(status).body(body).unwrap());
    match request.uri().path() {
        "/ok" => answer(200, Body::from("hello")),
        "/stream" => answer(200, Body::from_stream(blocks().take(3))),
        "/file" => {
            let response = Response::builder().header("content-length", 3 * 16_384);
            Ok(response.body(Body::from_stream(blocks().take(3))).unwrap())
        }
        "/empty" => answer(204, Body::empty()),
        "/missing" => answer(404, Body::from("missing")),
        "/broken" => answer(503, Body::from("broken")),
        "/error" => Err(std::io::Error::other("password=hunter2")),
        "/panics" => panic!("a test panics here"),
        "/body-error" => {
            let frames = stream::iter([Ok("a"), Err(BoxError::from("disk"))]);
            // The head and the first part go out before the rest breaks.
            answer(200, Body::from_stream(frames.then(yields)))
        }
        "/body-panics" => {
            let parts = stream::iter([Ok::<_, BoxError>("a"), Ok("b")]).then(yields);
            answer(
                200,
                Body::from_stream(parts.map(|part| match part {
                    Ok("b") => panic!("a test panics here"),
                    part => part,
                })),
            )
        }
        "/endless" => answer(200, Body::from_stream(blocks())),
        "/stuck" => answer(200, Body::from_stream(blocks().take(1).chain(stream::pending()))),
        "/upgrade" => {
            let response =
                Response::builder().status(101).header("connection", "upgrade").header("upgrade", "x");
            Ok(response.body(Body::empty()).unwrap())
        }
        _ => std::future::pending().await,
    }
}

async fn yields<T>(value: T) -> T {
    tokio::task::yield_now().await;
    value
}

/// Serves on a free port until the runtime ends.
async fn serve(telemetry: &TestTelemetry) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = server_layer(telemetry).with_body_sizes(true).build();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (timed, handler) = (
                TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(30)),
                service_fn(handle),
            );
            let (layer, timed) =
                (layer.clone(), ServiceBuilder::new().layer(layer.clone()).layer(timed).service(handler));
            let plain = ServiceBuilder::new().layer(layer).service(service_fn(handle));
            let by_path = service_fn(move |request: Request<hyper::body::Incoming>| {
                let (timed, plain) = (timed.clone(), plain.clone());
                async move {
                    use tower::ServiceExt;
                    match request.uri().path() {
                        "/timeout" => timed.oneshot(request).await.map(|response| response.map(Body::new)),
                        _ => plain.oneshot(request).await.map(|response| response.map(Body::new)),
                    }
                }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                let _ = server
                    .serve_connection_with_upgrades(TokioIo::new(socket), TowerToHyperService::new(by_path))
                    .await;
            });
        }
    });
    address
}

/// Sends one request on a connection of its own, and does what the case says.
async fn send(address: SocketAddr, http2: bool, case: &Case, telemetry: &TestTelemetry) {
    let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let request = Request::get(format!("http://{address}{}", case.path)).header("host", address.to_string());
    let request = match case.path {
        "/upgrade" => request.header("connection", "upgrade").header("upgrade", "x"),
        _ => request,
    };
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let (sent, connection) = if http2 {
        let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), socket).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        (tokio::spawn(async move { sender.send_request(request).await }), connection)
    } else {
        let (mut sender, connection) = conn::http1::handshake(socket).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.with_upgrades().await) });
        (tokio::spawn(async move { sender.send_request(request).await }), connection)
    };
    match case.client {
        Client::LeavesBeforeTheHead => {
            eventually(BOUND, || is_in_flight(telemetry, 1.0)).await;
            sent.abort();
        }
        Client::LeavesAfter(frames) => {
            let mut body = sent.await.unwrap().unwrap().into_body();
            for _ in 0..frames {
                let _ = body.frame().await;
            }
        }
        Client::Reads => {
            if let Ok(response) = sent.await.unwrap() {
                let _ = response.into_body().collect().await;
            }
        }
    }
    connection.abort();
}

#[tokio::test]
async fn each_leaves_one_span_one_duration_and_nothing_in_flight() {
    for http2 in [false, true] {
        for case in &CASES {
            if http2 && case.path == "/upgrade" {
                continue; // HTTP/2 has no such thing
            }
            let telemetry = TestTelemetry::new();
            let address = serve(&telemetry).await;
            send(address, http2, case, &telemetry).await;
            let is_over = || telemetry.histogram_count(SERVER_DURATION) == 1 && is_in_flight(&telemetry, 0.0);
            eventually(BOUND, is_over).await;
            assert_served_once(&telemetry);
            let (span, what) =
                (telemetry.span("GET"), format!("{} {:?} http2={http2}", case.path, case.client));
            let tree = telemetry.tree();
            let status = span.attribute("http.response.status_code").map(ToString::to_string);
            assert_eq!(status, case.status.map(|status| status.to_string()), "{what}: {tree}");
            let error_type = span.attribute("error.type").map(ToString::to_string);
            assert_eq!(error_type.as_deref(), case.error_type, "{what}: {tree}");
            let expected = if case.error_type.is_some() { Status::error("") } else { Status::Unset };
            assert_eq!(span.status, expected, "{what}");
            let is_early = span.has("otel_http.ended_early", true);
            assert_eq!(is_early, case.client != Client::Reads, "{what}: {tree}");
            assert!(span.has("network.protocol.version", if http2 { "2" } else { "1.1" }), "{what}");
            assert!(!tree.contains("hunter2"));
        }
    }
}
