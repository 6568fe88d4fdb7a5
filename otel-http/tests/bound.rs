//! Instruments that are bound to their attributes, where the SDK is known to be able to. A process of its own, since it
//! sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use opentelemetry::metrics::{
    Histogram, HistogramBuilder, InstrumentProvider, Meter, MeterProvider, SyncInstrument,
};
use opentelemetry::{InstrumentationScope, KeyValue, global};
use otel_core::Install;
use otel_http::HttpServerLayer;
use otel_testing::TestTelemetry;
use tower::ServiceExt;

/// An SDK that knows nothing of bound instruments: what they record would be lost.
struct Plain {
    recorded: Arc<AtomicUsize>,
}

struct PlainHistogram(Arc<AtomicUsize>);

impl MeterProvider for Plain {
    fn meter_with_scope(&self, _: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(Plain { recorded: Arc::clone(&self.recorded) }))
    }
}

impl InstrumentProvider for Plain {
    fn f64_histogram(&self, _: HistogramBuilder<'_, Histogram<f64>>) -> Histogram<f64> {
        Histogram::new(Arc::new(PlainHistogram(Arc::clone(&self.recorded))))
    }
}

impl SyncInstrument<f64> for PlainHistogram {
    fn measure(&self, _: f64, attributes: &[KeyValue]) {
        assert!(attributes.len() >= 4, "{attributes:?}");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn serve(app: &Router, path: &str) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    axum::body::to_bytes(response.into_body(), 100).await.unwrap();
}

#[tokio::test]
async fn every_metric_arrives_whether_the_sdk_can_bind_or_not() {
    let routes = || {
        Router::new()
            .route("/users/{id}", get(|| async { "Ada" }))
            .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
    };
    let app = routes().layer(HttpServerLayer::builder().for_axum().with_body_sizes(true).build());

    // Set by hand, without a word on what it can.
    let recorded = Arc::new(AtomicUsize::new(0));
    global::set_meter_provider(Plain { recorded: Arc::clone(&recorded) });
    otel_core::announce_install(false);
    for _ in 0..5 {
        serve(&app, "/users/42").await;
    }
    assert_eq!(recorded.load(Ordering::Relaxed), 5);

    // An SDK that can, as otel-init installs it; then one that was given by hand beside it.
    let telemetry = TestTelemetry::new();
    global::set_meter_provider(telemetry.meter_provider());
    Install::new().with_bound_instruments(true).with_sampler_reads_attributes(false).announce();
    let recorded = Arc::new(AtomicUsize::new(0));
    let own =
        HttpServerLayer::builder().for_axum().with_meter_provider(Plain { recorded: Arc::clone(&recorded) });
    let own = routes().layer(own.build());
    for _ in 0..7 {
        serve(&app, "/users/42").await;
        serve(&app, "/broken").await;
        serve(&own, "/users/42").await;
    }
    assert_eq!(recorded.load(Ordering::Relaxed), 7);
    let metric = telemetry.metric("http.server.request.duration");
    assert_eq!(metric.points.len(), 2);
    for point in &metric.points {
        assert_eq!(point.count(), Some(7));
        let mut keys = point.attributes.keys();
        keys.sort_unstable();
        let route = point.attribute("http.route").and_then(|route| route.as_str()).unwrap();
        let expected: &[&str] = match route {
            "/broken" => &["error.type"],
            _ => &[],
        };
        let common = [
            "http.request.method",
            "http.response.status_code",
            "http.route",
            "network.protocol.version",
            "url.scheme",
        ];
        assert_eq!(keys, [expected, &common[..]].concat());
    }
    let sizes = telemetry.metric("http.server.response.body.size");
    let total: u64 = sizes.points.iter().filter_map(otel_testing::Point::count).sum();
    assert_eq!(total, 14);
}
