//! Layers that were built and used before the SDK was installed. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use otel_http::{HttpClientLayer, HttpServerLayer};
use otel_testing::OtlpReceiver;
use tower::{Layer, ServiceExt};

#[tokio::test]
async fn a_layer_that_served_before_the_install_records_everything_after_it() {
    let app = Router::new()
        .route("/users/{id}", get(|| async { "Ada" }))
        .layer(HttpServerLayer::builder().for_axum().with_active_requests(true).build());
    let client = HttpClientLayer::new().layer(app.clone().into_service::<Body>());
    let call = || {
        let request = Request::get("http://users.example/users/42").body(Body::empty()).unwrap();
        let client = client.clone();
        async move {
            axum::body::to_bytes(Body::new(client.oneshot(request).await.unwrap().into_body()), 10).await
        }
    };
    assert_eq!(call().await.unwrap(), "Ada", "served before anything is installed");

    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = otel_init::Telemetry::builder()
        .with_service_name("users")
        .with_endpoint(receiver.http_endpoint())
        .install()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(call().await.unwrap(), "Ada");
    }
    telemetry.shutdown().await.unwrap();

    let traces = receiver.traces();
    assert_eq!(traces.len(), 3);
    for trace in traces {
        let (client, server) = (trace.roots()[0], trace.spans_named("GET /users/{id}")[0]);
        assert_eq!((client.name.as_str(), trace.spans.len()), ("GET", 2), "{}", trace.tree());
        assert_eq!(server.parent_span_id.as_ref(), Some(&client.span_id), "{}", trace.tree());
    }
    let metrics = receiver.metrics();
    for name in ["http.server.request.duration", "http.client.request.duration"] {
        let metric = metrics.iter().find(|metric| metric.name() == name).unwrap();
        assert_eq!(metric.points()[0].count(), Some(3), "{name}");
    }
    let active = metrics.iter().find(|metric| metric.name() == "http.server.active_requests").unwrap();
    assert_eq!(active.points()[0].number().map(otel_testing::Number::as_f64), Some(0.0));
}
