//! The adapter for `reqwest-middleware`, alone and inside of `reqwest-retry`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use otel_http::UrlTemplate;
use otel_http::reqwest::{Middleware, MiddlewareBuilder};
use otel_testing::{SpanDataExt, TestTelemetry};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;

use crate::support::{CLIENT_DURATION, NOBODY, serve};

fn middleware(telemetry: &TestTelemetry) -> MiddlewareBuilder {
    Middleware::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
}

fn with_retries(telemetry: &TestTelemetry) -> ClientWithMiddleware {
    let backoff = ExponentialBackoff::builder()
        .retry_bounds(std::time::Duration::from_millis(1), std::time::Duration::from_millis(2))
        .build_with_max_retries(2);
    ClientBuilder::new(reqwest::Client::builder().no_proxy().build().unwrap())
        .with(RetryTransientMiddleware::new_with_policy(backoff))
        .with(middleware(telemetry).build())
        .build()
}

#[tokio::test]
async fn each_attempt_has_a_span_and_a_number() {
    let telemetry = TestTelemetry::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let app = Router::new().fallback(any(move |headers: HeaderMap| async move {
        let status = match seen.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        };
        (status, headers["traceparent"].to_str().unwrap().to_owned())
    }));
    let address = serve(app).await;
    let client = with_retries(&telemetry);
    for first in [0, 3] {
        let request = client.get(format!("http://{address}/users/42"));
        let response = request.with_extension(UrlTemplate::new("/users/{id}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let sent = response.text().await.unwrap();
        let spans = telemetry.spans_named("GET /users/{id}");
        let last = &spans.last().unwrap().span_context;
        assert_eq!(sent, format!("00-{}-{}-01", last.trace_id(), last.span_id()));
        assert_eq!(spans.len(), if first == 0 { 3 } else { 4 }, "each call starts to count anew");
    }
    let resends: Vec<_> = telemetry
        .spans()
        .iter()
        .map(|span| span.attribute("http.request.resend_count").map(ToString::to_string))
        .collect();
    assert_eq!(resends, [None, Some("1".to_owned()), Some("2".to_owned()), None]);
    assert_eq!(telemetry.histogram_count(CLIENT_DURATION), 4);
}

#[tokio::test]
async fn errors_of_reqwest_and_of_other_middleware() {
    let telemetry = TestTelemetry::new();
    with_retries(&telemetry).get(format!("http://{NOBODY}/")).send().await.unwrap_err();
    assert_eq!(telemetry.spans().len(), 3);
    assert!(telemetry.spans().iter().all(|span| span.has("error.type", "connect")), "{}", telemetry.tree());

    // The other way round one span covers all attempts, and the error has been wrapped on its way out.
    let telemetry = TestTelemetry::new();
    let client = ClientBuilder::new(reqwest::Client::builder().no_proxy().build().unwrap())
        .with(middleware(&telemetry).build())
        .with(RetryTransientMiddleware::new_with_policy(
            ExponentialBackoff::builder().build_with_max_retries(0),
        ))
        .build();
    client.get(format!("http://{NOBODY}/")).send().await.unwrap_err();
    assert_eq!(telemetry.spans().len(), 1);
    assert!(telemetry.span("GET").has("error.type", "connect"), "{}", telemetry.tree());

    let telemetry = TestTelemetry::new();
    let client =
        ClientBuilder::new(reqwest::Client::new()).with(middleware(&telemetry).build()).with(Fails).build();
    client.get("http://users.example/").send().await.unwrap_err();
    assert!(telemetry.span("GET").has("error.type", "_OTHER"), "{}", telemetry.tree());
}

struct Fails;

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Fails {
    async fn handle(
        &self,
        _: reqwest::Request,
        _: &mut http::Extensions,
        _: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        Err(reqwest_middleware::Error::middleware(std::io::Error::other("some words")))
    }
}
