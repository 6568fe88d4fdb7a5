//! Work that is dropped still has its context, and two layers know each other.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::routing::get as on_get;
use axum::{Extension, Router};
use futures_util::stream::{self, StreamExt};
use http::{Request, Response};
use http_body_util::BodyExt;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{SpanId, TraceContextExt};
use otel_http::{BodyCapture, HttpServerLayer, HttpUpgrade, RequestAttributes};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::buffer::BufferLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{
    SERVER_DURATION, assert_served_once, call, client_layer, get, is_in_flight, server_layer,
};

/// Tells which span was current when it was dropped.
struct Witness(Arc<Mutex<Vec<SpanId>>>);

impl Drop for Witness {
    fn drop(&mut self) {
        let current = opentelemetry::Context::map_current(|context| context.span().span_context().span_id());
        self.0.lock().unwrap().push(current);
    }
}

#[tokio::test]
async fn destructors_of_what_is_dropped_run_in_the_request_s_context() {
    let telemetry = TestTelemetry::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (in_handler, in_body) = (Arc::clone(&seen), Arc::clone(&seen));
    let waits = move || {
        let witness = Witness(Arc::clone(&in_handler));
        async move {
            let _held = witness;
            std::future::pending::<()>().await;
        }
    };
    let streams = move || {
        let witness = Witness(Arc::clone(&in_body));
        async move {
            let endless = stream::repeat("a").map(move |part| {
                let _held = &witness;
                Ok::<_, Infallible>(part)
            });
            Body::from_stream(endless)
        }
    };
    let app = Router::new()
        .route("/waits", on_get(waits))
        .route("/streams", on_get(streams))
        .layer(server_layer(&telemetry).build());
    let mut waiting = Box::pin(call(&app, get("/waits")));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    let mut body = call(&app, get("/streams")).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);

    let spans: Vec<_> =
        ["GET /waits", "GET /streams"].map(|name| telemetry.span(name).span_context.span_id()).into();
    assert_eq!(*seen.lock().unwrap(), spans);
}

#[tokio::test]
async fn nothing_is_done_while_nothing_is_installed() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let layer = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(NoopTracerProvider::new())
        .with_meter_provider(NoopMeterProvider::new())
        .with_propagator(opentelemetry::propagation::TextMapCompositePropagator::new(Vec::new()))
        .with_attributes(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    let app = Router::new().route("/", on_get(|| async { "ok" })).layer(layer.build());
    for _ in 0..20 {
        call(&app, get("/")).await;
    }
    // A provider that was given by hand is not known to be without effect.
    assert_eq!(calls.load(Ordering::Relaxed), 20);

    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let layer = HttpServerLayer::builder().for_axum().with_filter(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        true
    });
    let app = Router::new().route("/", on_get(|| async { "ok" })).layer(layer.build());
    for _ in 0..20 {
        call(&app, get("/")).await;
    }
    assert!(calls.load(Ordering::Relaxed) <= 1, "only until the first request has shown that nobody records");
}

#[tokio::test]
async fn a_server_with_tls_is_told_its_scheme() {
    let telemetry = TestTelemetry::new();
    let app = Router::new()
        .route("/", on_get(|| async {}))
        .layer(server_layer(&telemetry).with_scheme("https").build());
    call(&app, get("/")).await;
    assert!(telemetry.span("GET /").has("url.scheme", "https"));
    assert!(telemetry.points(SERVER_DURATION)[0].has("url.scheme", "https"));
    assert!(telemetry.points("http.server.active_requests")[0].has("url.scheme", "https"));
}

#[tokio::test]
async fn two_layers_with_a_buffer_between_them_give_one_span() {
    let telemetry = TestTelemetry::new();
    let answers = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let service = ServiceBuilder::new()
        .layer(server_layer(&telemetry).build())
        .layer(BufferLayer::new(8))
        .layer(server_layer(&telemetry).build())
        .service(answers);
    service.oneshot(get("/")).await.unwrap();
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn a_request_that_is_made_in_a_handler_is_another_one() {
    let telemetry = TestTelemetry::new();
    let inner = Router::new().route("/inner", on_get(|| async {})).layer(server_layer(&telemetry).build());
    let forwarding = inner.clone();
    let client = client_layer(&telemetry).build();
    let app = Router::new()
        .route("/calls", on_get(move || async move { call(&inner, get("/inner")).await.status() }))
        .route(
            "/inner",
            on_get(move |request: Request<Body>| async move {
                client.layer(forwarding.into_service::<Body>()).oneshot(request).await.unwrap().status()
            }),
        )
        .layer(server_layer(&telemetry).build());
    call(&app, get("/calls")).await;
    assert_eq!(telemetry.spans().len(), 2, "{}", telemetry.tree());
    telemetry.clear();
    call(&app, get("/inner")).await;
    assert_eq!(telemetry.spans().len(), 3, "server, client, server: {}", telemetry.tree());
}

#[tokio::test]
async fn what_a_handler_adds_through_the_inner_of_two_layers_is_on_the_one_span() {
    for (is_outer_asked, is_middle_there) in [(false, false), (true, false), (false, true)] {
        let telemetry = TestTelemetry::new();
        let handler = |Extension(attributes): Extension<RequestAttributes>| async move {
            attributes.span("app.results", 12);
            attributes.both("app.tenant", "handler");
            attributes.span("url.path", "/mine");
            let later = stream::once(async move {
                attributes.both("app.cached", true);
                Ok::<_, Infallible>("fine")
            });
            ([("content-type", "text/plain")], Body::from_stream(Box::pin(later)))
        };
        let inner = server_layer(&telemetry).with_request_attributes(true).build();
        let outer = server_layer(&telemetry)
            .with_request_attributes(is_outer_asked)
            .with_attributes(|_, attributes| attributes.both("app.tenant", "hook"))
            .with_captured_response_body(BodyCapture::of_types(["text/plain"]));
        let mut app = Router::new().route("/", on_get(handler)).layer(inner);
        if is_middle_there {
            app = app.layer(server_layer(&telemetry).build());
        }
        let response = outer.build().layer(app).oneshot(get("/")).await.unwrap();
        assert_eq!(response.extensions().len(), 1, "the route, and nothing else, is seen outside");
        response.into_body().collect().await.unwrap();

        assert_served_once(&telemetry);
        let span = telemetry.span("GET /");
        assert!(span.has("app.results", 12) && span.has("app.cached", true), "{}", telemetry.tree());
        assert!(span.has("app.tenant", "hook") && span.has("url.path", "/"), "{}", telemetry.tree());
        assert!(span.has("http.response.body.content", "fine"), "{}", telemetry.tree());
        assert!(telemetry.points(SERVER_DURATION)[0].has("app.cached", true));
    }
}

#[tokio::test]
async fn an_upgrade_that_the_inner_of_two_layers_gives_keeps_the_one_span_open() {
    let telemetry = TestTelemetry::new();
    let (sender, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |Extension(upgrade): Extension<HttpUpgrade>| async move {
        sender.send(upgrade).unwrap();
        http::StatusCode::SWITCHING_PROTOCOLS
    };
    let inner = server_layer(&telemetry).with_upgrades(true).build();
    let service = ServiceBuilder::new()
        .layer(server_layer(&telemetry).build())
        .service(Router::new().route("/ws", on_get(handler)).layer(inner));
    service.oneshot(get("/ws")).await.unwrap();
    let upgrade = kept.recv().await.unwrap();
    assert!(telemetry.spans().is_empty() && is_in_flight(&telemetry, 1.0));
    let its_parent = upgrade.context().span().span_context().span_id();
    drop(upgrade);
    assert_served_once(&telemetry);
    assert_eq!(telemetry.span("GET /ws").span_context.span_id(), its_parent);
}
