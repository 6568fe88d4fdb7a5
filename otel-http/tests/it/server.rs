//! What a server span and its metric say.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::{get as on_get, post};
use http::{Method, Request, Response, StatusCode, Version};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt};
use otel_http::{HttpRoute, HttpServerLayer};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{SERVER_DURATION, assert_served_once, call, get, server_layer};

#[tokio::test]
async fn every_fact_of_a_request() {
    let telemetry = TestTelemetry::new();
    let app = Router::new()
        .route("/users/{id}", on_get(|| async { "Ada" }))
        .layer(server_layer(&telemetry).build());
    let request = Request::get("/users/42?page=2&sig=secret")
        .header("host", "shop.example:8080")
        .header("user-agent", "curl/8")
        .extension(axum::extract::ConnectInfo(std::net::SocketAddr::from(([192, 0, 2, 7], 5555))))
        .body(Body::empty())
        .unwrap();
    call(&app, request).await;

    assert_served_once(&telemetry);
    let span = telemetry.span("GET /users/{id}");
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(span.instrumentation_scope.name(), "otel-http");
    let mut attributes: Vec<_> =
        span.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    attributes.sort();
    assert_eq!(
        attributes,
        [
            "client.address=192.0.2.7",
            "http.request.method=GET",
            "http.response.status_code=200",
            "http.route=/users/{id}",
            "network.peer.address=192.0.2.7",
            "network.peer.port=5555",
            "network.protocol.version=1.1",
            // `call` reads no body.
            "otel_http.ended_early=true",
            "server.address=shop.example",
            "server.port=8080",
            "url.path=/users/42",
            "url.query=page=2&sig=REDACTED",
            "url.scheme=http",
            "user_agent.original=curl/8",
        ]
    );
    assert!(span.has("http.response.status_code", 200) && span.has("server.port", 8080));
}

#[tokio::test]
async fn the_metric_has_only_bounded_attributes_and_the_buckets_of_the_convention() {
    let telemetry = TestTelemetry::new();
    let app = Router::new()
        .route("/users/{id}", on_get(|| async { "Ada" }))
        .layer(server_layer(&telemetry).build());
    for id in 0..50 {
        let request = Request::get(format!("/users/{id}?x={id}"))
            .header("host", format!("host-{id}"))
            .header("user-agent", format!("agent-{id}"));
        call(&app, request.body(Body::empty()).unwrap()).await;
        call(&app, get(&format!("/nothing/here/{id}"))).await;
        let method = Method::from_bytes(format!("M{id}").as_bytes()).unwrap();
        call(&app, Request::builder().method(method).uri("/users/1").body(Body::empty()).unwrap()).await;
    }
    let metric = telemetry.metric(SERVER_DURATION);
    assert_eq!(metric.unit, "s");
    assert_eq!(metric.description, "Duration of HTTP server requests.");
    assert_eq!(metric.points.len(), 3, "a route, no route, an unknown method: {metric:#?}");
    let point = &metric.points.iter().find(|point| point.attributes.len() == 5).unwrap();
    let mut keys = point.attributes.keys();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "http.request.method",
            "http.response.status_code",
            "http.route",
            "network.protocol.version",
            "url.scheme"
        ]
    );
    assert_eq!(
        point.histogram().unwrap().bounds,
        [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
    );
}

#[tokio::test]
async fn status_codes_are_errors_from_500_on() {
    for (code, is_error) in [
        (200, false),
        (302, false),
        (404, false),
        (499, false),
        (500, true),
        (503, true),
        (599, true),
        (600, true),
    ] {
        let telemetry = TestTelemetry::new();
        let status = StatusCode::from_u16(code).unwrap();
        let app = Router::new()
            .route("/", on_get(move || async move { status }))
            .layer(server_layer(&telemetry).build());
        call(&app, get("/")).await;
        assert_served_once(&telemetry);
        let span = telemetry.span("GET /");
        let expected = if is_error { Status::error("") } else { Status::Unset };
        assert_eq!(span.status, expected, "{code}");
        assert_eq!(span.has("error.type", code.to_string()), is_error, "{code}");
        assert!(span.has("http.response.status_code", i64::from(code)));
    }
}

#[tokio::test]
async fn an_unknown_method_is_other_in_the_name_too() {
    let telemetry = TestTelemetry::new();
    let app =
        Router::new().route("/", axum::routing::any(|| async {})).layer(server_layer(&telemetry).build());
    call(&app, Request::builder().method("PURGE").uri("/").body(Body::empty()).unwrap()).await;
    let span = telemetry.span("HTTP /");
    assert!(span.has("http.request.method", "_OTHER") && span.has("http.request.method_original", "PURGE"));
}

#[tokio::test]
async fn routes_of_nested_routers_fallbacks_and_wrong_methods() {
    let telemetry = TestTelemetry::new();
    let users = Router::new().route("/{id}", on_get(|| async {}));
    let app = Router::new()
        .nest("/api/users", users)
        .route("/orders", post(|| async {}))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(server_layer(&telemetry).build());
    call(&app, get("/api/users/7")).await;
    call(&app, get("/orders")).await; // 405: the route is known
    call(&app, get("/secret/path/7")).await;

    let nested = telemetry.span("GET /api/users/{id}");
    assert!(nested.has("url.path", "/api/users/7"), "the path as the client sent it");
    assert!(telemetry.span("GET /orders").has("http.response.status_code", 405));
    let unmatched = telemetry.span("GET");
    assert_eq!(unmatched.attribute("http.route"), None);
}

/// As for `ServeDir`: axum has no route for it.
#[tokio::test]
async fn what_is_no_router_gets_its_route_from_a_layer_around_it() {
    let telemetry = TestTelemetry::new();
    let files = || service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let named =
        |route: &'static str| server_layer(&telemetry).with_route(move |_| Some(route.into())).build();
    let app = Router::new()
        .nest_service("/plain", files())
        .nest_service("/assets", named("/assets/{*file}").layer(files()))
        .fallback_service(named("/{*page}").layer(files()))
        .layer(server_layer(&telemetry).build());
    for (path, name) in
        [("/plain/a.css", "GET"), ("/assets/a.css", "GET /assets/{*file}"), ("/a.html", "GET /{*page}")]
    {
        call(&app, get(path)).await;
        assert_eq!(telemetry.span(name).attribute("http.route").is_some(), name != "GET", "{path}");
    }
    assert_eq!(telemetry.histogram_count(SERVER_DURATION), 3);
}

#[tokio::test]
async fn a_route_learnt_late_names_the_span() {
    let telemetry = TestTelemetry::new();
    let layer = HttpServerLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let service = layer.layer(service_fn(|_: Request<Body>| async {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(HttpRoute::new("/legacy/{page}"));
        Ok::<_, std::io::Error>(response)
    }));
    service.oneshot(get("/legacy/7")).await.unwrap();
    let span = telemetry.span("GET /legacy/{page}");
    assert!(span.has("http.route", "/legacy/{page}"));
    let points = telemetry.points(SERVER_DURATION);
    assert!(points[0].attributes.iter().any(|(key, _)| key == "http.route"));
}

#[tokio::test]
async fn http2_says_scheme_and_authority() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", on_get(|| async {})).layer(server_layer(&telemetry).build());
    let request = Request::get("https://[2001:db8::1]:8443/").version(Version::HTTP_2);
    call(&app, request.body(Body::empty()).unwrap()).await;
    let span = telemetry.span("GET /");
    assert!(span.has("url.scheme", "https") && span.has("network.protocol.version", "2"));
    assert!(span.has("server.address", "2001:db8::1") && span.has("server.port", 8443));
}

#[tokio::test]
async fn the_caller_s_span_is_the_parent() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", on_get(|| async {})).layer(server_layer(&telemetry).build());
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = Request::get("/").header("TraceParent", parent).body(Body::empty()).unwrap();
    call(&app, request).await;
    let span = telemetry.span("GET /");
    assert_eq!(span.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
    assert!(span.parent_span_is_remote);
}

#[tokio::test]
async fn filtered_requests_leave_no_trace_and_nothing_in_flight() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_filter(|request| request.path() != "/healthz").build();
    let app = Router::new()
        .route("/healthz", on_get(|| async { "ok" }))
        .route("/", on_get(|| async { "ok" }))
        .layer(layer);
    call(&app, get("/healthz")).await;
    assert!(telemetry.spans().is_empty());
    assert_eq!(telemetry.histogram_count(SERVER_DURATION), 0);
    call(&app, get("/")).await;
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn a_hook_that_panics_changes_nothing_for_the_request() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_filter(|_| panic!("a test panics here"))
        .with_route(|_| panic!("a test panics here"))
        .with_peer_address(|_| panic!("a test panics here"))
        .build();
    let app = Router::new().route("/", on_get(|| async { "ok" })).layer(layer);
    assert_eq!(call(&app, get("/")).await.status(), StatusCode::OK);
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn an_inner_error_passes_and_its_type_is_the_class() {
    let telemetry = TestTelemetry::new();
    let service = server_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(std::io::Error::other("password=hunter2"))
    }));
    let error = service.oneshot(get("/")).await.unwrap_err();
    assert_eq!(error.to_string(), "password=hunter2", "the error is the application's, unchanged");
    assert_served_once(&telemetry);
    let span = telemetry.span("GET");
    assert!(span.has("error.type", "std::io::error::Error"));
    assert!(!telemetry.tree().contains("hunter2"));
}

#[tokio::test]
async fn the_span_is_current_in_the_handler() {
    let telemetry = TestTelemetry::new();
    let handler = || async {
        opentelemetry::Context::map_current(|context| context.span().span_context().span_id().to_string())
    };
    let app = Router::new().route("/", on_get(handler)).layer(server_layer(&telemetry).build());
    let response = call(&app, get("/")).await;
    let seen = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(telemetry.span("GET /").span_context.span_id().to_string().as_bytes(), seen);
}
