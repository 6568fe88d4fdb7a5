//! W3C trace context beside upstream's propagator, on headers of HTTP, in one run.
//!
//! `cargo bench -p otel-core --bench propagation`. Compare the two of a pair; the times drift with the machine.

#![expect(missing_docs, reason = "a benchmark has no API")]
#![expect(clippy::unwrap_used, reason = "headers written here are valid")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use otel_core::carrier::{HeaderExtractor, HeaderInjector};
use otel_core::propagation::{BaggagePropagator, TraceContextPropagator};

type Propagators = [(&'static str, Box<dyn TextMapPropagator>); 2];

fn trace_context() -> Propagators {
    [
        ("ours", Box::new(TraceContextPropagator::new())),
        ("upstream", Box::new(opentelemetry_sdk::propagation::TraceContextPropagator::new())),
    ]
}

fn baggage() -> Propagators {
    [
        ("ours", Box::new(BaggagePropagator::new())),
        ("upstream", Box::new(opentelemetry_sdk::propagation::BaggagePropagator::new())),
    ]
}

/// A request as a browser or a service sends it, with these headers of a trace besides.
fn request(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let usual = [
        ("host", "shop.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, br"),
        ("content-type", "application/json"),
        ("content-length", "42"),
    ];
    let all = usual.iter().chain(pairs);
    all.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

const PLAIN: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
const RANDOM: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
const STATE: (&str, &str) =
    ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,ot=th:8;rv:9b8233f7e3a151");
const ENTRIES: (&str, &str) = ("baggage", "tenant=acme,user=DF%2028,flag=on;ttl=60");

fn run(c: &mut Criterion, group: &str, propagators: &Propagators, headers: &HeaderMap) {
    let mut extract = c.benchmark_group(format!("extract/{group}"));
    for (name, propagator) in propagators {
        extract.bench_function(BenchmarkId::from_parameter(name), |b| {
            let context = Context::new();
            b.iter(|| propagator.extract_with_context(&context, &HeaderExtractor::new(black_box(headers))));
        });
    }
    extract.finish();
    let mut inject = c.benchmark_group(format!("inject/{group}"));
    for (name, propagator) in propagators {
        let context = propagator.extract_with_context(&Context::new(), &HeaderExtractor::new(headers));
        inject.bench_function(BenchmarkId::from_parameter(name), |b| {
            let mut outgoing = request(&[]);
            b.iter(|| {
                propagator.inject_context(black_box(&context), &mut HeaderInjector::new(&mut outgoing));
            });
        });
    }
    inject.finish();
}

fn propagation(c: &mut Criterion) {
    run(c, "traceparent", &trace_context(), &request(&[PLAIN]));
    run(c, "traceparent, random id", &trace_context(), &request(&[RANDOM]));
    run(c, "traceparent, tracestate", &trace_context(), &request(&[PLAIN, STATE]));
    run(c, "traceparent, tracestate, random id", &trace_context(), &request(&[RANDOM, STATE]));
    run(c, "nothing", &trace_context(), &request(&[]));
    run(c, "baggage", &baggage(), &request(&[ENTRIES]));
}

criterion_group!(benches, propagation);
criterion_main!(benches);
