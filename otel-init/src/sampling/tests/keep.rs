//! Traces with errors, slow ones, and the flags of what is exported.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use otel_core::propagation::TraceContextPropagator;

use super::super::{AlwaysOff, AlwaysOn, Keep, Probability, Rule, RuleBased, Sampling};
use super::{Exported, installed};

pub(super) const SLOW: Duration = Duration::from_secs(1);

pub(super) fn never() -> Sampling {
    Sampling::probability(0.0)
}

fn remote(flags: &str) -> Context {
    let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    TraceContextPropagator::new().extract(&HashMap::from([("traceparent".to_owned(), parent)]))
}

pub(super) fn start(tracer: &crate::Tracer, name: &'static str, context: &Context) -> Context {
    context.with_span(tracer.start_with_context(name, context))
}

pub(super) fn fail(context: &Context) {
    context.span().set_status(Status::error("no"));
    context.span().end();
}

fn end_after(context: &Context, duration: Duration) {
    context.span().end_with_timestamp(SystemTime::now() + duration);
}

pub(super) fn states(spans: &[SpanData]) -> Vec<String> {
    spans.iter().map(|span| span.span_context.trace_state().header()).collect()
}

#[test]
fn a_trace_with_an_error_leaves_whole_and_stands_for_itself() {
    for (sampling, context) in
        [(never(), Context::new()), (never(), remote("00")), (Sampling::new(AlwaysOn), Context::new())]
    {
        let (provider, exported, control) = installed(&sampling.with_keep(Keep::errors()));
        let tracer = provider.tracer("test");
        let root = start(&tracer, "root", &context);
        let first = start(&tracer, "first", &root);
        let deeper = start(&tracer, "deeper", &first);
        deeper.span().end();
        first.span().end();
        assert_eq!(exported.take().len(), 0, "head-sampled traces wait too");
        assert_eq!(control.health().waiting_spans, 2);
        fail(&start(&tracer, "failing", &root));
        assert_eq!(
            exported.0.get_finished_spans().unwrap().len(),
            3,
            "everything leaves as soon as it is known"
        );
        start(&tracer, "later", &root).span().end();
        root.span().end();
        let spans = exported.take();
        assert_eq!(spans.len(), 5);
        for span in &spans {
            assert!(span.span_context.is_sampled());
            assert_eq!(span.span_context.trace_state().header(), "ot=th:0");
        }
        let health = control.health();
        assert_eq!((health.kept_traces, health.waiting_spans, health.dropped_spans), (1, 0, 0));
    }
}

#[test]
fn what_waits_is_not_shown() {
    let (provider, _exported, control) = installed(&never().with_keep(Keep::errors()));
    let tracer = provider.tracer("test");
    let root = start(&tracer, "root", &Context::new());
    let waiting = start(&tracer, "waiting", &root);
    waiting.span().set_attribute(KeyValue::new("password", "hunter2"));
    waiting.span().end();
    assert_eq!(control.health().waiting_spans, 1);
    let shown = format!("{control:?}");
    assert!(shown.contains("waiting_spans: 1") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_is_neither_wrong_nor_slow_is_as_the_head_said() {
    let keep = Keep::errors().with_slower_than(SLOW);
    for (sampling, expected) in [(never(), 0), (Sampling::new(AlwaysOn), 2)] {
        let (provider, exported, control) = installed(&sampling.with_keep(keep.clone()));
        let tracer = provider.tracer("test");
        let root = start(&tracer, "root", &Context::new());
        start(&tracer, "below", &root).span().end();
        root.span().end();
        let spans = exported.take();
        assert_eq!(spans.len(), expected);
        let health = control.health();
        assert_eq!((health.kept_traces, health.waiting_bytes, health.dropped_spans), (0, 0, 0));
    }
}

#[test]
fn a_slow_request_is_kept_and_a_slow_job_behind_a_quick_one_is_not() {
    let sampling = never().with_keep(Keep::slower_than(SLOW));
    let (provider, exported, _control) = installed(&sampling);
    let tracer = provider.tracer("test");
    let root = start(&tracer, "slow", &Context::new());
    start(&tracer, "quick", &root).span().end();
    fail(&start(&tracer, "failed", &root));
    assert_eq!(exported.0.get_finished_spans().unwrap().len(), 0, "errors were not asked for");
    end_after(&root, SLOW);
    assert_eq!(exported.names(), ["failed", "quick", "slow"]);

    let root = start(&tracer, "quick", &Context::new());
    let job = start(&tracer, "job", &root);
    root.span().end();
    end_after(&job, SLOW * 2);
    assert_eq!(exported.names(), Vec::<String>::new());

    // A request that waits for something slow is slow.
    let root = start(&tracer, "waiting", &Context::new());
    end_after(&start(&tracer, "call", &root), SLOW);
    assert_eq!(exported.names(), ["call"]);
    root.span().end();
    assert_eq!(exported.names(), ["waiting"]);
}

#[test]
fn requests_that_got_over_an_error_are_left_out_if_only_failed_ones_count() {
    let (provider, exported, _control) = installed(&never().with_keep(Keep::failed_requests()));
    let tracer = provider.tracer("test");
    let root = start(&tracer, "tried again", &Context::new());
    fail(&start(&tracer, "failed", &root));
    root.span().end();
    assert_eq!(exported.names(), Vec::<String>::new());
    let root = start(&tracer, "request", &Context::new());
    start(&tracer, "fine", &root).span().end();
    fail(&root);
    assert_eq!(exported.names(), ["fine", "request"]);
}

#[test]
fn an_attribute_is_a_reason_too() {
    let keep = Keep::errors().with_attribute("audit");
    let (provider, exported, _control) = installed(&never().with_keep(keep));
    let tracer = provider.tracer("test");
    for (key, value, expected) in
        [("otel_db.slow", true, 1), ("otel_db.slow", false, 0), ("audit", true, 1), ("other", true, 0)]
    {
        let root = start(&tracer, "query", &Context::new());
        root.span().set_attribute(KeyValue::new(key, value));
        root.span().end();
        assert_eq!(exported.names().len(), expected, "{key} {value}");
    }
}

#[test]
fn what_nobody_wants_to_see_is_not_kept_either() {
    let rules = RuleBased::new().with_rule(Rule::name("health").never()).otherwise(Probability::new(0.0));
    let (provider, exported, control) = installed(&Sampling::new(rules).with_keep(Keep::errors()));
    let tracer = provider.tracer("test");
    let health = start(&tracer, "health", &Context::new());
    assert!(!health.span().is_recording());
    let below = start(&tracer, "below", &health);
    assert!(!below.span().is_recording());
    fail(&below);
    fail(&health);
    assert_eq!(exported.names(), Vec::<String>::new());
    assert_eq!(control.health().kept_traces, 0);
}

#[test]
fn without_room_the_head_decides_and_the_rest_is_counted() {
    for (sampling, expected) in [(never(), 0), (Sampling::new(AlwaysOn), 12)] {
        let keep = Keep::errors().with_memory(4000);
        let (provider, exported, control) = installed(&sampling.with_keep(keep));
        let tracer = provider.tracer("test");
        let root = start(&tracer, "root", &Context::new());
        for _ in 0..10 {
            let below = start(&tracer, "below", &root);
            below.span().set_attribute(KeyValue::new("text", "x".repeat(1000)));
            below.span().end();
            assert!(control.health().waiting_bytes < 4000, "{:?}", control.health());
        }
        fail(&start(&tracer, "failed", &root));
        root.span().end();
        let spans = exported.take();
        assert_eq!(spans.len(), expected);
        assert!(spans.iter().all(|span| span.span_context.trace_state().header() == "ot=th:0"));
        let health = control.health();
        assert_eq!((health.kept_traces, health.dropped_spans), (0, 12 - expected as u64));
        assert_eq!((health.waiting_bytes, health.waiting_spans), (0, 0));
    }
}

/// What leaves because there is no room keeps the threshold of the head, which stands for those that were dropped.
#[test]
fn without_room_the_threshold_is_the_heads() {
    let sampling = Sampling::probability(0.5).with_keep(Keep::errors().with_memory(0));
    let (provider, exported, control) = installed(&sampling);
    let tracer = provider.tracer("test");
    for _ in 0..200 {
        let root = start(&tracer, "root", &Context::new());
        start(&tracer, "below", &root).span().end();
        fail(&root);
    }
    let spans = exported.take();
    assert!((100..300).contains(&spans.len()), "{}", spans.len());
    assert!(states(&spans).iter().all(|state| state == "ot=th:8"));
    assert_eq!(control.health().dropped_spans, 400 - spans.len() as u64);
}

/// Nobody sees the failure of a late span below a trace that was not sampled, so the one that is seen stands for those too.
/// Two requests of one trace, with a job in between that keeps the trace from being over.
#[test]
fn many_threads_and_every_error_is_kept_once() {
    let sampling = Sampling::probability(0.1).with_keep(Keep::errors());
    let (provider, exported, control) = installed(&sampling);
    let provider = Arc::new(provider);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let tracer = provider.tracer("test");
            std::thread::spawn(move || {
                for index in 0..500 {
                    let root = start(&tracer, if index % 10 == 0 { "bad" } else { "good" }, &Context::new());
                    start(&tracer, "below", &root).span().end();
                    if index % 10 == 0 { fail(&root) } else { root.span().end() }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let spans = exported.take();
    let (bad, good): (Vec<_>, Vec<_>) = spans
        .iter()
        .filter(|span| span.parent_span_id == opentelemetry::trace::SpanId::INVALID)
        .partition(|span| span.name == "bad");
    assert_eq!(bad.len(), 200);
    assert!(bad.iter().all(|span| span.span_context.trace_state().header() == "ot=th:0"));
    // 1,800 at 10 %, five standard deviations.
    assert!((116..=244).contains(&good.len()), "{}", good.len());
    assert!(good.iter().all(|span| span.span_context.trace_state().header() == "ot=th:e666"));
    assert_eq!(spans.len(), 2 * (bad.len() + good.len()), "whole traces");
    let health = control.health();
    assert_eq!((health.kept_traces, health.dropped_spans, health.waiting_spans), (200, 0, 0));
}

fn flags(exported: &Exported) -> Vec<u8> {
    exported.take().iter().map(|span| span.span_context.trace_flags().to_u8()).collect()
}

#[test]
fn the_random_flag_is_exported_for_ids_of_ours_and_for_those_whose_caller_said_so() {
    for keep in [None, Some(Keep::errors())] {
        let sampling = Sampling::new(AlwaysOn);
        let sampling = match keep {
            Some(keep) => sampling.with_keep(keep),
            None => sampling,
        };
        let (provider, exported, _control) = installed(&sampling);
        let tracer = provider.tracer("test");
        for (context, expected) in [(Context::new(), 3), (remote("03"), 3), (remote("01"), 1)] {
            let root = start(&tracer, "root", &context);
            let below = start(&tracer, "below", &root);
            below.span().set_attribute(KeyValue::new("own", true));
            below.span().end();
            root.span().end();
            let attributes: Vec<_> =
                exported.0.get_finished_spans().unwrap().iter().map(|span| span.attributes.len()).collect();
            assert_eq!(attributes, [1, 0], "nothing of ours stays behind");
            assert_eq!(flags(&exported), [expected, expected]);
        }
    }
}

#[test]
fn nothing_is_kept_by_a_head_that_is_off() {
    let (provider, exported, _control) = installed(&Sampling::new(AlwaysOff).with_keep(Keep::errors()));
    let tracer = provider.tracer("test");
    fail(&start(&tracer, "root", &Context::new()));
    assert_eq!(exported.names(), Vec::<String>::new());
}
