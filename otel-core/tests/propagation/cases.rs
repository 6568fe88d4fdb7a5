//! This repository's own table: what goes in, what the context says, what goes out.

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use otel_core::carrier::HeaderExtractor;
use otel_core::propagation::{BaggagePropagator, PropagatorRegistry, RemoteDecision};

use crate::support::{Pairs, Said, extract, inject};

/// The headers of a case, separated by line breaks, and what they mean: the span as `ids-flags`, the decision, and the
/// headers that go out again.
type Case = (&'static str, &'static str, Option<&'static str>, Option<RemoteDecision>, &'static str);

use RemoteDecision::{Debug, Deferred, NotSampled, Sampled};

const NOTHING: &str = "";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // W3C: what a lenient parser takes for a parent
    ("tracecontext", "traceparent: 00-1-2-01", None, None, NOTHING),
    ("tracecontext", "traceparent: 00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None, None, NOTHING),
    ("tracecontext", "traceparent: 0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", None, None, NOTHING),
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1 ", None, None, NOTHING),
    ("tracecontext", "traceparent: 00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None, None, NOTHING),
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None, None, NOTHING),
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None, None, NOTHING),
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01", None, None, NOTHING),
    // W3C: flags and versions
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"), Some(NotSampled), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"),
    ("tracecontext", "traceparent: fe-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-new", Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), Some(Sampled), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracecontext", "traceparent: 01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz", None, None, NOTHING),
    // W3C: tracestate
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\ntracestate: a=1 , ,\t,b= 2 b\ntracestate:\ntracestate: a=1", Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"), Some(Sampled), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\ntracestate: a=1,b= 2 b,a=1"),
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\ntracestate: a=1,b=caf\u{e9}", Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"), Some(Sampled), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
    ("tracecontext", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\ntracestate: t@a@b=1,b@-c=2,c=3", Some("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"), Some(NotSampled), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\ntracestate: t@a@b=1,b@-c=2,c=3"),
    // B3: decisions
    ("b3", "b3: d", None, Some(Debug), NOTHING),
    ("b3", "b3: 0", None, Some(NotSampled), NOTHING),
    ("b3", "b3: 2", None, None, NOTHING),
    ("b3multi", "x-b3-sampled: 0", None, Some(NotSampled), NOTHING),
    ("b3multi", "x-b3-flags: 1", None, Some(Debug), NOTHING),
    ("b3multi", "x-b3-sampled: 0\nx-b3-traceid: 463ac35c9f6413ad48485a3953bb6124", None, None, NOTHING),
    ("b3", "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-0", Some("463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-00"), Some(NotSampled), "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-0"),
    ("b3", "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312", Some("463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-00"), Some(Deferred), "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312"),
    ("b3", "b3: 48485A3953BB6124-A2FB4A1D1A96D312-d", Some("000000000000000048485a3953bb6124-a2fb4a1d1a96d312-01"), Some(Debug), "b3: 000000000000000048485a3953bb6124-a2fb4a1d1a96d312-d"),
    ("b3", "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-1-0020000000000001-2", None, None, NOTHING),
    ("b3multi", "x-b3-traceid: 48485a3953bb6124\nx-b3-spanid: a2fb4a1d1a96d312\nx-b3-flags: 1\nx-b3-sampled: 0", Some("000000000000000048485a3953bb6124-a2fb4a1d1a96d312-01"), Some(Debug), "x-b3-flags: 1\nx-b3-spanid: a2fb4a1d1a96d312\nx-b3-traceid: 000000000000000048485a3953bb6124"),
    ("b3multi", "b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312", Some("463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-00"), Some(Deferred), "x-b3-spanid: a2fb4a1d1a96d312\nx-b3-traceid: 463ac35c9f6413ad48485a3953bb6124"),
    // Jaeger
    ("jaeger", "uber-trace-id: 1:2:0:3", Some("00000000000000000000000000000001-0000000000000002-01"), Some(Debug), "uber-trace-id: 00000000000000000000000000000001:0000000000000002:0:3"),
    ("jaeger", "uber-trace-id: 1:2:0:3:4", None, None, NOTHING),
    ("jaeger", "uber-trace-id: 0:2:0:1", None, None, NOTHING),
    ("jaeger", "uber-trace-id: 1:2:0:g", None, None, NOTHING),
    ("jaeger", "uber-trace-id: 1:2:0:001", None, None, NOTHING),
    ("jaeger", "uber-trace-id: 1%3A2%3A0%3", None, None, NOTHING),
    ("jaeger", "uberctx-Tenant-Id: caf%C3%A9\nuberctx-rate: 5%", None, None, "uberctx-rate: 5%25\nuberctx-tenant-id: caf%C3%A9"),
    ("jaeger", "uberctx-sum: 1%2B1\nuberctx-phone: +49", None, None, "uberctx-phone: %2B49\nuberctx-sum: 1%2B1"),
    // AWS X-Ray
    ("xray", "X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=?", Some("67891233abcdef012345678912345678-53995c3f42cd8ad8-00"), Some(Deferred), "x-amzn-trace-id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=?"),
    ("xray", "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=100:e3b0c442:11", Some("67891233abcdef012345678912345678-53995c3f42cd8ad8-01"), Some(Sampled), "x-amzn-trace-id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=100:e3b0c442:11"),
    ("xray", "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=32768:e3b0c442:11", Some("67891233abcdef012345678912345678-53995c3f42cd8ad8-00"), Some(NotSampled), "x-amzn-trace-id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0"),
    ("xray", "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=32767:e3b0c442:255", Some("67891233abcdef012345678912345678-53995c3f42cd8ad8-00"), Some(NotSampled), "x-amzn-trace-id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=32767:e3b0c442:255"),
    ("xray", "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:e3b0c442:256", Some("67891233abcdef012345678912345678-53995c3f42cd8ad8-00"), Some(NotSampled), "x-amzn-trace-id: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0"),
    ("xray", "X-Amzn-Trace-Id: Root=1-067891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1", None, None, NOTHING),
    ("xray", "X-Amzn-Trace-Id: Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8;Sampled=1", None, None, NOTHING),
    // OpenTracing
    ("ottrace", "ot-tracer-traceid: 7\not-tracer-spanid: 8\not-tracer-sampled: true\not-baggage-Tenant: acme", Some("00000000000000000000000000000007-0000000000000008-01"), Some(Sampled), "ot-baggage-tenant: acme\not-tracer-sampled: true\not-tracer-spanid: 0000000000000008\not-tracer-traceid: 0000000000000007"),
    ("ottrace", "ot-tracer-traceid: 7\not-tracer-spanid: 8", Some("00000000000000000000000000000007-0000000000000008-00"), Some(Deferred), "ot-tracer-spanid: 0000000000000008\not-tracer-traceid: 0000000000000007"),
    ("ottrace", "ot-tracer-traceid: 00000000000000010000000000000000\not-tracer-spanid: 8\not-tracer-sampled: 1", Some("00000000000000010000000000000000-0000000000000008-01"), Some(Sampled), NOTHING),
    ("ottrace", "ot-tracer-spanid: 8\not-tracer-sampled: 1\not-baggage-tenant: acme", None, None, NOTHING),
    // Baggage
    ("baggage", "baggage: a=1\nbaggage: b=%C3%A9 ; p = x ; ; q\nbaggage: c", None, None, "baggage: a=1,b=%C3%A9;p=x;q"),
    ("baggage", "baggage: a=1;p=\"x\",b=2;bad key=3;good", None, None, "baggage: a=1,b=2;good"),
    ("baggage", "baggage: caf\u{e9}=1,b=\u{e9}", None, None, NOTHING),
    ("baggage", "baggage: =1,a=%F0%9F,b=%0D%0A", None, None, "baggage: a=%EF%BF%BD,b=%0D%0A"),
];

fn headers(text: &str) -> Pairs {
    Pairs::new(text.lines().map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name, value.strip_prefix(' ').unwrap_or(value))
    }))
}

/// Members of baggage have no order.
fn sorted(headers: Pairs) -> Vec<String> {
    let sorted = |name: &str, value: String| {
        let mut members: Vec<_> = value.split(',').collect();
        if name == "baggage" {
            members.sort_unstable();
        }
        format!("{name}: {}", members.join(","))
    };
    let mut lines: Vec<_> = headers.0.into_iter().map(|(name, value)| sorted(&name, value)).collect();
    lines.sort();
    lines
}

#[test]
fn the_table() {
    let registry = PropagatorRegistry::new();
    for (name, incoming, span, decision, outgoing) in CASES {
        let propagator = registry.make(name).unwrap();
        let incoming = headers(incoming);
        let mut contexts = vec![extract(&*propagator, &incoming)];
        contexts
            .extend(incoming.to_header_map().map(|map| extract(&*propagator, &HeaderExtractor::new(&map))));
        for context in contexts {
            let said = Said::by(&context);
            assert_eq!(said.span.as_deref(), *span, "{incoming:?}");
            assert_eq!(said.decision, *decision, "{incoming:?}");
            let expected: Vec<_> = outgoing.lines().map(str::to_owned).collect();
            assert_eq!(sorted(inject(&*propagator, &context)), expected, "{incoming:?}");
        }
    }
}

fn local_span(context: &Context, flags: TraceFlags, state: TraceState) -> Context {
    let remote = context.span().span_context().trace_id();
    let trace_id = if remote == TraceId::INVALID { TraceId::from(7) } else { remote };
    context.with_remote_span_context(SpanContext::new(trace_id, SpanId::from(9), flags, false, state))
}

#[test]
fn without_a_span_nothing_is_written() {
    for name in PropagatorRegistry::new().names() {
        let propagator = PropagatorRegistry::new().make(name).unwrap();
        assert_eq!(inject(&*propagator, &Context::new()), Pairs::default(), "{name}");
    }
}

#[test]
fn a_local_decision_replaces_a_deferred_one_and_debug_lasts() {
    let registry = PropagatorRegistry::new();
    let b3 = registry.make("b3").unwrap();
    for (state, flags, sent) in [
        ("", TraceFlags::SAMPLED, "-1"),
        ("", TraceFlags::NOT_SAMPLED, "-0"),
        ("-d", TraceFlags::SAMPLED, "-d"),
        ("-d", TraceFlags::NOT_SAMPLED, "-d"),
        ("-0", TraceFlags::SAMPLED, "-1"),
    ] {
        let incoming = headers(&format!("b3: 463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312{state}"));
        let context = local_span(&extract(&*b3, &incoming), flags, TraceState::NONE);
        let header = inject(&*b3, &context).one("b3").unwrap().to_owned();
        assert_eq!(header, format!("463ac35c9f6413ad48485a3953bb6124-0000000000000009{sent}"));
    }
}

#[test]
fn a_sampler_adds_to_a_tracestate_that_the_api_cannot_hold() {
    let propagator = PropagatorRegistry::new().make("tracecontext").unwrap();
    let incoming = headers(
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\ntracestate: a=1,b@@c=2,d=3",
    );
    let context = extract(&*propagator, &incoming);
    let state = context.span().span_context().trace_state().insert("ot", "th:c").unwrap();
    let sent = inject(&*propagator, &local_span(&context, TraceFlags::SAMPLED, state));
    assert_eq!(sent.one("tracestate"), Some("ot=th:c,a=1,b@@c=2,d=3"));
}

#[test]
fn keys_of_baggage_are_let_in_and_out_by_name() {
    let incoming = headers("baggage: tenant=acme,user=7,secret=x");
    let propagator = BaggagePropagator::new()
        .with_extracted_keys(["tenant", "user"])
        .with_injected_keys(["user", "secret"]);
    let context = extract(&propagator, &incoming);
    let keys: Vec<_> = Said::by(&context).baggage.into_keys().collect();
    assert_eq!(keys, ["tenant", "user"]);
    assert_eq!(inject(&propagator, &context).one("baggage"), Some("user=7"));
    let closed = BaggagePropagator::new().with_injected_keys([""; 0]);
    assert_eq!(inject(&closed, &context), Pairs::default());
}

#[test]
fn metadata_cannot_smuggle_members_or_headers() {
    let mut baggage = Baggage::new();
    baggage.insert_with_metadata("a", "1", "p=1,evil=2;q\r\nevil: 3;r=ok;s=\u{e9}");
    let context = Context::new().with_baggage(baggage);
    assert_eq!(inject(&BaggagePropagator::new(), &context).one("baggage"), Some("a=1;r=ok"));
}

#[test]
fn baggage_that_grows_by_encoding_keeps_to_the_limit_with_whole_members() {
    let mut baggage = Baggage::new();
    for index in 0..8 {
        baggage.insert(format!("key{index}"), " ".repeat(500));
    }
    let context = Context::new().with_baggage(baggage);
    let sent = inject(&BaggagePropagator::new(), &context);
    let header = sent.one("baggage").unwrap();
    assert!(header.len() <= 8192);
    let members: Vec<_> = header.split(',').collect();
    assert_eq!(members.len(), 5);
    assert!(members.iter().all(|member| member.len() == 4 + 1 + 1500));
}

/// The commas count, between the members of one header and between two headers.
#[test]
fn eight_thousand_one_hundred_and_ninety_two_bytes_of_baggage_are_the_limit() {
    let propagator = BaggagePropagator::new();
    let member = |key: &str, length: usize| format!("{key}={}", "v".repeat(length - key.len() - 1));
    for (last, keys) in [(4095, 2), (4096, 1)] {
        // As it comes it is longer than what it means.
        let (first, second) = (member("a", 4096), format!("b=%20{}", "v".repeat(last - 5)));
        for sent in [
            Pairs::new([("baggage", format!("{first},{second}"))]),
            Pairs::new([("baggage", first), ("baggage", second)]),
        ] {
            assert_eq!(extract(&propagator, &sent).baggage().len(), keys, "{last}");
        }
    }
    for (length, is_sent) in [(8192, true), (8193, false)] {
        // A space is three characters on its way.
        let mut baggage = Baggage::new();
        baggage.insert("a", format!("{}{}", " ".repeat(2000), "v".repeat(length - 6002)));
        let sent = inject(&propagator, &Context::new().with_baggage(baggage));
        assert_eq!(sent.one("baggage").map(str::len), is_sent.then_some(length));
    }
}

#[test]
fn extracted_baggage_joins_what_is_there() {
    let mut baggage = Baggage::new();
    baggage.insert_with_metadata("a", "1", "m");
    baggage.insert("b", "old");
    let context = Context::new().with_baggage(baggage);
    let context = BaggagePropagator::new().extract_with_context(&context, &headers("baggage: b=new,c=3"));
    let entries: Vec<_> = Said::by(&context).baggage.into_iter().collect();
    let entry =
        |key: &str, value: &str, metadata: &str| (key.to_owned(), (value.to_owned(), metadata.to_owned()));
    assert_eq!(entries, [entry("a", "1", "m"), entry("b", "new", ""), entry("c", "3", "")]);
}
