//! Several formats at once, by name.

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use otel_core::propagation::{PropagatorRegistry, RemoteDecision, remote_decision, with_remote_parent};

use crate::support::{Pairs, Said, extract, inject};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn compose(names: &str) -> impl TextMapPropagator + use<> {
    let (propagator, unknown) = PropagatorRegistry::new().compose(names.split(','));
    assert_eq!(unknown, [""; 0]);
    propagator
}

#[test]
fn every_name_of_the_specification_is_known() {
    let registry = PropagatorRegistry::new();
    let names: Vec<_> = registry.names().collect();
    assert_eq!(names, ["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace"]);
    let (all, unknown) = registry.compose(names.iter().copied().chain(["none"]));
    assert!(unknown.is_empty());
    let mut fields: Vec<_> = all.fields().collect();
    fields.sort_unstable();
    let expected = [
        "X-Amzn-Trace-Id",
        "b3",
        "baggage",
        "ot-tracer-sampled",
        "ot-tracer-spanid",
        "ot-tracer-traceid",
        "traceparent",
        "tracestate",
        "uber-trace-id",
        "x-b3-flags",
        "x-b3-sampled",
        "x-b3-spanid",
        "x-b3-traceid",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn names_have_no_case_count_once_and_none_adds_nothing() {
    let registry = PropagatorRegistry::new();
    let (propagator, unknown) = registry.compose([" B3 ", "b3", "", "none", "b4", "B4"]);
    assert_eq!(propagator.fields().collect::<Vec<_>>(), ["b3"]);
    assert_eq!(unknown, ["b4"]);
    let (nothing, unknown) = registry.compose(["none"]);
    assert_eq!((nothing.fields().count(), unknown.len()), (0, 0));
    assert!(registry.make("none").is_none());
}

#[test]
fn users_add_and_replace_propagators() {
    let registry = PropagatorRegistry::new();
    let xray = || PropagatorRegistry::new().make("xray").unwrap();
    let registry = registry.with("House", xray).with("tracecontext", xray);
    let (propagator, unknown) = registry.compose(["house", "tracecontext"]);
    assert!(unknown.is_empty());
    assert_eq!(propagator.fields().collect::<Vec<_>>(), ["X-Amzn-Trace-Id"]);
    assert_eq!(registry.names().filter(|name| *name == "tracecontext").count(), 1);
}

#[test]
fn the_later_of_two_parents_counts() {
    let headers = Pairs::new([
        ("traceparent", format!("00-{TRACE}-{SPAN}-01")),
        ("b3", format!("{TRACE}-00000000000000b3-1")),
    ]);
    for (names, span) in
        [("tracecontext,b3", "00000000000000b3-01"), ("b3,tracecontext", "00f067aa0ba902b7-01")]
    {
        let said = Said::by(&extract(&compose(names), &headers));
        assert_eq!(said.span, Some(format!("{TRACE}-{span}")), "{names}");
    }
}

/// The state, the random flag and the request for debugging are those of one parent, and no other's.
#[test]
fn what_one_parent_said_is_not_said_of_another() {
    let w3c = |span: &str| {
        Pairs::new([
            ("traceparent", format!("00-{TRACE}-{span}-03")),
            ("tracestate", "a=1,foo@@bar=2".into()),
            ("b3", format!("{TRACE}-{SPAN}-1")),
        ])
    };
    let said = |headers: &Pairs| {
        let context = extract(&compose("tracecontext,b3"), headers);
        let tracestate = inject(&compose("tracecontext"), &context).one("tracestate").map(str::to_owned);
        (Said::by(&context).span.unwrap(), tracestate)
    };
    assert_eq!(said(&w3c(SPAN)), (format!("{TRACE}-{SPAN}-03"), Some("a=1,foo@@bar=2".to_owned())));
    assert_eq!(said(&w3c("0000000000000003")), (format!("{TRACE}-{SPAN}-01"), None));

    // Nor is what a span of this process holds.
    let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
    let state: TraceState = "own=1".parse().unwrap();
    let local = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, state);
    let context = Context::new().with_remote_span_context(local);
    let remote = with_remote_parent(&context, trace_id, span_id, RemoteDecision::Sampled);
    assert_eq!(Said::by(&remote).tracestate, "");
}

#[test]
fn what_cannot_be_read_leaves_the_earlier_parent() {
    let headers = Pairs::new([("traceparent", format!("00-{TRACE}-{SPAN}-01")), ("b3", "nonsense".into())]);
    let said = Said::by(&extract(&compose("tracecontext,b3,jaeger,xray,ottrace"), &headers));
    assert_eq!(said.span, Some(format!("{TRACE}-{SPAN}-01")));
}

/// `b3: 0` names no parent. What the other headers said of theirs stays, or the random flag would be made up on the way.
#[test]
fn a_decision_without_ids_leaves_the_earlier_parent() {
    let headers = Pairs::new([
        ("traceparent", format!("00-{TRACE}-{SPAN}-01")),
        ("tracestate", "foo@@bar=1,b=2".into()),
        ("b3", "0".into()),
    ]);
    for names in ["tracecontext,b3", "b3,tracecontext"] {
        let context = extract(&compose(names), &headers);
        let parent = context.span().span_context().clone();
        assert_eq!(remote_decision(&context), Some(RemoteDecision::Sampled), "{names}");
        let local = SpanContext::new(
            parent.trace_id(),
            SpanId::from(3),
            TraceFlags::SAMPLED,
            false,
            parent.trace_state().clone(),
        );
        let sent = inject(&compose("tracecontext"), &context.with_remote_span_context(local));
        assert_eq!(sent.one("traceparent"), Some(&*format!("00-{TRACE}-0000000000000003-01")), "{names}");
        assert_eq!(sent.one("tracestate"), Some("foo@@bar=1,b=2"), "{names}");
    }
}

#[test]
fn two_formats_of_the_same_parent_complete_each_other() {
    let headers = Pairs::new([
        ("traceparent", format!("00-{TRACE}-{SPAN}-03")),
        ("tracestate", "foo@@bar=1,b=2".into()),
        ("b3", format!("{TRACE}-{SPAN}-d")),
    ]);
    for names in ["tracecontext,b3", "b3,tracecontext"] {
        let propagator = compose(names);
        let context = extract(&propagator, &headers);
        let said = Said::by(&context);
        assert_eq!(said.span, Some(format!("{TRACE}-{SPAN}-03")), "{names}");
        assert_eq!(said.decision, Some(RemoteDecision::Debug), "{names}");
        let mut sent = inject(&propagator, &context).0;
        sent.sort();
        let mut expected = headers.0.clone();
        expected.sort();
        assert_eq!(sent, expected, "{names}");
    }
}

#[test]
fn a_debug_request_stays_whatever_format_comes_after_it() {
    let headers = |sampled: u8| {
        Pairs::new([
            ("b3", format!("{TRACE}-{SPAN}-d")),
            ("uber-trace-id", format!("{TRACE}:{SPAN}:0:{sampled}")),
            (
                "X-Amzn-Trace-Id",
                format!("Root=1-{}-{};Parent={SPAN};Sampled={sampled}", &TRACE[..8], &TRACE[8..]),
            ),
        ])
    };
    for names in ["b3,jaeger", "b3,xray", "jaeger,b3", "b3,jaeger,xray"] {
        let decision = |sampled| remote_decision(&extract(&compose(names), &headers(sampled)));
        assert_eq!(decision(1), Some(RemoteDecision::Debug), "{names}");
        let last_says_no = (!names.ends_with("b3")).then_some(RemoteDecision::NotSampled);
        assert_eq!(decision(0), last_says_no.or(Some(RemoteDecision::Debug)), "{names}");
    }
}

#[test]
fn a_decision_that_w3c_makes_replaces_a_deferred_one() {
    let headers =
        Pairs::new([("b3", format!("{TRACE}-{SPAN}")), ("traceparent", format!("00-{TRACE}-{SPAN}-03"))]);
    let context = extract(&compose("b3,tracecontext"), &headers);
    assert_eq!(remote_decision(&context), Some(RemoteDecision::Sampled));
}

#[test]
fn a_debug_request_ends_where_w3c_says_that_it_is_not_sampled() {
    for (flags, expected) in [("01", RemoteDecision::Debug), ("00", RemoteDecision::NotSampled)] {
        let headers = Pairs::new([
            ("b3", format!("{TRACE}-{SPAN}-d")),
            ("traceparent", format!("00-{TRACE}-{SPAN}-{flags}")),
        ]);
        assert_eq!(
            remote_decision(&extract(&compose("b3,tracecontext"), &headers)),
            Some(expected),
            "{flags}"
        );
    }
}

#[test]
fn baggage_of_several_formats_is_joined() {
    let headers = Pairs::new([("baggage", "a=1,b=2"), ("uberctx-b", "3"), ("uberctx-c", "4")]);
    for (names, b) in [("baggage,jaeger", "3"), ("jaeger,baggage", "2")] {
        let context = extract(&compose(names), &headers);
        let baggage = context.baggage();
        let of = |key: &str| baggage.get(key).map(|value| value.as_str().to_owned());
        assert_eq!(
            (of("a"), of("b"), of("c")),
            (Some("1".into()), Some(b.into()), Some("4".into())),
            "{names}"
        );
    }
}

#[test]
fn a_local_span_has_no_remote_decision() {
    let (trace_id, span_id) = (TraceId::from(1), SpanId::from(2));
    let remote = with_remote_parent(&Context::new(), trace_id, span_id, RemoteDecision::Deferred);
    assert_eq!(remote_decision(&remote), Some(RemoteDecision::Deferred));
    let local = SpanContext::new(trace_id, SpanId::from(3), TraceFlags::SAMPLED, false, TraceState::NONE);
    assert_eq!(remote_decision(&remote.with_remote_span_context(local)), None);
    assert_eq!(remote_decision(&Context::new()), None);
}

#[test]
fn a_decision_without_ids_waits_for_a_root() {
    for decision in [RemoteDecision::NotSampled, RemoteDecision::Debug] {
        let context = with_remote_parent(&Context::new(), TraceId::INVALID, SpanId::from(1), decision);
        assert_eq!(remote_decision(&context), Some(decision));
        assert!(!context.has_active_span());
        assert_eq!(
            inject(&compose("tracecontext,b3,b3multi,jaeger,xray,ottrace"), &context),
            Pairs::default()
        );
    }
}

#[test]
fn a_debug_request_without_ids_holds_for_the_trace_that_begins_with_it() {
    for (headers, sampled, expected) in [
        (Pairs::new([("b3", "d")]), true, "d"),
        (Pairs::new([("x-b3-flags", "1")]), true, "d"),
        (Pairs::new([("b3", "d")]), false, "0"),
        (Pairs::new([("b3", "1")]), true, "1"),
        (Pairs::new([("b3", "0")]), true, "1"),
    ] {
        let propagator = compose("b3");
        let context = extract(&propagator, &headers);
        let flags = TraceFlags::NOT_SAMPLED.with_sampled(sampled);
        let root = SpanContext::new(TraceId::from(1), SpanId::from(2), flags, false, TraceState::NONE);
        let sent = inject(&propagator, &context.with_remote_span_context(root));
        assert_eq!(sent.one("b3").unwrap().rsplit('-').next(), Some(expected), "{headers:?}");
    }
}
