//! Who decides: the caller, the parent here, the head, or somebody with a key.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use otel_core::propagation::{B3Propagator, TraceContextPropagator, with_deferred_decision};

use super::super::ot_state::OtState;
use super::super::{
    AlwaysOff, AlwaysOn, DebugHeader, Probability, RateLimit, RateLimited, Rule, RuleBased, Sampling,
};
use super::installed;

fn headers(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn b3(value: &str) -> Context {
    B3Propagator::single().extract(&headers(&[("b3", value)]))
}

fn w3c(flags: &str, state: &str) -> Context {
    let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    TraceContextPropagator::new().extract(&headers(&[("traceparent", &parent), ("tracestate", state)]))
}

/// A span in this context and one below it: what was exported.
fn two(sampling: &Sampling, context: &Context) -> Vec<SpanData> {
    let (provider, exported, _control) = installed(sampling);
    let tracer = provider.tracer("test");
    let span = tracer.build_with_context(tracer.span_builder("first").with_kind(SpanKind::Server), context);
    let below = context.with_span(span);
    tracer.start_with_context("below", &below).end();
    below.span().end();
    exported.take()
}

fn is_sampled(sampling: &Sampling, context: &Context) -> bool {
    let spans = two(sampling, context);
    assert!(matches!(spans.len(), 0 | 2), "whole traces: {spans:?}");
    !spans.is_empty()
}

fn always_on() -> [Sampling; 2] {
    [Sampling::sdk_named(Sampler::AlwaysOn, "always_on".to_owned()), Sampling::new(AlwaysOn)]
}

fn always_off() -> [Sampling; 2] {
    [Sampling::sdk_named(Sampler::AlwaysOff, "always_off".to_owned()), Sampling::new(AlwaysOff)]
}

const IDS: &str = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1";

#[test]
fn what_b3_says_holds_and_what_it_leaves_open_the_head_decides() {
    for (value, with_head_on, with_head_off) in [
        (format!("{IDS}-1"), true, true),
        (format!("{IDS}-0"), false, false),
        // Debug: whatever the rate.
        (format!("{IDS}-d"), true, true),
        // Deferred.
        (IDS.to_owned(), true, false),
        // Decisions without ids.
        ("0".to_owned(), false, false),
        ("1".to_owned(), true, true),
        ("d".to_owned(), true, true),
    ] {
        for sampling in always_on() {
            assert_eq!(is_sampled(&sampling, &b3(&value)), with_head_on, "{value} {sampling}");
        }
        for sampling in always_off() {
            assert_eq!(is_sampled(&sampling, &b3(&value)), with_head_off, "{value} {sampling}");
        }
    }
}

#[test]
fn a_flag_that_does_not_count_leaves_the_decision_to_the_head() {
    for flags in ["00", "01"] {
        let context = with_deferred_decision(&w3c(flags, "ot=th:8;rv:ffffffffffffff,vendor=1"));
        assert!(always_off().iter().all(|sampling| !is_sampled(sampling, &context)));
        let spans = two(&Sampling::probability(0.25), &context);
        // Its ids stay, and so does the rest of its state; the threshold is ours.
        assert_eq!(spans.len(), 2);
        assert_eq!(spans[1].span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(spans[1].span_context.trace_state().header(), "ot=th:c;rv:ffffffffffffff,vendor=1");
    }
    let debug = with_deferred_decision(&b3(&format!("{IDS}-d")));
    assert!(!is_sampled(&Sampling::new(AlwaysOff), &debug));
    assert!(!is_sampled(&Sampling::new(AlwaysOff), &with_deferred_decision(&b3("1"))));
    assert!(is_sampled(&Sampling::new(AlwaysOn), &with_deferred_decision(&b3("0"))));
}

#[test]
fn the_threshold_of_the_caller_goes_on_to_all_spans_below() {
    let spans = two(&Sampling::new(AlwaysOff), &w3c("03", "ot=th:8;rv:9b8233f7e3a151"));
    let thresholds: Vec<_> =
        spans.iter().map(|span| OtState::of(span.span_context.trace_state()).threshold).collect();
    assert_eq!(thresholds.len(), 2);
    assert!(thresholds.iter().all(|threshold| threshold.unwrap().to_string() == "8"));
    // A caller without threshold gets none: nobody knows how many its spans stand for.
    let spans = two(&Sampling::new(AlwaysOn), &w3c("01", ""));
    assert_eq!(spans[0].span_context.trace_state().header(), "");
}

#[test]
fn a_trace_for_a_key_is_recorded_and_not_counted() {
    let header = DebugHeader::new("0123456789abcdef");
    let value = header.sign(SystemTime::now() + Duration::from_secs(60));
    let sampling = Sampling::probability(0.0)
        .with_rate_limit(RateLimit::per_second(0.0))
        .with_debug_header(header.clone());
    for base in [Context::new(), w3c("00", ""), b3("0")] {
        assert!(!is_sampled(&sampling, &base));
        let context = header.propagator().extract_with_context(&base, &headers(&[(header.name(), &value)]));
        let spans = two(&sampling, &context);
        assert_eq!(spans.len(), 2);
        assert!(spans.iter().all(|span| span.span_context.trace_state().header().is_empty()));
        let forged = headers(&[(header.name(), "9999999999:00")]);
        assert!(!is_sampled(&sampling, &header.propagator().extract_with_context(&base, &forged)));
    }
    // One that is sampled anyway is counted as any other.
    let context =
        header.propagator().extract_with_context(&Context::new(), &headers(&[(header.name(), &value)]));
    let spans = two(&Sampling::new(AlwaysOn), &context);
    assert_eq!(spans[0].span_context.trace_state().header(), "ot=th:0");
}

#[test]
fn rules_decide_by_what_a_span_starts_with() {
    let rules = RuleBased::new()
        .with_rule(Rule::route("/health*").never())
        .with_rule(Rule::attribute("tenant.id", "gold*").with_kind(SpanKind::Server).always())
        .with_rule(
            Rule::name("nightly *").with_sampler(RateLimited::new(AlwaysOn, RateLimit::per_second(0.0))),
        )
        .with_rule(Rule::kind(SpanKind::Consumer).sample(1.0))
        .otherwise(Probability::new(0.0));
    let sampling = Sampling::new(rules);
    let (provider, exported, control) = installed(&sampling);
    let tracer = provider.tracer("test");
    let start = |name: &'static str, kind, key: &'static str, value: &'static str| {
        let builder = tracer.span_builder(name).with_kind(kind).with_attributes([KeyValue::new(key, value)]);
        tracer.build_with_context(builder, &Context::new()).end();
        exported.names().len()
    };
    assert_eq!(start("GET", SpanKind::Server, "http.route", "/health/live"), 0);
    assert_eq!(start("GET", SpanKind::Consumer, "url.path", "/healthz"), 0);
    assert_eq!(start("GET", SpanKind::Server, "tenant.id", "gold-1"), 1);
    assert_eq!(start("GET", SpanKind::Client, "tenant.id", "gold-1"), 0);
    assert_eq!(start("nightly sum", SpanKind::Consumer, "a", "b"), 0);
    assert_eq!(start("orders process", SpanKind::Consumer, "a", "b"), 1);
    assert_eq!(start("anything", SpanKind::Internal, "a", "b"), 0);
    assert!(sampling.reads_attributes());
    assert!(
        control
            .handle()
            .description()
            .starts_with("route /health*: always_off; tenant.id gold* and kind Server")
    );
}

#[test]
fn it_is_told_right_whether_attributes_are_looked_at() {
    let by_name = RuleBased::new().with_rule(Rule::name("a").always()).with_rule(Rule::root().never());
    let by_route = RuleBased::new().with_rule(Rule::route("/").always());
    let limit = RateLimit::per_second(1.0);
    for (sampling, reads) in [
        (Sampling::development(), false),
        (Sampling::staging(), false),
        (Sampling::emergency(), false),
        // Its limit is one for each route.
        (Sampling::production(), true),
        (Sampling::new(by_name.clone()), false),
        (Sampling::new(by_route.clone()), true),
        (Sampling::new(AlwaysOn).with_local_parent_sampled(by_route.clone()), true),
        (Sampling::new(RuleBased::new().with_rule(Rule::any().with_sampler(by_route))), true),
        (Sampling::probability(0.5).with_rate_limit(limit.clone().for_each_name()), false),
        (Sampling::probability(0.5).with_rate_limit(limit.clone().for_each_attribute("a")), true),
        (Sampling::new(RateLimited::new(by_name, limit.for_each_route())), true),
        // Nobody knows what it does.
        (Sampling::sdk(Sampler::AlwaysOn), true),
        (Sampling::sdk_named(Sampler::AlwaysOn, String::new()), false),
    ] {
        assert_eq!(sampling.reads_attributes(), reads, "{sampling}");
    }
}

#[test]
fn a_refused_trace_is_counted_and_its_neighbours_have_no_threshold() {
    let sampling = Sampling::new(AlwaysOn).with_rate_limit(RateLimit::per_minute(1.0).with_burst(3.0));
    let (provider, exported, control) = installed(&sampling);
    let tracer = provider.tracer("test");
    for _ in 0..10 {
        tracer.start_with_context("root", &Context::new()).end();
    }
    let spans = exported.take();
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|span| span.span_context.trace_state().header() == "ot=th:0"));
    assert_eq!(control.health().rate_limited, 7);
}
