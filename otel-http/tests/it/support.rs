//! Set-up that the tests share.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use otel_http::{HttpClientLayer, HttpClientLayerBuilder, HttpServerLayer, HttpServerLayerBuilder};
use otel_testing::{AssertTelemetry, Conventions, TestTelemetry};
use tower::ServiceExt;

pub(crate) const SERVER_DURATION: &str = "http.server.request.duration";
pub(crate) const CLIENT_DURATION: &str = "http.client.request.duration";

/// How long a test waits for something that should come at once.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Where nobody listens, nor is given this port by the system.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

pub(crate) fn server_layer(telemetry: &TestTelemetry) -> HttpServerLayerBuilder {
    HttpServerLayer::builder()
        .for_axum()
        .with_active_requests(true)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
}

pub(crate) fn client_layer(telemetry: &TestTelemetry) -> HttpClientLayerBuilder {
    HttpClientLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
}

pub(crate) fn reqwest_client(telemetry: &TestTelemetry) -> otel_http::reqwest::Client {
    reqwest_client_around(reqwest::Client::new(), telemetry)
}

pub(crate) fn reqwest_client_around(
    inner: reqwest::Client,
    telemetry: &TestTelemetry,
) -> otel_http::reqwest::Client {
    otel_http::reqwest::Client::instrument(inner)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
        .build()
}

/// Calls a router in process.
pub(crate) async fn call(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.expect("a router cannot fail")
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a valid request")
}

/// Serves a router on a free port until the test's runtime ends.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());
    address
}

/// The measurement points of what is in flight say this number; 0 as well when there was none yet.
pub(crate) fn is_in_flight(telemetry: &TestTelemetry, count: f64) -> bool {
    telemetry.total("http.server.active_requests") == count
}

/// Whatever the way out: one server span that has ended, one duration, nothing in flight, everything by the conventions.
#[track_caller]
pub(crate) fn assert_served_once(telemetry: &TestTelemetry) {
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    telemetry.assert_all_spans_ended();
    telemetry.assert_nothing_in_flight();
    assert_eq!(telemetry.histogram_count(SERVER_DURATION), 1);
    telemetry.assert_conventions_of(&conventions());
}

/// What the tests' applications may say beside the conventions.
pub(crate) fn conventions() -> Conventions {
    Conventions::new().allow("app").allow("shop").allow("customer")
}
