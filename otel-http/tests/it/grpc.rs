//! Requests that are gRPC calls are told of by otel-grpc.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Request, Response};
use otel_core::AlreadyObserved;
use otel_http::not_grpc;
use otel_testing::TestTelemetry;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{SERVER_DURATION, call, client_layer, get, server_layer};

#[tokio::test]
async fn a_client_is_silent_where_a_layer_further_out_observes_the_request() {
    for marked in [false, true] {
        let telemetry = TestTelemetry::new();
        let client =
            client_layer(&telemetry).build().layer(service_fn(|request: Request<Body>| async move {
                let context = request.headers().get("traceparent").cloned();
                let mut response = Response::new(Body::empty());
                response
                    .headers_mut()
                    .extend(context.map(|value| (http::HeaderName::from_static("x-context"), value)));
                Ok::<_, Infallible>(response)
            }));
        let mut request = get("http://payments.example/shop.Payments/Charge");
        let outer = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        request.headers_mut().insert("traceparent", outer.parse().unwrap());
        if marked {
            AlreadyObserved::mark(request.extensions_mut());
        }
        let response = client.oneshot(request).await.unwrap();
        assert_eq!(telemetry.started_spans(), usize::from(!marked));
        assert_eq!(telemetry.metrics().is_empty(), marked);
        assert_eq!(response.headers()["x-context"] == outer, marked, "the outer layer's context stays");
    }
}

#[tokio::test]
async fn the_filter_leaves_calls_out_and_nothing_else() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry).with_filter(not_grpc).build();
    let app = Router::new().route("/", any(|| async { "fine" })).layer(layer);
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc;x=1",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
    ] {
        let request = Request::post("/").header("content-type", content_type);
        call(&app, request.body(Body::empty()).unwrap()).await;
    }
    assert_eq!((telemetry.started_spans(), telemetry.histogram_count(SERVER_DURATION)), (0, 0));
    // A caller that makes up a type escapes neither layer.
    for content_type in
        ["application/json", "application/grpcx", "application/grpc-webx", "application/grpc-text"]
    {
        let request = Request::post("/").header("content-type", content_type);
        call(&app, request.body(Body::empty()).unwrap()).await;
    }
    call(&app, get("/")).await;
    assert_eq!(telemetry.started_spans(), 5);
}
