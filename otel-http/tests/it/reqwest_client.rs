//! The reqwest client against real sockets.

use std::time::Duration;

use axum::Router;
use axum::routing::{get as on_get, post};
use http::{HeaderMap, StatusCode};
use opentelemetry::trace::Status;
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::support::{BOUND, CLIENT_DURATION, NOBODY, reqwest_client, serve};

#[tokio::test]
async fn a_call_and_its_answer() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route(
        "/users",
        post(|headers: HeaderMap, body: String| async move {
            format!("{body} {}", headers["traceparent"].to_str().unwrap())
        }),
    );
    let address = serve(app).await;
    let answer = reqwest_client(&telemetry)
        .post(format!("http://{address}/users"))
        .query(&[("page", "2")])
        .header("x-test", "1")
        .json(&["Ada"])
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();

    let span = telemetry.span("POST");
    let context = &span.span_context;
    assert_eq!(answer, format!(r#"["Ada"] 00-{}-{}-01"#, context.trace_id(), context.span_id()));
    assert!(span.has("server.address", "127.0.0.1") && span.has("server.port", i64::from(address.port())));
    assert!(span.has("url.full", format!("http://{address}/users?page=2")));
    assert!(span.has("http.response.status_code", 200) && span.has("network.protocol.version", "1.1"));
    assert!(span.has("network.peer.address", "127.0.0.1"), "{}", telemetry.tree());
    assert!(span.has("network.peer.port", i64::from(address.port())), "{}", telemetry.tree());
    assert_eq!(telemetry.histogram_count(CLIENT_DURATION), 1);
    assert!(telemetry.points(CLIENT_DURATION)[0].attribute("network.peer.address").is_none());
}

#[tokio::test]
async fn bodies_of_every_kind_arrive() {
    let telemetry = TestTelemetry::new();
    let echo = post(|headers: HeaderMap, body: String| async move {
        format!("{} {body}", headers["content-type"].to_str().unwrap())
    });
    let address = serve(Router::new().route("/", echo)).await;
    let request = || reqwest_client(&telemetry).post(format!("http://{address}/"));
    for (request, expected) in [
        (request().json(&["a b"]), r#"application/json ["a b"]"#),
        (request().form(&[("name", "a b")]), "application/x-www-form-urlencoded name=a+b"),
        (request().header("content-type", "text/plain").body("a b"), "text/plain a b"),
    ] {
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), expected);
    }
    assert_eq!(telemetry.spans_named("POST").len(), 3);
}

#[tokio::test]
async fn error_classes() {
    let app = Router::new()
        .route("/slow", on_get(std::future::pending::<()>))
        .route("/loop", on_get(|| async { axum::response::Redirect::temporary("/loop") }))
        .route("/missing", on_get(|| async { StatusCode::NOT_FOUND }));
    let address = serve(app).await;
    for (url, expected) in [
        (format!("http://{address}/slow"), "timeout"),
        (format!("http://{address}/loop"), "redirect"),
        (format!("http://{address}/missing"), "404"),
        (format!("http://{NOBODY}/"), "connect"),
        ("http://name.invalid/".to_owned(), "dns"),
    ] {
        let telemetry = TestTelemetry::new();
        let patience = if expected == "timeout" { Duration::from_millis(300) } else { BOUND };
        let _ = reqwest_client(&telemetry).get(&url).timeout(patience).send().await;
        let span = telemetry.span("GET");
        assert_eq!(span.status, Status::error(""), "{url}");
        assert!(span.has("error.type", expected.to_owned()), "{url}: {}", telemetry.tree());
        assert_eq!(telemetry.histogram_count(CLIENT_DURATION), 1);
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_the_caller_s_error_and_has_no_span() {
    let telemetry = TestTelemetry::new();
    assert!(reqwest_client(&telemetry).get("no url").send().await.unwrap_err().is_builder());
    assert!(telemetry.spans().is_empty());
}

#[tokio::test]
async fn filtered_calls_still_carry_their_caller_s_context() {
    let telemetry = TestTelemetry::new();
    let app = Router::new().route(
        "/",
        on_get(|headers: HeaderMap| async move { headers["traceparent"].to_str().unwrap().to_owned() }),
    );
    let address = serve(app).await;
    let client = otel_http::reqwest::Client::instrument(reqwest::Client::new())
        .with_tracer_provider(telemetry.tracer_provider())
        .with_propagator(opentelemetry_sdk::propagation::TraceContextPropagator::new())
        .with_filter(|request| request.path() != "/")
        .build();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    let sent = tracing::Instrument::instrument(
        async { client.get(format!("http://{address}/")).send().await.unwrap().text().await.unwrap() },
        tracing::info_span!("caller"),
    )
    .await;
    let caller = telemetry.span("caller").span_context;
    assert_eq!(sent, format!("00-{}-{}-01", caller.trace_id(), caller.span_id()));
    assert_eq!(telemetry.spans().len(), 1);
}

#[tokio::test]
async fn a_request_body_that_fails_is_told_as_such() {
    let telemetry = TestTelemetry::new();
    let address = serve(Router::new().route("/", post(|body: String| async move { body }))).await;
    let pieces = futures_util::stream::iter([Ok("a"), Err(std::io::Error::other("the disk is gone"))]);
    let request = reqwest_client(&telemetry).post(format!("http://{address}/"));
    let error = request.body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap_err();
    let span = telemetry.span("POST");
    assert!(span.has("error.type", "body"), "{error:?} {}", telemetry.tree());
}
