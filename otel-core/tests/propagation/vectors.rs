//! The cases of other projects' test suites, read in place where they are there.

use std::collections::BTreeMap;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use otel_core::carrier::HeaderExtractor;
use otel_core::propagation::{
    B3Propagator, BaggagePropagator, JaegerPropagator, OtTracePropagator, RemoteDecision,
    TraceContextPropagator, XRayPropagator, with_remote_parent,
};
use serde_json::{Value, json};

use crate::support::{Pairs, Said, extract, inject};

/// The contested cases that are decided against the answer in the file. The reasons are in the module's documentation.
fn decided() -> BTreeMap<&'static str, Value> {
    let b3 = |sampled: Value| {
        let ids = ("ab000000000000000000000000000000", "cd00000000000000");
        json!({"valid": true, "trace_id": ids.0, "span_id": ids.1, "sampled": sampled, "debug": false})
    };
    let xray = json!({
        "valid": true, "trace_id": "8a3c60f7d188f8fa79d48a391a778fa6", "span_id": "53995c3f42cd8ad8", "sampled": null
    });
    let ottrace = |trace_id: &str, sampled: Value| json!({"valid": true, "trace_id": trace_id, "span_id": "00f067aa0ba902b7", "sampled": sampled});
    BTreeMap::from([
        ("b3multi-026", b3(Value::Null)),
        ("b3multi-029", b3(Value::Null)),
        ("b3multi-030", b3(json!(true))),
        ("b3multi-031", b3(json!(true))),
        ("b3single-040", b3(json!(true))),
        ("b3single-044", b3(json!(true))),
        ("b3single-045", b3(json!(true))),
        ("b3single-046", b3(json!(true))),
        ("b3single-047", b3(json!(true))),
        ("jaeger-132", json!({"valid": false})),
        ("ottrace-184", ottrace("00000000000001234567890abcd01234", json!(true))),
        ("ottrace-188", ottrace("a1ce929d0e0e4736a3ce929d0e0e4736", Value::Null)),
        ("xray-246", xray.clone()),
        ("xray-247", xray.clone()),
        ("xray-248", xray),
        ("baggage-355", json!({"baggage_min_members": 1})),
        (
            "baggage-380",
            json!({"baggage": {
                "key1": {"value": "value1"}, "encoded": {"value": "value 2"},
                "bad3": {"value": "value", "properties": "meta=%GG"},
            }}),
        ),
    ])
}

#[test]
fn every_case_of_the_reference_suites() {
    let Some(path) = otel_testing::shared_file!("vectors/propagation_vectors.json") else { return };
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut decided = decided();
    let (mut by_source, mut by_kind) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
    let mut contested = 0;
    for case in document["cases"].as_array().unwrap() {
        let id = text(&case["id"]);
        let is_contested = case["note"].as_str().is_some_and(|note| note.starts_with("contested"));
        contested += u64::from(is_contested);
        let decision = decided.remove(id);
        assert!(decision.is_none() || is_contested, "{id} is not contested");
        match text(&case["op"]) {
            "extract" => check_extract(case, &decision.unwrap_or_else(|| case["expect"].clone())),
            _ => check_inject(case),
        }
        *by_source.entry(text(&case["source"]).to_owned()).or_default() += 1;
        *by_kind.entry(format!("{}/{}", text(&case["format"]), text(&case["op"]))).or_default() += 1;
    }
    println!("{by_source:#?}");
    assert!(decided.is_empty(), "no such case: {decided:?}");
    assert_eq!(json!(by_kind), document["counts"]);
    assert_eq!(json!(by_source.values().sum::<u64>()), document["total"]);
    assert_eq!(json!(contested), document["contested"]);
    assert!(by_source.values().sum::<u64>() >= 405 && by_source.len() >= 13, "{by_source:?}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn pairs(value: &Value) -> Pairs {
    Pairs::new(value.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))))
}

fn propagator(case: &Value) -> Box<dyn TextMapPropagator> {
    match (text(&case["format"]), case["encoding"].as_str().unwrap_or_default()) {
        ("w3c", _) => Box::new(TraceContextPropagator::new()),
        ("baggage", _) => Box::new(BaggagePropagator::new()),
        ("b3single", "single+multi") => Box::new(B3Propagator::single_and_multi()),
        ("b3single", _) => Box::new(B3Propagator::single()),
        ("b3multi", _) => Box::new(B3Propagator::multi()),
        ("jaeger", _) => Box::new(JaegerPropagator::new()),
        ("ottrace", _) => Box::new(OtTracePropagator::new()),
        ("xray", _) => Box::new(XRayPropagator::new()),
        other => panic!("{other:?}"),
    }
}

fn check_extract(case: &Value, expect: &Value) {
    let id = text(&case["id"]);
    let propagator = propagator(case);
    let headers = pairs(&case["headers"]);
    let context = extract(&*propagator, &headers);
    check_said(id, &Said::by(&context), expect);
    check_sent_tracestate(id, &*propagator, &context, expect);
    if let Some(map) = headers.to_header_map() {
        let from_map = extract(&*propagator, &HeaderExtractor::new(&map));
        check_said(id, &Said::by(&from_map), expect);
        check_sent_tracestate(id, &*propagator, &from_map, expect);
    }
}

fn check_said(id: &str, said: &Said, expect: &Value) {
    if let Some(valid) = expect["valid"].as_bool() {
        assert_eq!(said.span.is_some(), valid, "{id}: {said:?}");
    }
    if let Some(trace_id) = expect["trace_id"].as_str() {
        let span = said.span.as_ref().unwrap();
        let (ids, flags) = span.rsplit_once('-').unwrap();
        assert_eq!(ids, format!("{trace_id}-{}", text(&expect["span_id"])), "{id}");
        let decision = match (&expect["sampled"], expect["debug"] == true) {
            (_, true) => RemoteDecision::Debug,
            (Value::Bool(true), _) => RemoteDecision::Sampled,
            (Value::Bool(false), _) => RemoteDecision::NotSampled,
            _ => RemoteDecision::Deferred,
        };
        assert_eq!(said.decision, Some(decision), "{id}");
        let flag = matches!(decision, RemoteDecision::Sampled | RemoteDecision::Debug);
        let expected = expect["trace_flags"].as_str().unwrap_or(if flag { "01" } else { "00" });
        assert_eq!(flags, expected, "{id}");
    }
    if let Some(entries) = expect["baggage"].as_object() {
        let expected: BTreeMap<_, _> = entries
            .iter()
            .map(|(key, entry)| {
                let properties = entry["properties"].as_str().unwrap_or_default();
                (key.clone(), (text(&entry["value"]).to_owned(), without_whitespace(properties)))
            })
            .collect();
        let actual: BTreeMap<_, _> = said.baggage.clone().into_iter().collect();
        assert_eq!(actual, expected, "{id}");
    }
    if let Some(least) = expect["baggage_min_members"].as_u64() {
        assert!(said.baggage.len() as u64 >= least, "{id}: {}", said.baggage.len());
    }
}

/// Of a `tracestate` counts what leaves the process again.
fn check_sent_tracestate(id: &str, propagator: &dyn TextMapPropagator, context: &Context, expect: &Value) {
    let Some(expected) = expect.get("tracestate") else { return };
    let headers = inject(propagator, context);
    let sent = headers.one("tracestate").unwrap_or_default();
    match expect["tracestate_any_of"].as_array() {
        Some(several) => assert!(several.iter().any(|one| one == sent), "{id}: {sent}"),
        None => assert_eq!(sent, text(expected), "{id}"),
    }
}

fn without_whitespace(text: &str) -> String {
    text.replace([' ', '\t'], "")
}

fn check_inject(case: &Value) {
    let id = text(&case["id"]);
    let propagator = propagator(case);
    if case["format"] == "baggage" {
        return check_inject_baggage(case, &*propagator);
    }
    let mut context = context_of(&case["span_context"]);
    if let Some(entries) = case["baggage"].as_object() {
        context = context.with_baggage(baggage_of(entries));
    }
    let sort = |mut headers: Vec<(String, String)>| {
        headers.sort();
        headers
    };
    let expected = pairs(&case["expect_headers"]).0;
    let expected = expected.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let sent = inject(&*propagator, &context);
    for forbidden in case["forbid_headers"].as_array().into_iter().flatten() {
        assert_eq!(sent.one(text(forbidden)), None, "{id}");
    }
    assert_eq!(sort(sent.0), sort(expected), "{id}");
}

fn context_of(span: &Value) -> Context {
    let trace_id = TraceId::from_hex(text(&span["trace_id"])).unwrap();
    let span_id = SpanId::from_hex(text(&span["span_id"])).unwrap();
    let decision = match (&span["sampled"], span["debug"] == true) {
        (_, true) => RemoteDecision::Debug,
        (Value::Bool(true), _) => RemoteDecision::Sampled,
        (Value::Bool(false), _) => RemoteDecision::NotSampled,
        _ => RemoteDecision::Deferred,
    };
    match span["trace_flags"].as_str() {
        None if span["valid"] == true => with_remote_parent(&Context::new(), trace_id, span_id, decision),
        flags => {
            let sampled = u8::from(span["sampled"] == true);
            let flags = flags.map_or(sampled, |flags| u8::from_str_radix(flags, 16).unwrap());
            let state = span["tracestate"].as_str().unwrap_or_default();
            let state: TraceState = state.parse().unwrap();
            let span = SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, state);
            Context::new().with_remote_span_context(span)
        }
    }
}

fn baggage_of(entries: &serde_json::Map<String, Value>) -> Baggage {
    let mut baggage = Baggage::new();
    for (key, entry) in entries {
        let value = entry.as_str().unwrap_or_else(|| text(&entry["value"])).to_owned();
        let properties = entry.get("properties").map_or("", text);
        baggage.insert_with_metadata(key.clone(), value, properties);
    }
    baggage
}

fn check_inject_baggage(case: &Value, propagator: &dyn TextMapPropagator) {
    let id = text(&case["id"]);
    let entries = case["baggage"].as_object().unwrap();
    let context = Context::new().with_baggage(baggage_of(entries));
    let sent = inject(propagator, &context);
    let mut members: Vec<_> = sent.one("baggage").map_or(Vec::new(), |header| header.split(',').collect());
    members.sort_unstable();
    if let Some(expected) = case["expect_members"].as_array() {
        let mut expected: Vec<_> = expected.iter().map(text).collect();
        expected.sort_unstable();
        assert_eq!(members, expected, "{id}");
    } else if let Some(count) = case["expect_member_count"].as_u64() {
        assert_eq!(members.len() as u64, count, "{id}");
    } else {
        let back = Said::by(&extract(propagator, &sent));
        assert_eq!(back, Said::by(&context), "{id}");
        assert_eq!(back.baggage.len(), entries.len(), "{id}");
    }
    if members.is_empty() {
        assert_eq!(sent, Pairs::default(), "{id}");
    }
}
