//! What a second reader broke once.

use std::sync::LazyLock;

use axum::body::Body;
use axum::routing::{any, get as on_get, post};
use axum::{Extension, Router};
use http::{Request, StatusCode};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{FutureExt, Span, TraceContextExt, TraceId, Tracer, TracerProvider};
use otel_http::{HttpRoute, HttpServerLayer, HttpUpgrade, RequestAttributes};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{SERVER_DURATION, assert_served_once, call, get, server_layer};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn handlers_find_their_attributes_also_where_nothing_is_observed() {
    async fn search(Extension(attributes): Extension<RequestAttributes>) -> &'static str {
        attributes.span("shop.results", 1);
        "results"
    }
    let routes = || Router::new().route("/", on_get(search));
    let unobserved = routes().layer(HttpServerLayer::builder().with_request_attributes(true).build());
    for _ in 0..3 {
        assert_eq!(call(&unobserved, get("/")).await.status(), StatusCode::OK);
    }
    let telemetry = TestTelemetry::new();
    let filtered = server_layer(&telemetry).with_request_attributes(true).with_filter(|_| false).build();
    assert_eq!(call(&routes().layer(filtered), get("/")).await.status(), StatusCode::OK);
    let inner = server_layer(&telemetry).with_request_attributes(true).build();
    let nested = routes().layer(inner).layer(server_layer(&telemetry).build());
    assert_eq!(call(&nested, get("/")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_made_up_content_length_harms_nobody() {
    async fn panics() -> &'static str {
        panic!("a test panics here")
    }
    let telemetry = TestTelemetry::new();
    let app =
        Router::new().route("/", post(panics)).layer(server_layer(&telemetry).with_body_sizes(true).build());
    for _ in 0..3 {
        let request = Request::post("/").header("content-length", "18446744073709551000");
        let call = app.clone().oneshot(request.body(Body::empty()).unwrap());
        assert!(tokio::spawn(async move { call.await.map(drop) }).await.unwrap_err().is_panic());
    }
    assert_eq!(telemetry.histogram_count(SERVER_DURATION), 3);
    assert_eq!(telemetry.histogram_count("http.server.request.body.size"), 0);
}

#[tokio::test]
async fn a_full_span_still_says_how_the_request_ended() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_captured_request_headers(["x-*"]).build();
    let app = Router::new().route("/", on_get(|| async { StatusCode::INTERNAL_SERVER_ERROR })).layer(layer);
    let mut request = get("/");
    for number in 0..130 {
        let name: http::HeaderName = format!("x-{number}").parse().unwrap();
        request.headers_mut().insert(name, "1".parse().unwrap());
    }
    call(&app, request).await;
    let span = telemetry.span("GET /");
    assert!(span.has("http.response.status_code", 500) && span.has("error.type", "500"));
}

#[tokio::test]
async fn captured_headers_that_sound_like_a_secret_are_redacted() {
    let telemetry = TestTelemetry::new();
    let app = Router::new()
        .route("/", on_get(|| async {}))
        .layer(server_layer(&telemetry).with_captured_request_headers(["*"]).build());
    let mut request = get("/");
    for name in [
        "api-key",
        "apikey",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "x-functions-key",
        "x-auth-token",
        "x-vault-token",
        "private-token",
        "x-csrf-token",
        "cf-access-jwt-assertion",
        "x-amzn-oidc-data",
        "authentication-info",
        "x-session-id",
    ] {
        request.headers_mut().insert(name, "hunter2".parse().unwrap());
    }
    for name in ["referer", "origin", "destination", "x-forwarded-uri", "x-original-uri", "x-original-url"] {
        let url = "https://user:hunter2@shop.example/?sig=hunter2";
        request.headers_mut().insert(name, url.parse().unwrap());
    }
    call(&app, request).await;
    assert!(!telemetry.tree().contains("hunter2"), "{}", telemetry.tree());
}

#[tokio::test]
async fn a_layer_that_records_nothing_leaves_it_to_the_one_inside() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", on_get(|| async {})).layer(server_layer(&telemetry).build());
    let outer = server_layer(&telemetry).with_filter(|_| false).build().layer(app.into_service::<Body>());
    for expected in 1..=4 {
        let request = Request::get("/").header("traceparent", PARENT).body(Body::empty()).unwrap();
        outer.clone().oneshot(request).await.unwrap();
        assert_eq!(telemetry.spans().len(), expected);
    }
}

#[tokio::test]
async fn a_filtered_request_keeps_its_caller_s_context() {
    let telemetry = TestTelemetry::new();
    let handler =
        || async { Context::map_current(|context| context.span().span_context().trace_id().to_string()) };
    let layer = server_layer(&telemetry).with_filter(|_| false).build();
    let app = Router::new().route("/", on_get(handler)).layer(layer);
    let request = Request::get("/").header("traceparent", PARENT).body(Body::empty()).unwrap();
    let seen = axum::body::to_bytes(call(&app, request).await.into_body(), 100).await.unwrap();
    assert_eq!(seen, "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(seen, TraceId::INVALID.to_string());
    assert!(telemetry.spans().is_empty());
}

/// Reads a value of its own, which handlers look for.
#[derive(Debug)]
struct Tenants;

#[derive(Debug)]
struct Tenant;

impl TextMapPropagator for Tenants {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.with_value(Tenant)
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| ["x-tenant".to_owned()]);
        FieldIter::new(FIELDS.as_slice())
    }
}

#[tokio::test]
async fn what_a_propagator_of_one_s_own_reads_reaches_the_handler_of_every_request() {
    for (is_wanted, is_suppressed) in [(true, false), (false, false), (true, true)] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_filter(move |_| is_wanted).with_propagator(Tenants);
        let handler =
            || async { Context::map_current(|context| context.get::<Tenant>().is_some().to_string()) };
        let app = Router::new().route("/", on_get(handler)).layer(layer.build());
        let context = Context::new();
        let context = if is_suppressed { context.with_telemetry_suppressed() } else { context };
        let response = call(&app, get("/")).with_context(context).await;
        let seen = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(seen, "true", "{is_wanted} {is_suppressed}");
    }
}

#[tokio::test]
async fn a_filtered_request_stays_below_the_span_of_another_layer_further_out() {
    let telemetry = TestTelemetry::new();
    let handler =
        || async { Context::map_current(|context| context.span().span_context().span_id().to_string()) };
    let layer = server_layer(&telemetry).with_filter(otel_http::not_grpc).build();
    let app = Router::new().route("/", on_get(handler)).layer(layer);
    // As `otel-grpc` does around a router.
    let span = telemetry.tracer_provider().tracer("grpc").start("shop.v1.Orders/Place");
    let expected = span.span_context().span_id().to_string();
    let mut request = Request::get("/").header("traceparent", PARENT).body(Body::empty()).unwrap();
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    let context = Context::current_with_span(span);
    let response = call(&app, request).with_context(context).await;
    assert_eq!(axum::body::to_bytes(response.into_body(), 100).await.unwrap(), expected);
}

#[tokio::test]
async fn a_name_of_one_s_own_outlives_a_late_route() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_span_name(|_| Some("mine".into())).build();
    let service = layer.layer(service_fn(|_: Request<Body>| async {
        let mut response = http::Response::new(Body::empty());
        response.extensions_mut().insert(HttpRoute::new("/users/{id}"));
        Ok::<_, std::io::Error>(response)
    }));
    service.oneshot(get("/users/7")).await.unwrap();
    assert!(telemetry.span("mine").has("http.route", "/users/{id}"));
}

#[tokio::test]
async fn handlers_cannot_say_twice_what_the_layer_says() {
    let telemetry = TestTelemetry::new();
    let handler = |Extension(attributes): Extension<RequestAttributes>| async move {
        attributes.both("error.type", "declined");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let layer = server_layer(&telemetry).with_request_attributes(true).build();
    call(&Router::new().route("/", on_get(handler)).layer(layer), get("/")).await;
    assert_served_once(&telemetry);
    let span = telemetry.span("GET /");
    let types = span.attributes.iter().filter(|pair| pair.key.as_str() == "error.type");
    assert_eq!(types.map(|pair| pair.value.to_string()).collect::<Vec<_>>(), ["500"]);
}

#[tokio::test]
async fn own_hooks_survive_for_axum_in_any_order() {
    let telemetry = TestTelemetry::new();
    let layer = HttpServerLayer::builder()
        .with_route(|_| Some("/mine".into()))
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .build();
    call(&Router::new().route("/", on_get(|| async {})).layer(layer), get("/")).await;
    assert_eq!(telemetry.spans()[0].name, "GET /mine");
}

#[tokio::test]
async fn long_headers_are_cut() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", on_get(|| async {})).layer(server_layer(&telemetry).build());
    let request = Request::get("/").header("user-agent", "a".repeat(300_000));
    call(&app, request.body(Body::empty()).unwrap()).await;
    let span = telemetry.span("GET /");
    let length = span.attribute("user_agent.original").map(|value| value.as_str().len());
    assert_eq!(length, Some(8 * 1024));
}

#[tokio::test]
async fn both_metrics_say_the_same_scheme() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_trusted_proxies(otel_http::TrustedProxies::all()).build();
    let app = Router::new().route("/", on_get(|| async {})).layer(layer);
    let request = Request::get("/").header("x-forwarded-proto", "https").body(Body::empty()).unwrap();
    call(&app, request).await;
    for name in [SERVER_DURATION, "http.server.active_requests"] {
        assert!(telemetry.points(name)[0].has("url.scheme", "https"), "{name}");
    }
}

#[tokio::test]
async fn what_passes_after_a_switch_of_protocols_is_no_body() {
    let telemetry = TestTelemetry::new();
    let app = Router::new()
        .route("/", on_get(|| async { StatusCode::SWITCHING_PROTOCOLS }))
        .layer(server_layer(&telemetry).with_body_sizes(true).build());
    call(&app, get("/")).await;
    assert_served_once(&telemetry);
    assert_eq!(telemetry.histogram_count("http.server.response.body.size"), 0);
}

#[tokio::test]
async fn a_hook_may_throw_what_throws_again_when_dropped() {
    struct ThrowsOnDrop;
    impl Drop for ThrowsOnDrop {
        fn drop(&mut self) {
            panic!("a test panics here");
        }
    }
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_filter(|_| std::panic::panic_any(ThrowsOnDrop)).build();
    let app = Router::new().route("/", on_get(|| async {})).layer(layer);
    assert_eq!(call(&app, get("/")).await.status(), StatusCode::OK);
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn handlers_find_their_upgrade_also_where_nothing_is_observed() {
    async fn connects(Extension(upgrade): Extension<HttpUpgrade>) -> String {
        upgrade.context().span().span_context().trace_id().to_string()
    }
    let routes = || Router::new().route("/", on_get(connects));
    let request = || Request::get("/").header("traceparent", PARENT).body(Body::empty()).unwrap();
    let unobserved = routes().layer(HttpServerLayer::builder().with_upgrades(true).build());
    assert_eq!(call(&unobserved, request()).await.status(), StatusCode::OK);
    let telemetry = TestTelemetry::new();
    let filtered =
        routes().layer(server_layer(&telemetry).with_upgrades(true).with_filter(|_| false).build());
    let inner = server_layer(&telemetry).with_upgrades(true).build();
    let nested = routes().layer(inner).layer(server_layer(&telemetry).build());
    for app in [filtered, nested] {
        let seen = axum::body::to_bytes(call(&app, request()).await.into_body(), 100).await.unwrap();
        assert_eq!(seen, "0af7651916cd43dd8448eb211c80319c");
    }
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn long_methods_are_cut() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", any(|| async {})).layer(server_layer(&telemetry).build());
    let method = http::Method::from_bytes("A".repeat(100_000).as_bytes()).unwrap();
    call(&app, Request::builder().method(method).uri("/").body(Body::empty()).unwrap()).await;
    let span = telemetry.span("HTTP /");
    let length = span.attribute("http.request.method_original").map(|value| value.as_str().len());
    assert_eq!(length, Some(8 * 1024));
}

#[tokio::test]
async fn the_case_of_a_forwarded_scheme_makes_no_difference() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_trusted_proxies(otel_http::TrustedProxies::all()).build();
    let app = Router::new().route("/", on_get(|| async {})).layer(layer);
    let request = Request::get("/").header("x-forwarded-proto", "HTTPS").body(Body::empty()).unwrap();
    call(&app, request).await;
    assert!(telemetry.span("GET /").has("url.scheme", "https"), "{}", telemetry.tree());
    assert!(telemetry.points(SERVER_DURATION)[0].has("url.scheme", "https"));
}

/// Some proxies name the protocol of a WebSocket's handshake.
#[tokio::test]
async fn a_forwarded_scheme_of_websockets_is_as_safe_as_it_says() {
    for (forwarded, metric) in [("wss", "https"), ("ws", "http"), ("gopher", "https")] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_trusted_proxies(otel_http::TrustedProxies::all());
        let layer = layer.with_scheme("https").build();
        let app = Router::new().route("/", on_get(|| async {})).layer(layer);
        let request = Request::get("/").header("x-forwarded-proto", forwarded).body(Body::empty()).unwrap();
        call(&app, request).await;
        assert!(telemetry.span("GET /").has("url.scheme", forwarded), "{}", telemetry.tree());
        assert!(telemetry.points(SERVER_DURATION)[0].has("url.scheme", metric), "{forwarded}");
    }
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_trusted_proxies(otel_http::TrustedProxies::all()).build();
    let app = Router::new().route("/", on_get(|| async {})).layer(layer);
    call(&app, Request::get("/").header("x-forwarded-proto", "wss").body(Body::empty()).unwrap()).await;
    assert!(telemetry.points(SERVER_DURATION)[0].has("url.scheme", "https"));
}

#[tokio::test]
async fn hooks_cannot_say_twice_what_is_captured() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_captured_request_headers(["x-tenant"])
        .with_captured_response_headers(["x-tenant"])
        .with_attributes(|_, attributes| attributes.span("http.request.header.x-tenant", "mine"))
        .with_response_attributes(|_, attributes| attributes.span("http.response.header.x-tenant", "mine"));
    let app = Router::new().route("/", on_get(|| async { [("x-tenant", "blue")] })).layer(layer.build());
    call(&app, Request::get("/").header("x-tenant", "blue").body(Body::empty()).unwrap()).await;
    let span = telemetry.span("GET /");
    for key in ["http.request.header.x-tenant", "http.response.header.x-tenant"] {
        let said = span.attributes.iter().filter(|pair| pair.key.as_str() == key);
        assert_eq!(said.map(|pair| pair.value.to_string()).collect::<Vec<_>>(), ["[\"blue\"]"], "{key}");
    }
}

#[tokio::test]
async fn filtered_requests_are_in_no_metric() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_remote_context_counter(true);
    let layer = layer.with_filter(|request| request.path() != "/healthz").build();
    let app =
        Router::new().route("/healthz", on_get(|| async {})).route("/", on_get(|| async {})).layer(layer);
    call(&app, get("/healthz")).await;
    assert!(telemetry.metrics().is_empty(), "{:?}", telemetry.metrics());
    call(&app, get("/")).await;
    assert_eq!(telemetry.total("otel_http.server.remote_contexts"), 1.0);
}

#[tokio::test]
async fn a_layer_inside_of_a_nested_router_sees_the_path_that_was_asked_for() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_filter(|request| request.path() != "/shop/healthz").build();
    let inner =
        || Router::new().route("/users/{id}", on_get(|| async {})).fallback(|| async {}).layer(layer.clone());
    let app = Router::new().nest("/shop", inner()).nest_service("/other", inner());
    for (path, name) in
        [("/shop/users/7", "GET /shop/users/{id}"), ("/other/users/7", "GET /other/users/{id}")]
    {
        call(&app, get(&format!("{path}?page=2"))).await;
        let span = telemetry.span(name);
        assert!(span.has("url.path", path) && span.has("url.query", "page=2"), "{}", telemetry.tree());
    }
    call(&app, get("/shop/healthz")).await;
    assert_eq!(telemetry.spans().len(), 2, "{}", telemetry.tree());
}

/// Of two that say different things neither can be believed.
#[tokio::test]
async fn a_header_that_comes_twice_is_none() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route("/", on_get(|| async {})).layer(server_layer(&telemetry).build());
    let request = Request::get("/").header("host", "a.example").header("host", "b.example");
    let request = request.header("user-agent", "one").header("user-agent", "two");
    call(&app, request.body(Body::empty()).unwrap()).await;
    let span = telemetry.span("GET /");
    assert!(span.attribute("server.address").is_none() && span.attribute("user_agent.original").is_none());
}

#[tokio::test]
async fn a_dual_stack_socket_s_peer_has_the_address_it_has() {
    let telemetry = TestTelemetry::new();
    let peer: std::net::SocketAddr = "[::ffff:192.0.2.7]:5".parse().unwrap();
    let layer = server_layer(&telemetry).with_peer_address(move |_| Some(peer)).build();
    let app = Router::new().route("/", on_get(|| async {})).layer(layer);
    call(&app, get("/")).await;
    let span = telemetry.span("GET /");
    assert!(span.has("network.peer.address", "192.0.2.7") && span.has("client.address", "192.0.2.7"));
}
