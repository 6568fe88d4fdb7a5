//! The random flag of level 2, through the spans of the SDK.

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use otel_core::propagation::{B3Propagator, TraceContextPropagator, has_random_trace_id};

use crate::support::{Pairs, extract, inject};

/// The flags that a local span with this remote parent sends on.
fn flags_sent(incoming: &Pairs, sampler: Sampler, propagator: &TraceContextPropagator) -> String {
    let parent = extract(&B3Propagator::single(), incoming);
    let parent =
        opentelemetry::propagation::TextMapPropagator::extract_with_context(propagator, &parent, incoming);
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    let span = provider.tracer("test").start_with_context("work", &parent);
    let sent = inject(propagator, &parent.with_span(span));
    sent.one("traceparent").unwrap()[53..].to_owned()
}

fn traceparent(flags: &str) -> Pairs {
    Pairs::new([("traceparent", format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}"))])
}

#[test]
fn a_trace_that_begins_here_is_random() {
    let propagator = TraceContextPropagator::new();
    assert_eq!(flags_sent(&Pairs::default(), Sampler::AlwaysOn, &propagator), "03");
    assert_eq!(flags_sent(&Pairs::default(), Sampler::AlwaysOff, &propagator), "02");
    let fixed = propagator.with_random_ids(false);
    assert_eq!(flags_sent(&Pairs::default(), Sampler::AlwaysOn, &fixed), "01");
}

#[test]
fn a_remote_flag_is_passed_on_whatever_the_sampler_does() {
    for propagator in [TraceContextPropagator::new(), TraceContextPropagator::new().with_random_ids(false)] {
        assert_eq!(flags_sent(&traceparent("03"), Sampler::AlwaysOn, &propagator), "03");
        assert_eq!(flags_sent(&traceparent("02"), Sampler::AlwaysOn, &propagator), "03");
        assert_eq!(flags_sent(&traceparent("01"), Sampler::AlwaysOn, &propagator), "01");
        assert_eq!(flags_sent(&traceparent("01"), Sampler::AlwaysOff, &propagator), "00");
    }
    // The SDK forgets the remote flag of a span that it drops.
    for propagator in [TraceContextPropagator::new(), TraceContextPropagator::new().with_random_ids(false)] {
        assert_eq!(flags_sent(&traceparent("03"), Sampler::AlwaysOff, &propagator), "02");
    }
}

#[test]
fn ids_are_known_to_be_random_where_their_caller_said_so_or_they_are_ours() {
    for propagator in [TraceContextPropagator::new(), TraceContextPropagator::new().with_random_ids(false)] {
        for (flags, expected) in [("03", true), ("02", true), ("01", false), ("00", false)] {
            assert_eq!(has_random_trace_id(&extract(&propagator, &traceparent(flags))), expected, "{flags}");
        }
    }
    let b3 = Pairs::new([("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")]);
    assert!(!has_random_trace_id(&extract(&B3Propagator::single(), &b3)));
    assert!(has_random_trace_id(&Context::new()));
}

#[test]
fn ids_from_other_formats_are_not_called_random() {
    let b3 = Pairs::new([("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1")]);
    assert_eq!(flags_sent(&b3, Sampler::AlwaysOn, &TraceContextPropagator::new()), "01");
}

#[test]
fn a_new_root_in_a_context_with_a_remote_parent_begins_here() {
    let propagator = TraceContextPropagator::new();
    let context = extract(&propagator, &traceparent("01"));
    let provider = SdkTracerProvider::builder().build();
    let root = provider.tracer("test").start_with_context("public", &Context::new());
    let sent = inject(&propagator, &context.with_span(root));
    assert_eq!(&sent.one("traceparent").unwrap()[53..], "03");
}

#[test]
fn a_grandchild_keeps_to_what_the_remote_parent_said() {
    let propagator = TraceContextPropagator::new();
    let provider = SdkTracerProvider::builder().build();
    let tracer = provider.tracer("test");
    for (remote, local) in [("01", "01"), ("03", "03")] {
        let parent = extract(&propagator, &traceparent(remote));
        let child = parent.with_span(tracer.start_with_context("child", &parent));
        let grandchild = child.with_span(tracer.start_with_context("grandchild", &child));
        assert_eq!(&inject(&propagator, &grandchild).one("traceparent").unwrap()[53..], local);
    }
}

#[test]
fn a_proxy_without_an_sdk_changes_nothing() {
    let propagator = TraceContextPropagator::new();
    for flags in ["00", "01", "02", "03"] {
        let incoming = traceparent(flags);
        assert_eq!(inject(&propagator, &extract(&propagator, &incoming)), incoming);
    }
}
