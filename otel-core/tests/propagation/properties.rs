//! What holds for every input.

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use otel_core::carrier::HeaderExtractor;
use otel_core::propagation::{BoxedPropagator, PropagatorRegistry, RemoteDecision, with_remote_parent};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Pairs, Said, extract, inject};

const NAMES: [&str; 7] = ["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace"];

fn make(name: &str) -> BoxedPropagator {
    PropagatorRegistry::new().make(name).unwrap()
}

/// Every header that some propagator reads.
fn header_name() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-sampled",
        "x-b3-flags",
        "uber-trace-id",
        "jaeger-baggage",
        "x-amzn-trace-id",
        "ot-tracer-traceid",
        "ot-tracer-spanid",
        "ot-tracer-sampled",
    ]);
    let open = (select(vec!["uberctx-", "ot-baggage-", "UberCtx-", ""]), ".{0,12}");
    prop_oneof![8 => fixed.prop_map(str::to_owned), 2 => open.prop_map(|(prefix, rest)| format!("{prefix}{rest}"))]
}

/// From noise to values that are nearly right.
fn header_value() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,80}",
        "[0-9a-fA-F:;,=%@ \t-]{0,80}",
        "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,4})?",
        "[0-9a-fA-F]{16}([0-9a-fA-F]{16})?-[0-9a-fA-F]{16}(-[01dx]?(-[0-9a-f]{16})?)?",
        "[0-9a-f]{1,32}:[0-9a-f]{1,16}:0:[0-9a-f]{1,2}",
        "Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16}(;Sampled=[01?])?(;Lineage=[0-9:a-f]{0,20})?",
        "([a-z0-9@_*/-]{1,6}=[!-~ ]{0,6},?){0,40}",
        "([a-zA-Z0-9]{1,6} ?= ?(%[0-9A-F]{2}|[!-~]){0,6}(;[a-z]{0,3}(=[!-~]{0,4})?)?,?){0,70}",
        "[0-9a-f]{32}",
        "[0-9a-f]{16}",
        "[01d]|true|false",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// And what was accepted means the same after another process has read what we write. For two formats the second
    /// time counts: OpenTracing's ids lose their left half, and keys that are names of headers lose their case.
    #[test]
    fn what_is_accepted_survives_inject_and_extract(
        headers in prop::collection::vec((header_name(), header_value()), 0..12),
    ) {
        let headers = Pairs::new(headers);
        for name in NAMES {
            let propagator = make(name);
            let again = |context: &Context| extract(&*propagator, &inject(&*propagator, context));
            let mut context = extract(&*propagator, &headers);
            if matches!(name, "ottrace" | "jaeger") {
                context = again(&context);
            }
            let mut said = Said::by(&context);
            if said.span.is_none() {
                said.decision = None; // a decision without ids is not sent on
            }
            let back = again(&context);
            // A tracestate of more than 512 characters is shortened once.
            let back = if said.tracestate.len() > 512 { said.tracestate = Said::by(&back).tracestate; again(&back) } else { back };
            prop_assert_eq!(Said::by(&back), said, "{}", name);
        }
    }

    #[test]
    fn a_header_map_and_a_list_of_headers_say_the_same(
        headers in prop::collection::vec((header_name(), header_value()), 0..6),
    ) {
        let mut once: Vec<(String, String)> = Vec::new();
        for (name, value) in headers {
            // A map joins or refuses headers that come twice; the vectors cover those.
            if !once.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                once.push((name, value));
            }
        }
        let headers = Pairs::new(once);
        if let Some(map) = headers.to_header_map() {
            for name in NAMES {
                let propagator = make(name);
                let of_map = Said::by(&extract(&*propagator, &HeaderExtractor::new(&map)));
                prop_assert_eq!(of_map, Said::by(&extract(&*propagator, &headers)), "{}", name);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm(
        headers in prop::collection::vec((header_name(), prop::collection::vec(any::<u8>(), 0..80)), 0..6),
    ) {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (http::HeaderName::from_bytes(name.as_bytes()), http::HeaderValue::from_bytes(&value))
            {
                map.append(name, value);
            }
        }
        for name in NAMES {
            let context = extract(&*make(name), &HeaderExtractor::new(&map));
            // Either nothing or something that can be written.
            prop_assert_eq!(inject(&*make(name), &context).0.is_empty(), !writable(&context));
        }
    }

    #[test]
    fn ids_and_decisions_cross_in_every_format(
        trace_id in 1_u128..,
        span_id in 1_u64..,
        decision in select(vec![
            RemoteDecision::Sampled, RemoteDecision::NotSampled, RemoteDecision::Deferred, RemoteDecision::Debug,
        ]),
    ) {
        for name in ["b3", "b3multi", "jaeger", "xray", "tracecontext"] {
            let sent = match (name, decision) {
                // What a format has no word for.
                ("jaeger" | "tracecontext", RemoteDecision::Deferred) => RemoteDecision::NotSampled,
                ("xray" | "tracecontext", RemoteDecision::Debug) => RemoteDecision::Sampled,
                _ => decision,
            };
            let (trace_id, span_id) = (TraceId::from(trace_id), SpanId::from(span_id));
            let context = with_remote_parent(&Context::new(), trace_id, span_id, decision);
            let propagator = make(name);
            let back = Said::by(&extract(&*propagator, &inject(&*propagator, &context)));
            let expected = Said { decision: Some(sent), ..Said::by(&context) };
            prop_assert_eq!(back, expected, "{}", name);
        }
    }

    #[test]
    fn a_tracestate_of_the_api_crosses_whole(
        members in prop::collection::vec(("[a-z0-9][a-z0-9_*/-]{0,7}", "[ -+\\--<>-~]{0,7}[!-+\\--<>-~]"), 0..=26),
        flags in 0_u8..4,
    ) {
        let state = TraceState::from_key_value(members).unwrap();
        let span = SpanContext::new(TraceId::from(1), SpanId::from(2), TraceFlags::new(flags), true, state);
        let context = Context::new().with_remote_span_context(span.clone());
        let propagator = make("tracecontext");
        let back = extract(&*propagator, &inject(&*propagator, &context));
        prop_assert_eq!(back.span().span_context().clone(), span);
    }

    #[test]
    fn baggage_of_the_api_crosses_whole(
        entries in prop::collection::btree_map("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,9}", ".{0,20}", 0..20),
    ) {
        let mut baggage = Baggage::new();
        for (key, value) in entries {
            baggage.insert(key, value);
        }
        let context = Context::new().with_baggage(baggage);
        let propagator = make("baggage");
        let back = extract(&*propagator, &inject(&*propagator, &context));
        prop_assert_eq!(Said::by(&back).baggage, Said::by(&context).baggage);
    }
}

/// Whether the context has something that a header can say: a span, or baggage.
fn writable(context: &Context) -> bool {
    context.span().span_context().is_valid() || !context.baggage().is_empty()
}
