//! The cases of the specification and of other SDKs, read in place where they are there.

use std::collections::BTreeSet;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use serde_json::Value;

use super::super::composable::{ComposableSampler, Intent, NewSpan};
use super::super::ot_state::{OtState, canonical, with_entry, with_threshold};
use super::super::{
    AlwaysOff, AlwaysOn, AlwaysRecord, Equalizing, ParentThreshold, Probability, Proportional, Randomness,
    RuleBased, Sampling, SamplingControl, Threshold,
};
use super::composite;

type Check = fn(&Value);

/// Runs the cases of one list, and says how many there were.
fn each(document: &Value, list: &str, check: impl Fn(&Value)) -> u64 {
    let list = &document[list];
    let cases = list.as_array().or_else(|| list["cases"].as_array()).unwrap();
    cases.iter().for_each(check);
    cases.len() as u64
}

#[test]
fn every_case_of_the_specification_and_of_other_sdks() {
    let Some(path) = otel_testing::shared_file!("vectors/sampler_vectors.json") else { return };
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let lists: [(&str, Check); 14] = [
        ("probability_to_threshold", probability_to_threshold),
        ("exact_threshold", exact_threshold),
        ("threshold_decode", threshold_decode),
        ("rv_decode", rv_decode),
        ("ot_roundtrip", ot_roundtrip),
        ("ot_set", ot_set),
        ("decision", decision),
        ("composite", composed),
        ("parent_based", parent_based),
        ("always_record", always_record),
        ("downstream_equalizing", downstream_equalizing),
        ("downstream_proportional", downstream_proportional),
        ("traceid_ratio_legacy", traceid_ratio),
        // What names and arguments mean is tested with the configuration; here, that they exist.
        ("env", env),
    ];
    let run: u64 = lists.iter().map(|(list, check)| each(&document, list, check)).sum();
    // The five invariants are tests of their own: see `statistics`.
    let invariants = document["decision_invariants"].as_array().unwrap().len() as u64;
    assert_eq!(run + invariants, document["total"].as_u64().unwrap());
    assert_eq!(run, 424);
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("no {key} in {case}"))
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("no {key} in {case}"))
}

fn bits(threshold: Threshold) -> String {
    format!("{:014x}", threshold.bits())
}

fn close(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < 1e-12
}

fn probability_to_threshold(case: &Value) {
    let precision = u32::try_from(case["precision"].as_u64().unwrap()).unwrap();
    let threshold = Threshold::with_precision(number(case, "probability"), precision);
    // The example of the specification cuts all digits off a zero, which its grammar does not allow.
    let written = Some(text(case, "th")).filter(|th| !th.is_empty()).unwrap_or("0");
    assert_eq!(threshold.to_string(), written, "{case}");
    assert_eq!(bits(threshold), text(case, "threshold"), "{case}");
    if case.get("actual_probability").is_some() {
        assert!(close(threshold.probability(), number(case, "actual_probability")), "{case}");
        assert!(close(threshold.adjusted_count(), number(case, "adjusted_count")), "{case}");
    }
    if precision == 4 {
        assert_eq!(Threshold::from_probability(number(case, "probability")), threshold);
    }
}

fn exact_threshold(case: &Value) {
    let threshold = Threshold::with_precision(number(case, "probability"), 14);
    let expected = text(case, "threshold");
    if expected == "never" {
        assert_eq!(threshold, Threshold::NEVER);
    } else {
        assert_eq!(bits(threshold), expected, "{case}");
    }
}

fn threshold_decode(case: &Value) {
    let threshold = Threshold::parse(text(case, "th"));
    assert_eq!(threshold.is_some(), case["valid"].as_bool().unwrap(), "{case}");
    let Some(threshold) = threshold else { return };
    assert_eq!(bits(threshold), text(case, "threshold"), "{case}");
    assert_eq!(threshold.to_string(), text(case, "canonical"), "{case}");
    assert!(close(threshold.probability(), number(case, "probability")), "{case}");
    assert!(close(threshold.adjusted_count(), number(case, "adjusted_count")), "{case}");
}

fn rv_decode(case: &Value) {
    let randomness = Randomness::parse(text(case, "rv"));
    assert_eq!(randomness.is_some(), case["valid"].as_bool().unwrap(), "{case}");
    if let Some(randomness) = randomness {
        assert_eq!(randomness.to_string(), text(case, "rv"));
    }
}

fn entries(text: &str) -> BTreeSet<String> {
    text.split(';').filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

fn ot_roundtrip(case: &Value) {
    assert_eq!(entries(&canonical(text(case, "in"))), entries(text(case, "out")), "{case}");
}

fn ot_set(case: &Value) {
    let state: TraceState = text(case, "tracestate").parse().unwrap();
    let (key, value) = text(case, "set").split_once(':').unwrap();
    let strings = |list: &str| -> BTreeSet<String> {
        case[list].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()).collect()
    };
    if key == "th" {
        let state = with_threshold(&state, Threshold::parse(value));
        assert_eq!(entries(state.get("ot").unwrap()), strings("ot_any_order_of"), "{case}");
        assert!(state.header().starts_with("ot="), "{case}: {}", state.header());
        let members: BTreeSet<_> = state.header().split(',').skip(1).map(str::to_owned).collect();
        assert_eq!(members, strings("expect_members_kept"), "{case}");
    } else {
        let set = with_entry(state.get("ot").unwrap(), key, value);
        assert_eq!(entries(&set), strings("any_order_of"), "{case}");
    }
}

fn decision(case: &Value) {
    let trace_id = TraceId::from_hex(text(case, "trace_id")).unwrap();
    let randomness = case["rv"].as_str().map(|rv| Randomness::parse(rv).unwrap());
    let randomness = randomness.unwrap_or_else(|| Randomness::of_trace_id(trace_id));
    let threshold = Threshold::parse(text(case, "th")).unwrap();
    assert_eq!(threshold.samples(randomness), case["sampled"].as_bool().unwrap(), "{case}");
}

/// A context with the parent of a case, a remote one.
fn context_of(case: &Value, trace_id: TraceId, is_remote: bool) -> Context {
    let parent = &case["parent"];
    if !parent.is_object() {
        return Context::new();
    }
    let flags = TraceFlags::NOT_SAMPLED.with_sampled(parent["sampled"].as_bool().unwrap());
    let ot: Vec<_> = ["th", "rv"]
        .iter()
        .filter_map(|key| parent[key].as_str().map(|value| format!("{key}:{value}")))
        .collect();
    let state = match ot.join(";") {
        ot if ot.is_empty() => TraceState::NONE,
        ot => TraceState::from_key_value([("ot", ot)]).unwrap(),
    };
    context_with(trace_id, flags, is_remote, state)
}

fn context_with(trace_id: TraceId, flags: TraceFlags, is_remote: bool, state: TraceState) -> Context {
    let span_context = SpanContext::new(trace_id, SpanId::from(7), flags, is_remote, state);
    Context::new().with_remote_span_context(span_context)
}

fn sample(sampler: &dyn ShouldSample, context: &Context, trace_id: TraceId) -> SamplingResult {
    sampler.should_sample(Some(context), trace_id, "span", &SpanKind::Server, &[], &[])
}

fn composed(case: &Value) {
    let trace_id = TraceId::from_hex(text(case, "trace_id")).unwrap_or(TraceId::from(1));
    let sampler = match text(case, "sampler") {
        "always_on" => composite(AlwaysOn),
        "always_off" => composite(AlwaysOff),
        "probability(0)" => composite(Probability::new(0.0)),
        "probability(0.5)" => composite(Probability::new(0.5)),
        "probability(1.0)" => composite(Probability::new(1.0)),
        "parent_threshold(root=always_on)" | "parent-based with an inconsistent parent" => {
            composite(ParentThreshold::new(AlwaysOn))
        }
        "rule_based([])" => composite(RuleBased::new()),
        other => panic!("unknown sampler {other}"),
    };
    for is_remote in [true, false] {
        let result = sample(&sampler, &context_of(case, trace_id, is_remote), trace_id);
        // One case says what becomes of the threshold, and not that the caller is followed.
        let follows = (text(case, "sampler") == "parent-based with an inconsistent parent")
            .then_some("RECORD_AND_SAMPLE");
        if let Some(expected) = case["decision"].as_str().or(follows) {
            let expected = match expected {
                "DROP" => SamplingDecision::Drop,
                _ => SamplingDecision::RecordAndSample,
            };
            assert_eq!(result.decision, expected, "{case}");
        }
        let ot = OtState::of(&result.trace_state);
        let written = ot.threshold.map(|threshold| threshold.to_string());
        assert_eq!(written.as_deref(), case["th"].as_str(), "{case}");
        if case.get("rv").is_some() {
            assert_eq!(ot.randomness.map(|rv| rv.to_string()).as_deref(), case["rv"].as_str(), "{case}");
        }
    }
}

/// Marks its spans, to tell who was asked.
#[derive(Debug)]
struct Marks(&'static str);

impl ComposableSampler for Marks {
    fn intent(&self, _: &NewSpan<'_>) -> Intent {
        Intent::sample(Threshold::ALWAYS).with_attributes([opentelemetry::KeyValue::new("invoked", self.0)])
    }
}

fn parent_based(case: &Value) {
    let trace_id = TraceId::from(1);
    let context = match (case["remote"].as_bool(), case["sampled"].as_bool()) {
        (Some(is_remote), Some(is_sampled)) => {
            let flags = TraceFlags::NOT_SAMPLED.with_sampled(is_sampled);
            context_with(trace_id, flags, is_remote, TraceState::NONE)
        }
        _ => Context::new(),
    };
    let sampling = Sampling::new(Marks("root"))
        .with_remote_parent_sampled(Marks("remoteParentSampled"))
        .with_remote_parent_not_sampled(Marks("remoteParentNotSampled"))
        .with_local_parent_sampled(Marks("localParentSampled"))
        .with_local_parent_not_sampled(Marks("localParentNotSampled"));
    let result = sample(&SamplingControl::new(&sampling, None).sampler(), &context, trace_id);
    assert_eq!(result.attributes[0].value.as_str(), text(case, "invoke"), "{case}");
    let default = case["default"].as_str();
    for head in [Sampling::sdk_named(Sampler::AlwaysOn, "always_on".to_owned()), Sampling::probability(1.0)] {
        let result = sample(&SamplingControl::new(&head, None).sampler(), &context, trace_id);
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        assert_eq!(is_sampled, default != Some("AlwaysOff"), "{case}");
    }
}

#[derive(Clone, Debug)]
struct Decides(SamplingDecision);

impl ShouldSample for Decides {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[opentelemetry::KeyValue],
        _: &[opentelemetry::trace::Link],
    ) -> SamplingResult {
        let attributes = vec![opentelemetry::KeyValue::new("kept", true)];
        SamplingResult { decision: self.0.clone(), attributes, trace_state: TraceState::NONE }
    }
}

fn always_record(case: &Value) {
    let named = |name: &str| match name {
        "DROP" => SamplingDecision::Drop,
        "RECORD_ONLY" => SamplingDecision::RecordOnly,
        _ => SamplingDecision::RecordAndSample,
    };
    let sampler = AlwaysRecord::new(Decides(named(text(case, "root"))));
    let result = sample(&sampler, &Context::new(), TraceId::from(1));
    assert_eq!(result.decision, named(text(case, "result")), "{case}");
    assert_eq!(result.attributes.len(), 1);
}

/// The context of a caller that sampled with a threshold, for a trace of this randomness.
fn caller(threshold: &str, randomness: &str) -> Context {
    let state = TraceState::from_key_value([("ot", format!("th:{threshold};rv:{randomness}"))]).unwrap();
    context_with(TraceId::from(1), TraceFlags::SAMPLED, true, state)
}

fn downstream_equalizing(case: &Value) {
    let configured = Threshold::parse(text(case, "configured_th")).unwrap().probability();
    let sampling = Sampling::new(AlwaysOn).with_remote_parent_sampled(Equalizing::new(configured));
    let context = caller(text(case, "incoming_th"), text(case, "r"));
    let result = sample(&SamplingControl::new(&sampling, None).sampler(), &context, TraceId::from(1));
    let is_sampled = result.decision == SamplingDecision::RecordAndSample;
    assert_eq!(is_sampled, case["sampled"].as_bool().unwrap(), "{case}");
    let written = OtState::of(&result.trace_state).threshold.map(|threshold| threshold.to_string());
    assert_eq!(written.as_deref(), case["th"].as_str(), "{case}");
}

fn downstream_proportional(case: &Value) {
    let sampler = composite(Proportional::new(number(case, "multiplier")));
    let context = caller(text(case, "incoming_th"), "ffffffffffffff");
    let result = sample(&sampler, &context, TraceId::from(1));
    let written = OtState::of(&result.trace_state).threshold.map(|threshold| threshold.to_string());
    assert_eq!(written.as_deref(), Some(text(case, "out_th")), "{case}");
}

/// `traceidratio` decides as the SDKs for Go and Rust always did, `probability` as the specification says now.
fn traceid_ratio(case: &Value) {
    let trace_id = TraceId::from_hex(text(case, "trace_id")).unwrap();
    let ratio = number(case, "ratio");
    let old = Sampling::sdk_named(Sampler::TraceIdRatioBased(ratio), "traceidratio".to_owned());
    for (sampling, column) in
        [(old, "go_and_rust_0.33"), (Sampling::probability(ratio), "probability_sampler_R_ge_T")]
    {
        let sampler = SamplingControl::new(&sampling, None).sampler();
        let result = sample(&sampler, &Context::new(), trace_id);
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        assert_eq!(is_sampled, case[column].as_bool().unwrap(), "{column} {case}");
    }
}

fn env(case: &Value) {
    let lookup = |name: &str| case[name].as_str().map(str::to_owned);
    let (sampler, has_warned) = crate::config::sampler_of(&lookup);
    let expected = text(case, "expect");
    // An argument that nobody uses is worth a word.
    let is_unused = case["OTEL_TRACES_SAMPLER"].is_null() && !case["OTEL_TRACES_SAMPLER_ARG"].is_null();
    assert_eq!(has_warned, expected.ends_with("and a logged warning") || is_unused, "{case}");
    let shown = match expected.split([' ', ')']).next().unwrap() {
        "ParentBased(root=AlwaysOn" => "parentbased_always_on".to_owned(),
        "ParentBased(root=AlwaysOff" => "parentbased_always_off".to_owned(),
        "AlwaysOn" => "always_on".to_owned(),
        "AlwaysOff" => "always_off".to_owned(),
        ratio => {
            let (prefix, number) = match ratio.strip_prefix("ParentBased(root=") {
                Some(root) => ("parentbased_", root),
                None => ("", ratio),
            };
            let number: f64 = number.strip_prefix("TraceIdRatioBased(").unwrap().parse().unwrap();
            format!("{prefix}traceidratio {number}")
        }
    };
    assert_eq!(sampler, shown, "{case}");
}
