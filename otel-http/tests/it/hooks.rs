//! What hooks may say, and that each attribute is there once, whoever says it.

use std::convert::Infallible;

use axum::body::Body;
use axum::routing::get as on_get;
use axum::{Extension, Router};
use http::{Request, Response};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::context::FutureExt;
use opentelemetry_sdk::trace::Sampler;
use otel_http::reqwest::Client;
use otel_http::{Attributes, HttpRequest, HttpResponse, RequestAttributes};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    CLIENT_DURATION, SERVER_DURATION, assert_served_once, call, client_layer, conventions, get, serve,
    server_layer,
};

#[track_caller]
fn assert_said_once(telemetry: &TestTelemetry) {
    for span in telemetry.spans() {
        let mut keys: Vec<_> = span.attributes.iter().map(|pair| pair.key.as_str()).collect();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count, "{}", telemetry.tree());
    }
}

#[tokio::test]
async fn what_hooks_and_handlers_add_is_there_once() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_request_attributes(true)
        .with_attributes(|_, attributes| {
            attributes.both("app.tenant", "hook");
            attributes.both("app.tenant", "again");
            attributes.both("http.route", "/mine");
            attributes.span("url.path", "/mine");
        })
        .with_response_attributes(|_, attributes| {
            attributes.both("app.tenant", "response");
            attributes.both("http.response.status_code", 299);
        });
    let handler = |Extension(attributes): Extension<RequestAttributes>| async move {
        attributes.both("app.tenant", "handler");
        attributes.both("app.cached", "first");
        attributes.both("app.cached", "last");
        attributes.both("url.scheme", "gopher");
    };
    let app = Router::new().route("/users/{id}", on_get(handler)).layer(layer.build());
    call(&app, get("/users/42")).await;

    assert_served_once(&telemetry);
    assert_said_once(&telemetry);
    let span = telemetry.span("GET /users/{id}");
    assert!(
        span.has("app.tenant", "hook") && span.has("app.cached", "last") && span.has("url.path", "/users/42")
    );
    let points = telemetry.points(SERVER_DURATION);
    assert!(points[0].has("app.tenant", "hook") && points[0].has("http.route", "/users/{id}"));
    assert!(points[0].has("url.scheme", "http") && points[0].has("http.response.status_code", 200));
}

#[tokio::test]
async fn at_the_start_a_hook_of_a_server_says_what_the_layer_does_not() {
    let mut points = Vec::new();
    for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let layer = server_layer(&telemetry).with_attributes(|_, attributes| {
            attributes.span("client.address", "192.0.2.7");
            // On a metric it is opt-in: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>
            for key in ["server.address", "http.request.method", "url.scheme", "network.protocol.version"] {
                attributes.both(key, "mine");
            }
            for key in ["http.route", "http.response.status_code", "error.type"] {
                attributes.both(key, "too early");
            }
        });
        let app = Router::new().fallback(|| async { "nobody's" }).layer(layer.build());
        let request = Request::get("/").header("host", "shop.example").body(Body::empty()).unwrap();
        call(&app, request).await;
        points.push(telemetry.points(SERVER_DURATION).remove(0));
        assert_said_once(&telemetry);
        for span in telemetry.spans() {
            assert!(span.has("client.address", "192.0.2.7"), "{}", telemetry.tree());
            assert!(span.has("server.address", "shop.example"), "{}", telemetry.tree());
            assert!(span.has("http.response.status_code", 200), "{}", telemetry.tree());
            assert_eq!((span.attribute("http.route"), span.attribute("error.type")), (None, None));
        }
    }
    for point in points {
        assert!(point.has("server.address", "mine") && point.has("http.request.method", "GET"), "{point:?}");
        assert!(point.has("url.scheme", "http") && point.has("network.protocol.version", "1.1"), "{point:?}");
        assert!(point.has("http.response.status_code", 200), "{point:?}");
        assert!(point.attribute("http.route").is_none(), "{point:?}");
        assert_eq!(point.attributes.len(), 5, "{point:?}");
    }
}

fn at_start(request: &HttpRequest<'_>, attributes: &mut Attributes<'_>) {
    attributes.both("url.template", "/users/{id}");
    attributes.both("server.address", "mine");
    attributes.span("http.response.status_code", 299);
    attributes.span("app.path", request.path().to_owned());
}

fn at_response(response: &HttpResponse<'_>, attributes: &mut Attributes<'_>) {
    attributes.both("app.cache", response.headers()["x-cache"].to_str().unwrap().to_owned());
    attributes.both("app.is_ok", response.status().is_success());
    for key in ["http.response.status_code", "server.address", "url.template", "app.path"] {
        attributes.both(key, "late");
    }
}

#[track_caller]
fn assert_client_hooks(telemetry: &TestTelemetry, host: &'static str) {
    assert_said_once(telemetry);
    let span = telemetry.span("GET");
    assert!(span.has("app.cache", "hit") && span.has("app.is_ok", true), "{}", telemetry.tree());
    assert!(span.has("server.address", host) && span.has("app.path", "/users/7"), "{}", telemetry.tree());
    assert!(span.has("http.response.status_code", 200) && span.has("url.template", "/users/{id}"));
    assert!(span.has("app.tenant", "7") && span.attribute("app.role").is_none(), "{}", telemetry.tree());
    let point = &telemetry.points(CLIENT_DURATION)[0];
    assert!(point.has("app.cache", "hit") && point.has("url.template", "/users/{id}"), "{point:?}");
    assert!(point.has("server.address", host) && point.has("http.response.status_code", 200), "{point:?}");
    telemetry.assert_conventions_of(&conventions());
}

fn with_baggage() -> Context {
    let entries = ["tenant", "role"].map(|name| opentelemetry::KeyValue::new(format!("app.{name}"), "7"));
    Context::new().with_baggage(entries)
}

#[tokio::test]
async fn hooks_and_baggage_of_clients_are_those_of_servers() {
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry)
        .with_attributes(at_start)
        .with_response_attributes(at_response)
        .with_baggage_attributes(["app.tenant"]);
    let client = layer.build().layer(service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::builder().header("x-cache", "hit").body(Body::empty()).unwrap())
    }));
    client.oneshot(get("http://users.example/users/7")).with_context(with_baggage()).await.unwrap();
    assert_client_hooks(&telemetry, "users.example");

    let telemetry = TestTelemetry::new();
    let address = serve(Router::new().fallback(|| async { [("x-cache", "hit")] })).await;
    let client = Client::instrument(reqwest::Client::new())
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_attributes(at_start)
        .with_response_attributes(at_response)
        .with_baggage_attributes(["app.tenant"])
        .build();
    let url = format!("http://{address}/users/7");
    client.get(url).send().with_context(with_baggage()).await.unwrap();
    assert_client_hooks(&telemetry, "127.0.0.1");
}

#[tokio::test]
async fn a_hook_that_panics_costs_its_attributes_alone() {
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry).with_response_attributes(|_, _| panic!("as the test wants it"));
    let client = layer
        .build()
        .layer(service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) }));
    client.oneshot(get("http://users.example/")).await.unwrap();
    assert!(telemetry.span("GET").has("http.response.status_code", 200));
}
