//! Spans as they come out, beside those of the SDK.

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Event, Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
    TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData, SpanLimits};
use otel_core::propagation::TraceContextPropagator;
use proptest::prelude::*;

use super::{Exporting, Span, TracerProvider};
use crate::sampling::{AlwaysOn, Keep, Sampling, SamplingControl};

fn exporting(sampler: Sampler, limits: SpanLimits) -> (TracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let processor = Box::new(Exporting(exporter.clone()));
    (TracerProvider::new(sampler, limits, Some(processor)), exporter)
}

fn always() -> (TracerProvider, InMemorySpanExporter) {
    exporting(Sampler::AlwaysOn, SpanLimits::default())
}

fn remote(flags: &str) -> Context {
    let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    TraceContextPropagator::new().extract(&HashMap::from([("traceparent".to_owned(), parent)]))
}

#[test]
fn spans_of_all_threads_reach_the_one_processor_wherever_they_end() {
    let (provider, exporter) = always();
    let tracer = provider.tracer("shop");
    let (started, ending) = mpsc::channel::<Span>();
    thread::scope(|scope| {
        for _ in 0..20 {
            let started = started.clone();
            scope.spawn(|| {
                tracer.start("ends here").end();
                let started = started;
                started.send(tracer.start("ends elsewhere")).unwrap();
            });
        }
    });
    drop(started);
    ending.iter().for_each(|mut span| span.end());
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 40);
    assert!(spans.iter().all(|span| span.instrumentation_scope.name() == "shop"));
}

#[test]
fn a_span_ends_once_and_a_drop_ends_it_too() {
    let (provider, exporter) = always();
    let tracer = provider.tracer("shop");
    let end = SystemTime::now() + Duration::from_secs(7);
    let mut span = tracer.start("ended");
    span.end_with_timestamp(end);
    span.set_attribute(KeyValue::new("late", true));
    assert!(!span.is_recording() && span.span_context().is_valid());
    span.end();
    drop(span);
    drop(tracer.start("dropped"));
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.iter().map(|span| &*span.name).collect::<Vec<_>>(), ["ended", "dropped"]);
    assert_eq!((spans[0].end_time, spans[0].attributes.len()), (end, 0));
    assert!(spans[1].end_time >= spans[1].start_time);
}

#[test]
fn a_span_during_which_the_clock_is_set_back_does_not_end_before_it_starts() {
    let (provider, exporter) = always();
    let tracer = provider.tracer("shop");
    let ahead = SystemTime::now() + Duration::from_secs(3600);
    let start = || tracer.build(SpanBuilder::from_name("started").with_start_time(ahead));
    start().end();
    drop(start());
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(
        spans.iter().map(|span| (span.start_time, span.end_time)).collect::<Vec<_>>(),
        [(ahead, ahead); 2]
    );
}

#[test]
fn after_a_stop_no_thread_records_and_the_callers_trace_goes_through() {
    let (provider, exporter) = always();
    let running = provider.tracer("before").start("running");
    let tracers = [provider.tracer("before"), {
        provider.stop();
        provider.tracer("after")
    }];
    let caller = remote("01");
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for tracer in &tracers {
                    let span = tracer.start_with_context("late", &caller);
                    assert!(!span.is_recording());
                    assert_eq!(span.span_context(), caller.span().span_context());
                }
            });
        }
    });
    drop(running);
    assert_eq!(exporter.get_finished_spans().unwrap(), []);
}

#[test]
fn nothing_is_recorded_where_telemetry_is_suppressed_or_nobody_wants_it() {
    let (provider, exporter) = always();
    {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        assert!(!provider.tracer("shop").start("of the export").is_recording());
    }
    let nobodys = TracerProvider::new(Sampler::AlwaysOn, SpanLimits::default(), None);
    let span = nobodys.tracer("shop").start("span");
    assert!(!span.is_recording(), "there is no processor");
    assert!(
        span.span_context().is_valid() && span.span_context().is_sampled(),
        "calls belong together all the same"
    );
    assert_eq!(exporter.get_finished_spans().unwrap(), []);
}

#[test]
fn where_telemetry_is_disabled_the_callers_trace_goes_through() {
    let disabled = crate::pipeline::Pipeline::disabled(&opentelemetry_sdk::Resource::builder_empty().build());
    let (tracer, caller) = (disabled.tracer_provider.tracer("shop"), remote("01"));
    let span = tracer.start_with_context("span", &caller);
    assert_eq!(span.span_context(), caller.span().span_context());
    assert!(!span.is_recording() && !tracer.start("root").span_context().is_valid());
}

#[test]
fn what_is_shown_of_a_span_is_its_own_and_not_what_others_wait_with() {
    let keep = Keep::errors();
    let control = SamplingControl::new(&Sampling::new(AlwaysOn).with_keep(keep), None);
    let processor = control.processor(Exporting(InMemorySpanExporter::default()));
    let provider = TracerProvider::new(control.sampler(), SpanLimits::default(), Some(Box::new(processor)));
    let tracer = provider.tracer("shop");
    let request = Context::new().with_span(tracer.start("request"));
    let mut waits = tracer.start_with_context("login", &request);
    waits.set_attribute(KeyValue::new("password", "not redacted yet"));
    waits.end();
    let shown = [format!("{:?}", tracer.start("order")), format!("{tracer:?}"), format!("{provider:?}")];
    assert!(shown[0].contains("order") && shown[1].contains("shop"), "{shown:?}");
    for text in shown {
        assert!(!text.contains("not redacted yet") && text.len() < 2000, "{text}");
    }
}

#[test]
fn a_span_has_the_flags_of_its_trace() {
    let invalid = Context::new().with_remote_span_context(SpanContext::empty_context());
    // The parent, and the flags of a span that is sampled. One that is not lacks but the last bit.
    for (parent, flags) in
        [(Context::new(), 3), (invalid, 3), (remote("01"), 1), (remote("03"), 3), (remote("00"), 1)]
    {
        for (sampler, expected) in [(Sampler::AlwaysOn, flags), (Sampler::AlwaysOff, flags & 2)] {
            let tracer = exporting(sampler, SpanLimits::default()).0.tracer("shop");
            let above = tracer.start_with_context("above", &parent);
            let context = above.span_context().clone();
            assert_eq!(context.trace_flags().to_u8(), expected, "{parent:?}");
            assert!(!context.is_remote());
            let below = tracer.start_with_context("below", &parent.with_remote_span_context(context.clone()));
            assert_eq!(below.span_context().trace_flags(), context.trace_flags());
            assert_eq!(below.span_context().trace_id(), context.trace_id());
            assert_ne!(below.span_context().span_id(), context.span_id());
        }
    }
}

#[test]
fn a_parent_without_ids_is_no_parent() {
    let (provider, exporter) = always();
    for (trace_id, span_id) in [(0, 8), (7, 0), (0, 0_u64)] {
        let (trace_id, span_id) = (TraceId::from(trace_id), SpanId::from(span_id));
        let above = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::NONE);
        drop(
            provider
                .tracer("shop")
                .start_with_context("root", &Context::new().with_remote_span_context(above)),
        );
        let span = exporter.get_finished_spans().unwrap().remove(0);
        assert!(span.span_context.is_valid() && span.span_context.trace_id() != trace_id);
        assert_eq!((span.parent_span_id, span.parent_span_is_remote), (SpanId::INVALID, false));
        exporter.reset();
    }
}

#[test]
fn the_last_error_counts_and_ok_is_the_last_word() {
    let (provider, exporter) = always();
    for (said, expected) in [
        (vec![Status::error("z"), Status::error("a")], Status::error("a")),
        (vec![Status::error("z"), Status::Unset], Status::error("z")),
        (vec![Status::error("z"), Status::error("")], Status::error("z")),
        (vec![Status::error(""), Status::error("z")], Status::error("z")),
        (vec![Status::error("z"), Status::Ok, Status::error("a")], Status::Ok),
    ] {
        let mut span = provider.tracer("shop").start("span");
        said.into_iter().for_each(|status| span.set_status(status));
        span.end();
        assert_eq!(exporter.get_finished_spans().unwrap()[0].status, expected);
        exporter.reset();
    }
}

#[test]
fn what_a_sampler_adds_counts_with_the_rest() {
    #[derive(Clone, Debug)]
    struct Adding;
    impl opentelemetry_sdk::trace::ShouldSample for Adding {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> opentelemetry_sdk::trace::SamplingResult {
            opentelemetry_sdk::trace::SamplingResult {
                decision: opentelemetry_sdk::trace::SamplingDecision::RecordOnly,
                attributes: vec![KeyValue::new("by.sampler", 1), KeyValue::new("too.many", 1)],
                trace_state: TraceState::from_key_value([("a", "b")]).unwrap(),
            }
        }
    }
    let exporter = InMemorySpanExporter::default();
    let limits = SpanLimits { max_attributes_per_span: 2, ..SpanLimits::default() };
    let provider = TracerProvider::new(Adding, limits, Some(Box::new(Exporting(exporter.clone()))));
    let tracer = provider.tracer("shop");
    drop(tracer.span_builder("span").with_attributes([KeyValue::new("own", 1)]).start(&tracer));
    let span = exporter.get_finished_spans().unwrap().remove(0);
    assert_eq!(span.attributes, [KeyValue::new("own", 1), KeyValue::new("by.sampler", 1)]);
    assert_eq!(span.dropped_attributes_count, 1);
    assert!(!span.span_context.is_sampled());
    assert_eq!(span.span_context.trace_state().header(), "a=b");
}

#[test]
fn counts_that_somebody_else_made_do_not_overflow() {
    let limits =
        SpanLimits { max_attributes_per_event: 1, max_attributes_per_link: 1, ..SpanLimits::default() };
    let (provider, exporter) = exporting(Sampler::AlwaysOn, limits);
    let tracer = provider.tracer("shop");
    let linked = SpanContext::new(7.into(), 8.into(), TraceFlags::SAMPLED, true, TraceState::NONE);
    let builder = tracer
        .span_builder("span")
        .with_events(vec![Event::new("event", SystemTime::now(), attributes(2), u32::MAX)])
        .with_links(vec![Link::new(linked, attributes(2), u32::MAX)]);
    drop(builder.start(&tracer));
    let span = exporter.get_finished_spans().unwrap().remove(0);
    let counts = [span.events[0].dropped_attributes_count, span.links[0].dropped_attributes_count];
    assert_eq!(counts, [u32::MAX; 2]);
}

/// What an instrumentation may do with a span. Keys are different ones: of equal ones the SDK keeps all.
#[derive(Clone, Debug)]
enum Step {
    Attribute,
    Event(usize),
    Link(usize),
    Fail,
    Rename,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Attribute),
        2 => (0..5_usize).prop_map(Step::Event),
        2 => (0..5_usize).prop_map(Step::Link),
        1 => Just(Step::Fail),
        1 => Just(Step::Rename),
    ];
    proptest::collection::vec(step, 0..30)
}

fn attributes(count: usize) -> Vec<KeyValue> {
    (0..count).map(|number| KeyValue::new(format!("key {number}"), number as i64)).collect()
}

/// Runs the steps on a span that started with so many attributes, events and links.
fn work<T: opentelemetry::trace::Tracer>(tracer: &T, parent: &Context, first: [usize; 3], steps: &[Step]) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let [own, events, links] = first;
    let linked =
        SpanContext::new(TraceId::from(7), SpanId::from(8), TraceFlags::SAMPLED, true, TraceState::NONE);
    let mut builder = tracer.span_builder("first").with_kind(SpanKind::Client).with_start_time(time);
    if own > 0 {
        builder = builder.with_attributes(attributes(own));
    }
    if events > 0 {
        builder = builder.with_events(vec![Event::new("at once", time, attributes(events), 0); events]);
    }
    if links > 0 {
        builder = builder.with_links(vec![Link::new(linked.clone(), attributes(links), 0); links]);
    }
    let mut span = tracer.build_with_context(builder, parent);
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Attribute => span.set_attribute(KeyValue::new(format!("own {number}"), true)),
            Step::Event(count) => span.add_event_with_timestamp("event", time, attributes(*count)),
            Step::Link(count) => span.add_link(linked.clone(), attributes(*count)),
            Step::Fail => span.set_status(Status::error("failed")),
            Step::Rename => span.update_name(format!("name {number}")),
        }
    }
    span.end_with_timestamp(time + Duration::from_secs(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// But for the ids, the flag of a random trace id and what is set twice.
    #[test]
    fn a_span_holds_what_one_of_the_sdk_holds(
        steps in steps(),
        first in [0..6_usize, 0..6, 0..6],
        is_child: bool,
    ) {
        let limits = SpanLimits {
            max_attributes_per_span: 5,
            max_events_per_span: 4,
            max_links_per_span: 3,
            max_attributes_per_event: 3,
            max_attributes_per_link: 2,
        };
        let parent = if is_child { remote("01") } else { Context::new() };
        let (ours, exported) = exporting(Sampler::AlwaysOn, limits);
        work(&ours.tracer("shop"), &parent, first, &steps);
        let expected = InMemorySpanExporter::default();
        let sdk = SdkTracerProvider::builder().with_simple_exporter(expected.clone()).with_span_limits(limits).build();
        work(&sdk.tracer("shop"), &parent, first, &steps);
        let (own, upstream) = (exported.get_finished_spans().unwrap(), expected.get_finished_spans().unwrap());
        prop_assert_eq!(own.len(), 1);
        let upstream = SpanData { span_context: own[0].span_context.clone(), ..upstream[0].clone() };
        prop_assert_eq!(&own[0], &upstream);
    }
}
