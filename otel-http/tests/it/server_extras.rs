//! What the server layer records only when asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::routing::{get as on_get, post};
use axum::{Extension, Router};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::Sampler;
use otel_http::{BodyCapture, HttpUpgrade};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, log};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    SERVER_DURATION, assert_served_once, call, client_layer, conventions, get, is_in_flight, server_layer,
};

#[tokio::test]
async fn requests_that_continue_no_trace_are_counted() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for public in [false, true] {
        let telemetry = TestTelemetry::new();
        let layer = server_layer(&telemetry).with_remote_context_counter(true).with_public_endpoint(public);
        let app = Router::new().route("/", on_get(|| async {})).layer(layer.build());
        for (name, value) in [
            ("x-other", "1"),
            ("traceparent", PARENT),
            ("traceparent", "00-0-0-01"),
            ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
        ] {
            call(&app, Request::get("/").header(name, value).body(Body::empty()).unwrap()).await;
        }
        let points = telemetry.points("otel_http.server.remote_contexts");
        let count = |word: &'static str| {
            let point = points.iter().find(|point| point.has("otel_http.remote_context", word));
            point.map_or(0.0, otel_testing::Point::total)
        };
        let expected = if public { [1.0, 2.0, 1.0] } else { [1.0, 2.0, 0.0] };
        assert_eq!(["absent", "invalid", "restarted"].map(count), expected, "{points:?}");
        telemetry.assert_conventions_of(&conventions());
    }
}

#[tokio::test]
async fn ids_are_told_to_those_who_may_know() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_trace_response(|request, peer| {
        request.headers().contains_key("x-trusted") && peer.is_some_and(|peer| peer.ip().is_loopback())
    });
    let app = Router::new().route("/", on_get(|| async {})).layer(layer.build());
    let request = |trusted: bool| {
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 5555));
        let request = Request::get("/").extension(axum::extract::ConnectInfo(peer));
        if trusted { request.header("x-trusted", "1") } else { request }.body(Body::empty()).unwrap()
    };
    let stranger = call(&app, request(false)).await;
    assert!(
        !stranger.headers().contains_key("traceresponse")
            && !stranger.headers().contains_key("server-timing")
    );
    telemetry.clear();
    let response = call(&app, request(true)).await;
    let ids = telemetry.span("GET /").span_context;
    let expected = format!("00-{}-{}-01", ids.trace_id(), ids.span_id());
    assert_eq!(response.headers()["traceresponse"], expected);
    assert_eq!(response.headers()["server-timing"], format!("traceparent;desc=\"{expected}\""));
}

/// Where no span is recorded, the ids of the current one are the caller's.
#[tokio::test]
async fn without_a_span_there_are_no_ids_to_tell() {
    const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let telemetry = TestTelemetry::new();
    let layer = otel_http::HttpServerLayer::builder()
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(opentelemetry_sdk::propagation::TraceContextPropagator::new())
        .with_trace_response(|_, _| true);
    let app = Router::new().route("/", on_get(|| async {})).layer(layer.build());
    let request = Request::get("/").header("traceparent", CALLER).body(Body::empty()).unwrap();
    let response = call(&app, request).await;
    assert_eq!(telemetry.histogram_count(SERVER_DURATION), 1);
    assert_eq!(response.headers().get("traceresponse"), None);
}

#[tokio::test]
async fn errors_and_panics_are_events_and_statuses_are_not() {
    let telemetry = TestTelemetry::new();
    let logs = telemetry.logger_provider();
    let layer = server_layer(&telemetry).with_exception_events(&logs).build();
    let fails = layer.layer(service_fn(|_: Request<Body>| async {
        Err::<http::Response<Body>, _>(std::io::Error::other("password=hunter2"))
    }));
    fails.oneshot(get("/")).await.unwrap_err();
    let event = || log("").event_name("http.server.request.exception");
    telemetry.assert_logs(1, event().has("exception.type", "std::io::error::Error").in_span("GET"));
    telemetry.assert_no_secrets(["hunter2"]);

    telemetry.clear();
    let panics = layer.layer(service_fn(|_: Request<Body>| async {
        if true {
            panic!("a test panics here");
        }
        Ok::<_, std::io::Error>(http::Response::new(Body::empty()))
    }));
    let task = tokio::spawn(panics.oneshot(get("/")));
    assert!(task.await.unwrap_err().is_panic());
    telemetry.assert_logs(1, event().has("exception.type", "panic"));

    telemetry.clear();
    let app = Router::new().route("/", on_get(|| async { StatusCode::INTERNAL_SERVER_ERROR })).layer(layer);
    call(&app, get("/")).await;
    assert!(telemetry.logs().is_empty());

    let client = client_layer(&telemetry).with_exception_events(&logs).build();
    let client = client.layer(service_fn(|_: Request<Body>| async {
        Err::<http::Response<Body>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    }));
    client.oneshot(get("http://users.example/")).await.unwrap_err();
    let event = log("").event_name("http.client.request.exception").has("exception.type", "connect");
    telemetry.assert_logs(1, event.severity(opentelemetry::logs::Severity::Warn));
    telemetry.assert_conventions_of(&conventions());
}

#[tokio::test]
async fn bodies_are_recorded_when_asked_for_and_without_their_secrets() {
    let telemetry = TestTelemetry::new();
    let json = || BodyCapture::of_types(["application/json"]);
    let layer =
        server_layer(&telemetry).with_captured_request_body(json()).with_captured_response_body(json());
    let echo = |headers: http::HeaderMap, body: String| async move {
        ([("content-type", headers["content-type"].clone())], body)
    };
    let app = Router::new().route("/echo", post(echo)).layer(layer.build());
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(5_000));
    for (content_type, body, expected) in [
        ("application/json; charset=utf-8", r#"{"name":"Ada","password":"hunter2"}"#, Some(39)),
        ("Application/JSON", long.as_str(), Some(1_000)),
        ("text/plain", "hunter2", None),
    ] {
        telemetry.clear();
        let request = Request::post("/echo").header("content-type", content_type);
        let response = call(&app, request.body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body, "bodies pass unchanged");
        let span = telemetry.span("POST /echo");
        for key in ["http.request.body.content", "http.response.body.content"] {
            let length = span.attribute(key).map(|value| value.as_str().len());
            assert_eq!(length.is_some(), expected.is_some(), "{key} {}", telemetry.tree());
            assert!(length.is_none_or(|length| Some(length) <= expected), "{key} {length:?}");
        }
        telemetry.assert_no_secrets(["hunter2"]);
    }
}

#[tokio::test]
async fn compressed_bodies_and_bodies_nobody_asked_for_stay_out() {
    let telemetry = TestTelemetry::new();
    let capture = BodyCapture::of_types(["application/json"]);
    let layer = server_layer(&telemetry).with_captured_response_body(capture).build();
    let answer = || async { ([("content-type", "application/json"), ("content-encoding", "gzip")], "{}") };
    let app = Router::new().route("/", on_get(answer)).layer(layer);
    call(&app, get("/")).await.into_body().collect().await.unwrap();
    assert!(telemetry.span("GET /").attribute("http.response.body.content").is_none());
    assert_served_once(&telemetry);
}

#[tokio::test]
async fn no_body_is_looked_at_for_a_span_that_is_not_recorded() {
    for (sampler, expected) in [(Sampler::AlwaysOn, true), (Sampler::AlwaysOff, false)] {
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let is_looked_at = Arc::new(AtomicBool::new(false));
        let looks = Arc::clone(&is_looked_at);
        let capture = BodyCapture::of_types(["text/plain"]).with_redaction(move |text| {
            looks.store(true, Ordering::Relaxed);
            text.to_owned()
        });
        let layer = server_layer(&telemetry).with_captured_response_body(capture).build();
        let app = Router::new().route("/", on_get(|| async { "Ada" })).layer(layer);
        call(&app, get("/")).await.into_body().collect().await.unwrap();
        assert_eq!(is_looked_at.load(Ordering::Relaxed), expected);
        assert_eq!(telemetry.histogram_count(SERVER_DURATION), 1);
    }
}

#[tokio::test]
async fn programs_that_say_so_are_told_from_users() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_synthetic_type(true).build();
    let app = Router::new().route("/", on_get(|| async {})).layer(layer);
    for (user_agent, expected) in
        [("kube-probe/1.30", Some("test")), ("Googlebot/2.1", Some("bot")), ("curl/8", None)]
    {
        telemetry.clear();
        call(&app, Request::get("/").header("user-agent", user_agent).body(Body::empty()).unwrap()).await;
        let span = telemetry.span("GET /");
        let recorded = span.attribute("user_agent.synthetic.type").map(ToString::to_string);
        assert_eq!(recorded.as_deref(), expected);
    }
    assert_eq!(telemetry.points(SERVER_DURATION).len(), 3, "on the metric too");
    telemetry.assert_conventions_of(&conventions());
}

#[tokio::test]
async fn an_upgraded_connection_keeps_the_span_open_if_the_handler_does() {
    for keeps in [false, true] {
        let telemetry = TestTelemetry::new();
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let closed = std::sync::Mutex::new(Some(closed));
        let closed = Arc::new(closed);
        let handler = move |Extension(upgrade): Extension<HttpUpgrade>| async move {
            let closed = closed.lock().unwrap().take().unwrap();
            tokio::spawn(async move {
                let _open = keeps.then_some(upgrade);
                let _ = closed.await;
            });
            StatusCode::SWITCHING_PROTOCOLS
        };
        let layer = server_layer(&telemetry).with_upgrades(true).build();
        let app = Router::new().route("/ws", on_get(handler)).layer(layer);
        let response = call(&app, get("/ws")).await;
        drop(response);
        if keeps {
            assert!(telemetry.spans().is_empty() && is_in_flight(&telemetry, 1.0));
        }
        close.send(()).unwrap();
        otel_testing::eventually(crate::support::BOUND, || telemetry.spans().len() == 1).await;
        otel_testing::eventually(crate::support::BOUND, || is_in_flight(&telemetry, 0.0)).await;
        assert_served_once(&telemetry);
        let span = telemetry.span("GET /ws");
        assert!(span.has("http.response.status_code", 101) && span.status == Status::Unset);
    }
}

#[tokio::test]
async fn a_panic_on_an_upgraded_connection_is_one_of_the_request() {
    let telemetry = TestTelemetry::new();
    let handler = |Extension(upgrade): Extension<HttpUpgrade>| async move {
        let connection = tokio::spawn(async move {
            let _open = upgrade;
            tokio::task::yield_now().await;
            panic!("a test panics here")
        });
        drop(connection);
        StatusCode::SWITCHING_PROTOCOLS
    };
    let layer = server_layer(&telemetry).with_upgrades(true).build();
    let app = Router::new().route("/ws", on_get(handler)).layer(layer);
    drop(call(&app, get("/ws")).await);
    otel_testing::eventually(crate::support::BOUND, || is_in_flight(&telemetry, 0.0)).await;
    otel_testing::eventually(crate::support::BOUND, || telemetry.spans().len() == 1).await;
    assert_served_once(&telemetry);
    let span = telemetry.span("GET /ws");
    assert!(
        span.has("error.type", "panic") && matches!(span.status, Status::Error { .. }),
        "{}",
        telemetry.tree()
    );
}

#[tokio::test]
async fn clients_record_headers_names_and_attributes_when_asked() {
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry)
        .with_captured_request_headers(["x-*"])
        .with_captured_response_headers(["x-*", "set-cookie"])
        .with_sensitive_headers(["x-private"])
        .with_span_name(|request| (request.path() == "/users/42").then(|| "load user".into()))
        .with_attributes(|_, attributes| {
            attributes.both("app.tier", "gold");
            attributes.both("url.full", "mine");
        });
    let client = layer.build().layer(service_fn(|_: Request<Body>| async {
        let response = http::Response::builder().header("x-answer", "42").header("set-cookie", "hunter2");
        Ok::<_, std::io::Error>(response.body(Body::empty()).unwrap())
    }));
    let request =
        Request::get("http://users.example/users/42").header("x-test", "1").header("x-private", "hunter2");
    client.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let span = telemetry.span("load user");
    let value = |key: &str| span.attribute(key).map(ToString::to_string);
    assert_eq!(value("http.request.header.x-test").as_deref(), Some(r#"["1"]"#));
    assert_eq!(value("http.response.header.x-answer").as_deref(), Some(r#"["42"]"#));
    assert_eq!(value("app.tier").as_deref(), Some("gold"));
    assert_eq!(value("url.full").as_deref(), Some("http://users.example/users/42"));
    telemetry.assert_no_secrets(["hunter2"]);
    telemetry.assert_conventions_of(&conventions());
}
