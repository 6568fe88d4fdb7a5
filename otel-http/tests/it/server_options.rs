//! What the server layer does when asked.

use axum::body::{Body, Bytes};
use axum::routing::{get as on_get, post};
use axum::{Extension, Router};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use otel_http::{HttpServerLayerBuilder, RequestAttributes, TrustedProxies};
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::support::{SERVER_DURATION, assert_served_once, call, client_layer, get, server_layer};

fn hello(layer: HttpServerLayerBuilder) -> Router {
    Router::new().route("/users/{id}", on_get(|| async { "hello" })).layer(layer.build())
}

async fn serve_one(layer: HttpServerLayerBuilder, request: Request<Body>) {
    let response = call(&hello(layer), request).await;
    response.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn headers_are_recorded_when_asked_for_and_secrets_never() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_captured_request_headers(["X-*", "Authorization", "!x-private"])
        .with_captured_response_headers(["content-type", "set-cookie"])
        .with_sensitive_headers(["x-tenant-token"]);
    let request = Request::get("/users/42")
        .header("x-list", "1")
        .header("x-list", "2")
        .header("x-private", "hunter2")
        .header("x-tenant-token", "hunter2")
        .header("authorization", "Bearer hunter2")
        .header("x-api-key", "hunter2");
    serve_one(layer, request.body(Body::empty()).unwrap()).await;

    let span = telemetry.span("GET /users/{id}");
    let value = |key: &str| span.attribute(key).map(ToString::to_string);
    assert_eq!(value("http.request.header.x-list").as_deref(), Some(r#"["1","2"]"#));
    assert_eq!(value("http.request.header.x-private"), None);
    for redacted in ["authorization", "x-api-key", "x-tenant-token"] {
        assert_eq!(value(&format!("http.request.header.{redacted}")).as_deref(), Some(r#"["REDACTED"]"#));
    }
    assert_eq!(
        value("http.response.header.content-type").as_deref(),
        Some(r#"["text/plain; charset=utf-8"]"#)
    );
    assert!(!telemetry.tree().contains("hunter2"));
}

#[tokio::test]
async fn header_capture_cases_of_the_reference_suites() {
    let Some(path) = otel_testing::shared_file!("vectors/url_cases.json") else { return };
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["header_capture"].as_array().unwrap();
    let strings = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut checked = 0;
    for case in cases.iter().filter(|case| case["expect"].is_object()) {
        let telemetry = TestTelemetry::new();
        let excluded = strings(&case["excluded"]).into_iter().map(|name| format!("!{name}"));
        let chosen: Vec<_> = strings(&case["included"]).into_iter().chain(excluded).collect();
        let headers = case["headers"].as_array().unwrap().iter();
        let headers: Vec<_> = headers.map(strings).collect();
        if case["side"] == "request" {
            let mut request = get("/users/42");
            append(request.headers_mut(), &headers);
            serve_one(server_layer(&telemetry).with_captured_request_headers(chosen), request).await;
        } else {
            let layer = server_layer(&telemetry).with_captured_response_headers(chosen);
            let handler = move || async move {
                let mut answer = HeaderMap::new();
                append(&mut answer, &headers);
                answer
            };
            let app = Router::new().route("/users/{id}", on_get(handler)).layer(layer.build());
            call(&app, get("/users/42")).await.into_body().collect().await.unwrap();
        }
        let span = telemetry.span("GET /users/{id}");
        let prefix = format!("http.{}.header.", case["side"].as_str().unwrap());
        let recorded: serde_json::Map<String, serde_json::Value> = span
            .attributes
            .iter()
            .filter(|pair| pair.key.as_str().starts_with(&prefix))
            .filter(|pair| pair.key.as_str() != "http.response.header.content-length")
            .map(|pair| (pair.key.to_string(), serde_json::from_str(&pair.value.to_string()).unwrap()))
            .collect();
        assert_eq!(serde_json::Value::Object(recorded), case["expect"], "{}", case["id"]);
        checked += 1;
    }
    assert!(checked >= 12, "only {checked} cases were checked");
}

fn append(to: &mut HeaderMap, headers: &[Vec<String>]) {
    for pair in headers {
        let name = http::HeaderName::from_bytes(pair[0].as_bytes()).unwrap();
        to.append(name, pair[1].parse().unwrap());
    }
}

#[tokio::test]
async fn forwarding_cases_of_the_reference_suites() {
    let Some(path) = otel_testing::shared_file!("vectors/url_cases.json") else { return };
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut checked = 0;
    for case in document["forwarded_and_host_headers"].as_array().unwrap() {
        let headers = case["headers"].as_array().unwrap();
        let mut request = get("/users/42");
        let mut is_possible = true;
        for pair in headers {
            let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            match name {
                // A pseudo header is part of the URI here, once and well-formed.
                ":authority" => match format!("http://{value}/users/42").parse() {
                    Ok(uri) if request.uri().authority().is_none() => *request.uri_mut() = uri,
                    _ => is_possible = false,
                },
                // Servers refuse a second Host; a quoted one is no host.
                "host" if value.contains('"') || request.headers().contains_key("host") => {
                    is_possible = false;
                }
                _ => append(request.headers_mut(), &[vec![name.to_owned(), value.to_owned()]]),
            }
        }
        if !is_possible {
            continue;
        }
        let telemetry = TestTelemetry::new();
        serve_one(server_layer(&telemetry).with_trusted_proxies(TrustedProxies::all()), request).await;
        let span = telemetry.span("GET /users/{id}");
        for (key, expected) in case["expect"].as_object().unwrap() {
            let actual = span.attribute(key).map(ToString::to_string);
            let expected = match expected {
                serde_json::Value::Null if key == "url.scheme" => Some("http".to_owned()),
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            assert_eq!(actual, expected, "{} {key} of {headers:?}", case["id"]);
        }
        checked += 1;
    }
    assert!(checked >= 110, "only {checked} cases were checked");
}

#[tokio::test]
async fn forwarding_headers_of_strangers_are_ignored() {
    let telemetry = TestTelemetry::new();
    let request = Request::get("/users/42")
        .header("host", "shop.example")
        .header("forwarded", "for=6.6.6.6;host=evil.example;proto=gopher")
        .header("x-forwarded-for", "6.6.6.6");
    serve_one(server_layer(&telemetry), request.body(Body::empty()).unwrap()).await;
    let span = telemetry.span("GET /users/{id}");
    assert!(span.has("server.address", "shop.example") && span.has("url.scheme", "http"));
    assert_eq!(span.attribute("client.address"), None);
}

#[tokio::test]
async fn a_forwarded_scheme_cannot_flood_the_metric() {
    let telemetry = TestTelemetry::new();
    for number in 0..20 {
        let layer = server_layer(&telemetry).with_trusted_proxies(TrustedProxies::all());
        let request = Request::get("/users/42").header("x-forwarded-proto", format!("scheme{number}"));
        serve_one(layer, request.body(Body::empty()).unwrap()).await;
    }
    assert_eq!(telemetry.points(SERVER_DURATION).len(), 1);
}

#[tokio::test]
async fn hooks_add_attributes_and_names_and_may_panic() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_span_name(|request| (request.path() == "/users/42").then(|| "answer".into()))
        .with_attributes(|request, attributes| {
            attributes.span("app.path_length", request.path().len() as i64);
            attributes.both("app.api", true);
        })
        .with_response_attributes(|response, attributes| {
            attributes.both("app.ok", response.status().is_success());
            attributes.span("app.is_text", response.headers()["content-type"] == "text/plain; charset=utf-8");
            panic!("a test panics here");
        });
    serve_one(layer, get("/users/42")).await;
    assert_served_once(&telemetry);
    let span = telemetry.span("answer");
    assert!(span.has("app.path_length", 9) && span.has("app.ok", true), "{}", telemetry.tree());
    assert!(span.has("app.is_text", true), "{}", telemetry.tree());
    let point = &telemetry.points(SERVER_DURATION)[0];
    assert!(point.has("app.api", true) && point.has("app.ok", true));
    assert!(point.attribute("app.path_length").is_none());
}

#[tokio::test]
async fn handlers_add_attributes_until_the_body_ends() {
    let telemetry = TestTelemetry::new();
    let handler = |Extension(attributes): Extension<RequestAttributes>| async move {
        attributes.span("shop.results", 12);
        let body = futures_util::stream::once(async move {
            attributes.both("shop.cached", true);
            Ok::<_, std::convert::Infallible>(Bytes::from_static(b"results"))
        });
        Body::from_stream(body)
    };
    let layer = server_layer(&telemetry).with_request_attributes(true).build();
    let app = Router::new().route("/search", on_get(handler)).layer(layer);
    call(&app, get("/search")).await.into_body().collect().await.unwrap();
    assert_served_once(&telemetry);
    let span = telemetry.span("GET /search");
    assert!(span.has("shop.results", 12) && span.has("shop.cached", true), "{}", telemetry.tree());
    assert!(telemetry.points(SERVER_DURATION)[0].has("shop.cached", true));
}

#[tokio::test]
async fn handlers_add_no_more_than_64_attributes() {
    let telemetry = TestTelemetry::new();
    let handler = |Extension(attributes): Extension<RequestAttributes>| async move {
        for index in (0..100).chain(0..10) {
            attributes.span(format!("shop.{index}"), index);
        }
    };
    let layer = server_layer(&telemetry).with_request_attributes(true).build();
    call(&Router::new().route("/", on_get(handler)).layer(layer), get("/")).await;
    let span = telemetry.span("GET /");
    let added: Vec<_> =
        span.attributes.iter().filter(|added| added.key.as_str().starts_with("shop.")).collect();
    assert_eq!(added.len(), 64);
    assert!(span.has("shop.63", 63));
}

#[tokio::test]
async fn chosen_baggage_is_copied_to_the_span() {
    let telemetry = TestTelemetry::new();
    let w3c = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]);
    let layer = server_layer(&telemetry).with_propagator(w3c).with_baggage_attributes(["customer.tier"]);
    let request = Request::get("/users/42").header("baggage", "customer.tier=gold,secret=hunter2");
    serve_one(layer, request.body(Body::empty()).unwrap()).await;
    let span = telemetry.span("GET /users/{id}");
    assert!(span.has("customer.tier", "gold"));
    assert!(!telemetry.tree().contains("hunter2"));
}

#[tokio::test]
async fn body_sizes_are_the_bytes_that_passed() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_body_sizes(true).build();
    let app = Router::new().route("/echo", post(|body: Bytes| async { body }));
    let app = app.route("/unread", post(|| async {})).layer(layer);
    let request = Request::post("/echo").header("content-length", "5").body(Body::from("12345")).unwrap();
    call(&app, request).await.into_body().collect().await.unwrap();
    let pieces = || Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("12"), Ok("34")]));
    let response = call(&app, Request::post("/echo").body(pieces()).unwrap()).await;
    response.into_body().collect().await.unwrap();
    call(&app, Request::post("/echo").body(Body::empty()).unwrap()).await;
    call(&app, Request::post("/unread").body(pieces()).unwrap()).await;

    let sum_and_count = |name: &str| {
        let points = telemetry.metric(name).points;
        let point = points.iter().find(|point| point.has("http.route", "/echo")).unwrap();
        let histogram = point.histogram().unwrap();
        (histogram.sum, histogram.count)
    };
    // Nothing was seen of the bodies of the last two requests: their sizes are unknown, not 0.
    assert_eq!(sum_and_count("http.server.request.body.size"), (Some(9.0), 2));
    assert_eq!(sum_and_count("http.server.response.body.size"), (Some(9.0), 3));
    assert_eq!(telemetry.metric("http.server.response.body.size").unit, "By");
}

#[tokio::test]
async fn of_a_request_body_that_breaks_off_counts_what_had_passed() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_body_sizes(true).build();
    let app = Router::new().route("/echo", post(|body: Bytes| async { body })).layer(layer);
    let pieces = [Ok("12"), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let response = call(&app, Request::post("/echo").body(body).unwrap()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    drop(response);
    let point = telemetry.metric("http.server.request.body.size").points[0].clone();
    assert_eq!(point.histogram().unwrap().sum, Some(2.0));
}

#[tokio::test]
async fn two_layers_give_one_span_and_the_inner_one_s_route() {
    let telemetry = TestTelemetry::new();
    let app = hello(server_layer(&telemetry));
    let outer = tower::Layer::layer(&server_layer(&telemetry).build(), app.into_service::<Body>());
    let response = tower::ServiceExt::oneshot(outer, get("/users/42")).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_served_once(&telemetry);
    assert!(telemetry.span("GET /users/{id}").has("http.route", "/users/{id}"), "{}", telemetry.tree());
}

#[tokio::test]
async fn a_server_called_in_process_while_another_serves_has_its_own_span() {
    let telemetry = TestTelemetry::new();
    let inner = hello(server_layer(&telemetry)).into_service::<Body>();
    let client = tower::Layer::layer(&client_layer(&telemetry).build(), inner);
    let handler = move || async move {
        tower::ServiceExt::oneshot(client, get("http://users/users/42")).await.unwrap().status()
    };
    let app = Router::new().route("/", on_get(handler)).layer(server_layer(&telemetry).build());
    assert_eq!(call(&app, get("/")).await.status(), StatusCode::OK);
    assert_eq!(telemetry.spans().len(), 3, "{}", telemetry.tree());
}
