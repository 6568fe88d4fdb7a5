//! Every way out of a request on the server: one span, one duration, nothing in flight.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get as on_get;
use futures_util::stream::{self, StreamExt};
use futures_util::{FutureExt, poll};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use opentelemetry::Context;
use opentelemetry::trace::{Status, TraceContextExt};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::{Layer, Service, service_fn};

use crate::support::{assert_served_once, call, get, is_in_flight, server_layer};

/// A router whose `/` answers with `body`.
fn answering(telemetry: &TestTelemetry, body: impl Fn() -> Body + Clone + Send + Sync + 'static) -> Router {
    let handler = move || {
        let body = body();
        async move { Response::new(body) }
    };
    Router::new().route("/", on_get(handler)).layer(server_layer(telemetry).build())
}

fn endless() -> Body {
    Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from_static(b"tick"))))
}

#[tokio::test]
async fn the_span_lasts_until_the_body_s_end() {
    let telemetry = TestTelemetry::new();
    let app = answering(&telemetry, || Body::from_stream(stream::iter(["a", "b"]).map(Ok::<_, Infallible>)));
    let mut body = call(&app, get("/")).await.into_body();
    assert!(
        telemetry.spans().is_empty() && is_in_flight(&telemetry, 1.0),
        "the head is out, the body is not"
    );
    body.frame().await.unwrap().unwrap();
    assert_eq!(telemetry.spans().len(), 0);
    body.collect().await.unwrap();
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn dropped_before_it_was_polled() {
    let telemetry = TestTelemetry::new();
    let mut app = answering(&telemetry, endless).into_service::<Body>();
    let future = Service::call(&mut app, get("/"));
    drop(future);
    // axum starts its routes when the future is polled: nothing has happened yet, and nothing is left over.
    assert_eq!((telemetry.spans().len(), telemetry.open_spans().len()), (0, 0));
}

#[tokio::test]
async fn dropped_while_the_handler_works() {
    let telemetry = TestTelemetry::new();
    let app =
        Router::new().route("/", on_get(std::future::pending::<()>)).layer(server_layer(&telemetry).build());
    let mut future = Box::pin(call(&app, get("/")));
    assert!(poll!(&mut future).is_pending());
    assert!(is_in_flight(&telemetry, 1.0));
    drop(future);
    assert_served_once(&telemetry);
    let span = telemetry.span("GET /");
    assert_eq!((span.status.clone(), span.attribute("http.response.status_code")), (Status::Unset, None));
}

#[tokio::test]
async fn body_dropped_unread_and_midway() {
    for frames in 0..3 {
        let telemetry = TestTelemetry::new();
        let mut body = call(&answering(&telemetry, endless), get("/")).await.into_body();
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_served_once(&telemetry);
        assert_eq!(telemetry.span("GET /").status, Status::Unset);
    }
}

#[tokio::test]
async fn body_that_fails() {
    let telemetry = TestTelemetry::new();
    let app = answering(&telemetry, || {
        let frames = [Ok("a"), Err(std::io::Error::other("disk"))];
        Body::from_stream(stream::iter(frames))
    });
    let body = call(&app, get("/")).await.into_body();
    assert!(body.collect().await.is_err());
    assert_served_once(&telemetry);
    let span = telemetry.span("GET /");
    assert_eq!(span.status, Status::error(""));
    assert!(span.has("error.type", "axum_core::error::Error"), "{}", telemetry.tree());
    assert!(span.has("http.response.status_code", 200), "the head said 200 before the body failed");
}

#[tokio::test]
async fn panic_in_the_handler_and_in_the_body() {
    async fn panics() -> StatusCode {
        panic!("a test panics here")
    }
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", on_get(panics)).layer(server_layer(&telemetry).build());
    assert!(AssertUnwindSafe(call(&app, get("/"))).catch_unwind().await.is_err());
    assert_served_once(&telemetry);
    assert!(telemetry.span("GET /").has("error.type", "panic"));

    let telemetry = TestTelemetry::new();
    let app = answering(&telemetry, || {
        Body::from_stream(
            stream::once(async { panic!("a test panics here") }).map(|()| Ok::<_, Infallible>("a")),
        )
    });
    let body = call(&app, get("/")).await.into_body();
    assert!(AssertUnwindSafe(body.collect()).catch_unwind().await.is_err());
    assert_served_once(&telemetry);
    assert!(telemetry.span("GET /").has("error.type", "panic"));
}

/// Before there is a future that could be polled.
#[test]
fn panic_of_the_service_in_the_call() {
    let telemetry = TestTelemetry::new();
    let mut service = server_layer(&telemetry).build().layer(service_fn(|request: Request<Body>| {
        assert_eq!(request.uri().path(), "/", "a test panics here");
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    }));
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| drop(service.call(get("/other")))));
    assert!(panicked.is_err());
    assert_served_once(&telemetry);
    assert!(telemetry.span("GET").has("error.type", "panic"), "{}", telemetry.tree());
    assert!(!Context::current().has_active_span());
}

#[tokio::test]
async fn answers_without_a_body_end_with_their_head() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101), ("CONNECT", 200)] {
        let telemetry = TestTelemetry::new();
        let status = StatusCode::from_u16(status).unwrap();
        let app = Router::new()
            .route("/", axum::routing::any(move || async move { (status, endless()) }))
            .layer(server_layer(&telemetry).build());
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        let _kept = call(&app, request).await;
        assert_served_once(&telemetry);
    }
}

#[tokio::test]
async fn an_empty_body_ends_at_once() {
    let telemetry = TestTelemetry::new();
    let _kept = call(&answering(&telemetry, Body::empty), get("/")).await;
    assert_served_once(&telemetry);
}
