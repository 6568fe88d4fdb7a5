//! An axum router with one route, called in process.

use std::hint::black_box;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::FutureExt;
use http::Request;
use http_body_util::BodyExt;
use opentelemetry::global;
use otel_http::HttpServerLayer;
use tower::ServiceExt;
use tower_http::map_response_body::MapResponseBodyLayer;

pub fn bare() -> Router {
    Router::new().route("/users/{id}", get(|| async { "Ada" }))
}

/// A layer that does nothing but return a body of another type, as every layer does that watches bodies.
pub fn empty_layer() -> Router {
    let wrap = |body: Body| body.map_err(std::convert::identity as fn(axum::Error) -> axum::Error);
    bare().layer(MapResponseBodyLayer::new(wrap))
}

pub fn ours() -> Router {
    bare().layer(HttpServerLayer::for_axum())
}

/// Traces and metrics.
pub fn contrib_tower() -> Router {
    bare().layer(opentelemetry_instrumentation_tower::http::server::Layer::new())
}

pub fn contrib_tower_metrics() -> Router {
    let layer =
        opentelemetry_instrumentation_tower::http::server::LayerBuilder::builder().with_tracing(false);
    bare().layer(layer.build().expect("a layer"))
}

/// Traces and metrics.
pub fn tower_otel() -> Router {
    let meter = global::meter("bench");
    bare()
        .layer(tower_otel::trace::HttpLayer::server(tracing::Level::INFO))
        .layer(tower_otel::metrics::HttpLayer::server(&meter))
}

pub fn tower_otel_metrics() -> Router {
    bare().layer(tower_otel::metrics::HttpLayer::server(&global::meter("bench")))
}

/// Traces alone: it has no metrics.
pub fn axum_tracing() -> Router {
    bare().layer(axum_tracing_opentelemetry::middleware::OtelAxumLayer::default())
}

pub fn request(parent: bool) -> Request<Body> {
    let mut request = Request::get("/users/42")
        .header("host", "shop.example:8080")
        .header("user-agent", "bench/1.0")
        .body(Body::empty())
        .expect("a valid request");
    if parent {
        let parent =
            http::HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03");
        request.headers_mut().insert("traceparent", parent);
    }
    request
}

/// What `axum::serve` does first: without it, handlers become services, in their layers, for each request anew.
pub fn ready(router: Router) -> Router {
    router.with_state(())
}

/// One request, from a clone of the router to the end of the response's body.
pub fn call(router: &Router, parent: bool) {
    let response =
        router.clone().oneshot(request(parent)).now_or_never().expect("ready").expect("infallible");
    black_box(response.into_body().collect().now_or_never().expect("ready").expect("a body"));
}
