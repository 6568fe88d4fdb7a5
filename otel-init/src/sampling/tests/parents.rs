//! Who decides: the caller, the parent here, the head, or somebody with a key.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, Span as _, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample as _, SpanData};
use otel_core::propagation::{B3Propagator, TraceContextPropagator, with_deferred_decision};

use super::super::ot_state::{OtState, with_threshold};
use super::super::{
    AlwaysOff, AlwaysOn, DebugHeader, ParentThreshold, Probability, Proportional, RateLimit, RateLimited,
    Rule, RuleBased, SampledLinks, Sampling, Threshold,
};
use super::{composite, installed};

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

/// "If a sampled incoming threshold is apparently inconsistent, erase it": the trace of a caller that sampled it goes on, and
/// nobody knows how many it stands for.
/// <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/#parent-based-threshold>
#[test]
fn a_threshold_that_would_not_have_sampled_the_trace_does_not_break_it() {
    let caller = w3c("03", "ot=th:f;rv:00000000000000,vendor=1");
    let [by_flag, off] = always_off();
    for sampling in [Sampling::probability(0.01), Sampling::production(), by_flag, off] {
        let spans = two(&sampling, &caller);
        assert_eq!(spans.len(), 2, "{sampling}");
        for span in spans {
            let state = span.span_context.trace_state();
            assert_eq!(
                (state.get("ot"), state.get("vendor")),
                (Some("rv:00000000000000"), Some("1")),
                "{sampling}"
            );
        }
    }
    let followed = composite(ParentThreshold::new(AlwaysOff));
    let (trace_id, kind) = (caller.span().span_context().trace_id(), SpanKind::Server);
    let result = followed.should_sample(Some(&caller), trace_id, "request", &kind, &[], &[]);
    assert_eq!(result.decision, SamplingDecision::RecordAndSample);
    assert_eq!(result.trace_state.get("ot"), Some("rv:00000000000000"));
    // Half of it, by the randomness of the trace.
    let half = composite(Proportional::new(0.5));
    let result = half.should_sample(Some(&caller), trace_id, "request", &kind, &[], &[]);
    assert_eq!(result.decision, SamplingDecision::Drop);
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
fn rules_tell_spans_by_where_their_parent_is() {
    let (nowhere, elsewhere) = (Context::new(), w3c("01", ""));
    for (rule, of_nowhere, of_elsewhere) in [
        (Rule::root(), &["first"][..], &[][..]),
        (Rule::remote_parent(), &[], &["first"]),
        (Rule::local_parent(), &["below"], &["below"]),
    ] {
        let sampling = Sampling::new(RuleBased::new().with_rule(rule.always())).without_parent();
        for (context, expected) in [(&nowhere, of_nowhere), (&elsewhere, of_elsewhere)] {
            let names: Vec<_> = two(&sampling, context).into_iter().map(|span| span.name).collect();
            assert_eq!(names, expected, "{sampling}");
        }
    }
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

#[test]
fn a_composite_without_parents_sees_the_parent_itself() {
    let composite = Sampling::new(ParentThreshold::new(Probability::new(0.25))).without_parent();
    let states = |context: &Context| {
        let spans = two(&composite, context);
        spans.iter().map(|span| span.span_context.trace_state().header()).collect::<Vec<_>>()
    };
    // The caller's threshold goes on, to the spans below too.
    assert_eq!(states(&w3c("03", "ot=th:8;rv:9b8233f7e3a151")), ["ot=th:8;rv:9b8233f7e3a151"; 2]);
    assert!(states(&w3c("02", "")).is_empty());
    // A caller who does not count, and a trace of our own: the root's share.
    for deferred in ["00", "01"] {
        let context = with_deferred_decision(&w3c(deferred, "ot=th:8;rv:ffffffffffffff"));
        assert_eq!(states(&context), ["ot=th:c;rv:ffffffffffffff"; 2]);
    }
    let all = Sampling::new(ParentThreshold::new(AlwaysOn)).without_parent();
    assert_eq!(two(&all, &Context::new())[0].span_context.trace_state().header(), "ot=th:0");
}

#[test]
fn a_rule_matches_one_of_several_values_and_items_of_lists() {
    let rule = |rule: Rule| Sampling::new(RuleBased::new().with_rule(rule.always())).without_parent();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let codes =
        rule(Rule::any().with_attribute_patterns("code".to_owned(), &texts(&["4*"]), &texts(&["404"])));
    let values = rule(Rule::any().with_attribute_values("code".to_owned(), &texts(&["404", "*"])));
    let there = rule(Rule::any().with_attribute_patterns("code".to_owned(), &[], &[]));
    let matches = |sampling: &Sampling, value: Option<Value>| {
        let (provider, exported, _control) = installed(sampling);
        let tracer = provider.tracer("test");
        let attributes = value.map(|value| KeyValue::new("code", value));
        let builder = tracer.span_builder("span").with_attributes(attributes);
        tracer.build_with_context(builder, &Context::new()).end();
        !exported.take().is_empty()
    };
    let list = |codes: &[i64]| Some(Value::Array(codes.to_vec().into()));
    for (value, by_pattern, by_value) in [
        (Some(Value::I64(403)), true, false),
        (Some(Value::I64(404)), false, true),
        (Some("*".into()), false, true),
        (list(&[500, 410]), true, false),
        (list(&[404, 500]), false, true),
        (Some(Value::Array(vec![0.5, 404.0].into())), false, true),
        (Some(Value::Array(vec![true].into())), false, false),
        (list(&[]), false, false),
    ] {
        let is_empty = value == list(&[]);
        assert_eq!(matches(&codes, value.clone()), by_pattern, "{value:?}");
        assert_eq!(matches(&values, value.clone()), by_value, "{value:?}");
        assert_eq!(matches(&there, value), !is_empty);
    }
    assert!(!matches(&there, None));
}

/// Of two members the first counts, and none may come to light when it goes.
#[test]
fn a_threshold_that_is_taken_away_is_not_followed_by_another() {
    let twice = w3c("01", "ot=th:8;x:1,vendor=1,ot=th:0");
    let state = twice.span().span_context().trace_state().clone();
    let without = with_threshold(&state, None);
    assert_eq!(without.header(), "ot=x:1,vendor=1");
    assert_eq!(with_threshold(&without, None), without);
    let other = with_threshold(&state, Threshold::parse("c"));
    assert_eq!(other.header(), "ot=th:c;x:1,vendor=1");
    let twice = w3c("01", "ot=th:8,ot=th:0");
    assert_eq!(with_threshold(twice.span().span_context().trace_state(), None).header(), "");
}

#[test]
fn who_links_to_a_sampled_span_is_sampled() {
    let linked = |sampling: &Sampling, flags: &[&str]| {
        let (provider, exported, _control) = installed(sampling);
        let tracer = provider.tracer("test");
        let origin = |flags: &&str| Link::with_context(w3c(flags, "").span().span_context().clone());
        let consumer = tracer.span_builder("consumer").with_links(flags.iter().map(origin).collect());
        tracer.build_with_context(consumer, &Context::new()).end();
        exported.take()
    };
    let sampling = Sampling::new(SampledLinks::or(AlwaysOff));
    for (flags, expected) in [(&["00", "01"][..], 1), (&["01"], 1), (&["00"], 0), (&[], 0)] {
        assert_eq!(linked(&sampling, flags).len(), expected, "{flags:?}");
    }
    let spans = linked(&sampling, &["01"]);
    assert_eq!(spans[0].span_context.trace_state().get("ot"), None, "nobody knows what it stands for");
    let counted = linked(&Sampling::new(SampledLinks::or(AlwaysOn)), &["00"]);
    assert_eq!(counted[0].span_context.trace_state().get("ot"), Some("th:0"));
}
