//! What exemplars cost a measurement: `cargo bench -p otel-init --bench exemplars`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use otel_init::{Signal, Telemetry};

fn measure(criterion: &mut Criterion, name: &str, meter: &Meter) {
    let attributes = [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/orders/{id}"),
        KeyValue::new("http.response.status_code", 200),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("network.protocol.version", "1.1"),
    ];
    let bounds = vec![0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    let latency = meter.f64_histogram("latency").with_boundaries(bounds).build();
    let bound = latency.bind(&attributes);
    for (span, flags) in
        [("none", None), ("unsampled", Some(TraceFlags::NOT_SAMPLED)), ("sampled", Some(TraceFlags::SAMPLED))]
    {
        let context = flags.map_or_else(Context::new, |flags| {
            let span = SpanContext::new(1.into(), 2.into(), flags, false, TraceState::default());
            Context::new().with_remote_span_context(span)
        });
        let _current = context.attach();
        criterion.bench_function(&format!("record/{name}/{span}"), |bencher| {
            bencher.iter(|| latency.record(black_box(0.2), black_box(&attributes)));
        });
        criterion.bench_function(&format!("record, bound/{name}/{span}"), |bencher| {
            bencher.iter(|| bound.record(black_box(0.2)));
        });
    }
}

fn exemplars(criterion: &mut Criterion) {
    // Without exemplars instruments are the SDK's.
    let sdk = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    measure(criterion, "always_off", &sdk.meter("bench"));
    let telemetry = Telemetry::builder()
        .with_environment(|_| None)
        .with_endpoint("http://127.0.0.1:9")
        .with_exporters(Signal::Traces, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .install()
        .unwrap();
    measure(criterion, "trace_based", &global::meter("bench"));
    drop(telemetry);
}

criterion_group!(benches, exemplars);
criterion_main!(benches);
