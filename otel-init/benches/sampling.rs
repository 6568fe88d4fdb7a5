//! What a decision costs, beside the SDK's own sampler.

#![allow(missing_docs, reason = "a benchmark has no callers")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, ShouldSample};
use otel_init::sampling::{Adaptive, Probability, RateLimit, Rule, RuleBased, Sampling};
use otel_init::{opentelemetry, opentelemetry_sdk};

fn samplers() -> Vec<(&'static str, Box<dyn ShouldSample>)> {
    let rules = RuleBased::new()
        .with_rule(Rule::route("/health*").never())
        .with_rule(Rule::route("/checkout").always())
        .with_rule(Rule::name("nightly *").always())
        .otherwise(Probability::new(0.01));
    let unlimited = RateLimit::per_second(1e9);
    let all = Sampling::probability(1.0);
    vec![
        ("sdk: parent-based ratio 1 %", Box::new(Sampler::parent_based(Sampler::TraceIdRatioBased(0.01)))),
        ("probability 1 %", Box::new(Sampling::probability(0.01).sampler())),
        ("probability 100 %", Box::new(all.sampler())),
        ("three rules, probability 1 %", Box::new(Sampling::new(rules).sampler())),
        ("rate limit", Box::new(all.clone().with_rate_limit(unlimited.clone()).sampler())),
        ("rate limit for each route", Box::new(all.with_rate_limit(unlimited.for_each_route()).sampler())),
        ("adaptive", Box::new(Sampling::new(Adaptive::traces_per_second(100.0)).sampler())),
        ("production", Box::new(Sampling::production().sampler())),
    ]
}

/// A local parent, sampled with a threshold or not at all.
fn parent(flags: TraceFlags, state: TraceState) -> Context {
    let span_context = SpanContext::new(TraceId::from(7), SpanId::from(7), flags, false, state);
    Context::new().with_remote_span_context(span_context)
}

fn decisions(criterion: &mut Criterion) {
    let attributes = [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("url.path", "/users/7"),
        KeyValue::new("http.route", "/users/{id}"),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("server.address", "shop.example"),
    ];
    let threshold = TraceState::from_key_value([("ot", "th:fd70a")]).unwrap_or_default();
    for (name, context) in [
        ("root", Context::new()),
        ("below sampled", parent(TraceFlags::SAMPLED, threshold)),
        ("below unsampled", parent(TraceFlags::NOT_SAMPLED, TraceState::NONE)),
    ] {
        let mut group = criterion.benchmark_group(format!("decision/{name}"));
        for (sampler_name, sampler) in samplers() {
            let mut id = 0x9e37_79b9_7f4a_7c15_u64;
            group.bench_function(BenchmarkId::from_parameter(sampler_name), |bencher| {
                bencher.iter(|| {
                    id = id.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let trace_id = TraceId::from(u128::from(id));
                    let kind = SpanKind::Server;
                    black_box(sampler.should_sample(
                        Some(&context),
                        trace_id,
                        "GET /users/{id}",
                        &kind,
                        black_box(&attributes),
                        &[],
                    ))
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
