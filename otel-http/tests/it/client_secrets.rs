//! Secrets in requests, answers and errors are in nothing that a client emits.

use std::fmt::Write;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::any;
use http_body_util::BodyExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use otel_http::reqwest::{Client, Middleware};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::support::{NOBODY, client_layer, serve};

/// Not to be found anywhere.
const SECRET: &str = "c4n4ry";
/// To be found in `url.full` alone.
const PRIVATE: &str = "pr1v4te";

/// The path and query of a request with all that must not be seen.
fn path() -> String {
    let keys =
        ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId", "Signature", "sig"];
    let keys = keys.iter().chain(&["X-Goog-Signature", "s%69g"]);
    let query = keys.fold(String::new(), |mut query, key| {
        let _ = write!(query, "&{key}={SECRET}");
        query
    });
    format!("/users/{PRIVATE}?q={PRIVATE}{query}")
}

fn headers() -> HeaderMap {
    let names =
        ["authorization", "cookie", "proxy-authorization", "x-api-key", "referer", "user-agent", "x-any"];
    names.into_iter().map(|name| (name.parse().unwrap(), SECRET.parse().unwrap())).collect()
}

#[track_caller]
fn assert_no_secrets(telemetry: &TestTelemetry, spans: usize) {
    assert_eq!(telemetry.spans().len(), spans, "{}", telemetry.tree());
    telemetry.assert_no_secrets([SECRET]);
    for span in telemetry.spans() {
        assert!(!span.name.contains(PRIVATE));
        for pair in &span.attributes {
            let may_hold_it = pair.key.as_str() == "url.full";
            assert!(may_hold_it || !pair.value.to_string().contains(PRIVATE), "{pair:?}");
        }
    }
    assert!(!format!("{:?}", telemetry.metrics()).contains(PRIVATE));
}

#[tokio::test]
async fn tower() {
    async fn fails(_: Request<Body>) -> Result<http::Response<Body>, BoxError> {
        let inner = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, SECRET);
        Err(std::io::Error::other(inner).into())
    }
    async fn answers(_: Request<Body>) -> Result<http::Response<Body>, BoxError> {
        let frames = [Ok(Bytes::from(SECRET)), Err(std::io::Error::other(SECRET))];
        let body = Body::from_stream(futures_util::stream::iter(frames));
        Ok(http::Response::builder().status(500).header("set-cookie", SECRET).body(body)?)
    }
    let telemetry = TestTelemetry::new();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    let layer =
        client_layer(&telemetry).with_active_requests(true).with_body_sizes(true).with_end_at_body(true);
    let layer = layer.with_service_names([("users.example", "users")]).build();
    let request = || {
        let url = format!("https://{SECRET}:{SECRET}@users.example{}", path());
        let mut request = Request::post(url).body(Body::from(SECRET)).unwrap();
        *request.headers_mut() = headers();
        request
    };
    assert!(layer.layer(service_fn(fails)).oneshot(request()).await.is_err());
    let response = layer.layer(service_fn(answers)).oneshot(request()).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_no_secrets(&telemetry, 2);
    let spans = telemetry.spans();
    let url = spans[0].attribute("url.full").expect("the URL was recorded at all");
    assert!(url.as_str().contains(PRIVATE), "{url}");
}

#[tokio::test]
async fn reqwest() {
    let to = |target: String| {
        (StatusCode::TEMPORARY_REDIRECT, [("location", target), ("set-cookie", SECRET.to_owned())])
    };
    let app = Router::new()
        .route("/redirect", any(move || async move { to(path()) }))
        .fallback(|| async { (StatusCode::NOT_FOUND, [("set-cookie", SECRET)], SECRET) });
    let address = serve(app).await;
    let telemetry = TestTelemetry::new();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    let plain = || ::reqwest::Client::builder().no_proxy().build().unwrap();
    macro_rules! configured {
        ($builder:expr) => {
            $builder
                .with_tracer_provider(telemetry.tracer_provider())
                .with_meter_provider(telemetry.meter_provider())
                .with_propagator(TraceContextPropagator::new())
                .with_active_requests(true)
                .with_body_sizes(true)
                .with_end_at_body(true)
                .build()
        };
    }
    let clients = [
        configured!(Client::instrument(plain())),
        configured!(Client::builder().no_proxy().default_headers(headers())).unwrap(),
    ];
    let middleware = configured!(Middleware::builder());
    let with_middleware = reqwest_middleware::ClientBuilder::new(plain()).with(middleware).build();
    let urls = [
        format!("http://{SECRET}:{SECRET}@{address}{}", path()),
        format!("http://{address}/redirect?sig={SECRET}"),
        format!("http://{SECRET}@{NOBODY}{}", path()),
    ];
    for url in &urls {
        for client in &clients {
            // The body fails, or the answer is thrown away unread.
            let sent = client.post(url).headers(headers()).body(SECRET).send().await;
            let _ = sent.map(drop);
        }
        let sent = with_middleware.post(url).headers(headers()).body(SECRET).send().await;
        if let Ok(response) = sent {
            assert_eq!(response.text().await.unwrap(), SECRET);
        }
    }
    assert_no_secrets(&telemetry, urls.len() * 3 + 1);
}
