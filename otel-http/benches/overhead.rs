//! What does the server layer add to a request? An axum router with one route, called in process.
//!
//! `cargo bench -p otel-http --features axum --bench overhead`: allocations of each case first, then the times. Compare
//! ratios within one run; the times drift with the machine.

#![expect(missing_docs, reason = "a benchmark has no API")]
#![expect(clippy::print_stdout, reason = "allocations are part of the report")]

use std::hint::black_box;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use http::Request;
use http_body_util::BodyExt;
use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use otel_http::HttpServerLayer;
use tower::ServiceExt;
use tower_http::map_response_body::MapResponseBodyLayer;

/// Ends a span as cheaply as possible, so that the layer is measured and not an exporter.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, span: SpanData) {
        black_box(span);
    }
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn tracer(sampler: Sampler) -> SdkTracerProvider {
    SdkTracerProvider::builder().with_span_processor(Discard).with_sampler(sampler).build()
}

fn meter() -> SdkMeterProvider {
    SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build()
}

/// A layer that does nothing but return a body of another type, as every layer does that watches bodies.
fn empty_layer() -> Router {
    let wrap = |body: Body| body.map_err(std::convert::identity as fn(axum::Error) -> axum::Error);
    bare().layer(MapResponseBodyLayer::new(wrap))
}

fn bare() -> Router {
    Router::new().route("/users/{id}", get(|| async { "Ada" }))
}

type Case = (&'static str, fn() -> Router);

/// The cases in the order in which they run. The global ones set the global providers, as `otel-init` does, and so
/// `no provider` comes first.
fn cases() -> [Case; 8] {
    [
        ("bare", bare),
        ("empty layer", empty_layer),
        ("no provider", || bare().layer(HttpServerLayer::for_axum())),
        ("unsampled, with metrics", || globally(Sampler::AlwaysOff)),
        ("sampled, with metrics", || globally(Sampler::AlwaysOn)),
        ("traces", || {
            let layer = HttpServerLayer::builder().for_axum().with_tracer_provider(tracer(Sampler::AlwaysOn));
            bare().layer(layer.with_meter_provider(NoopMeterProvider::new()).build())
        }),
        ("metrics", || {
            let layer = HttpServerLayer::builder().for_axum().with_meter_provider(meter());
            bare().layer(layer.with_tracer_provider(NoopTracerProvider::new()).build())
        }),
        ("traces and metrics, own providers", || {
            let layer = HttpServerLayer::builder().for_axum().with_meter_provider(meter());
            bare().layer(layer.with_tracer_provider(tracer(Sampler::AlwaysOn)).build())
        }),
    ]
}

fn globally(sampler: Sampler) -> Router {
    global::set_meter_provider(meter());
    global::set_tracer_provider(tracer(sampler));
    otel_core::announce_install(false);
    bare().layer(HttpServerLayer::for_axum())
}

fn request() -> Request<Body> {
    Request::get("/users/42")
        .header("host", "shop.example:8080")
        .header("user-agent", "bench/1.0")
        .body(Body::empty())
        .expect("a valid request")
}

fn call(router: &Router) {
    let response = router.clone().oneshot(request()).now_or_never().expect("ready").expect("infallible");
    black_box(response.into_body().collect().now_or_never().expect("ready").expect("a body"));
}

fn overhead(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("axum /users/{id}");
    for (name, router) in cases() {
        let router = router();
        call(&router); // the first request makes instruments and attribute sets
        let allocations = allocation_counter::measure(|| call(&router)).count_total;
        println!("{name}: {allocations} allocations per request");
        group.bench_function(name, |bencher| bencher.iter(|| call(&router)));
    }
    group.finish();
}

criterion_group!(benches, overhead);
criterion_main!(benches);
