//! Traces that wait: how long, and what comes after their end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{Status, TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SpanData;

use super::super::buffer::KeepBuffer;
use super::super::{AlwaysOn, Keep, Sampling};
use super::installed;
use super::keep::{SLOW, fail, never, start, states};

#[test]
fn a_span_that_begins_after_the_end_of_a_kept_trace_leaves_with_it() {
    let (provider, exported, control) = installed(&never().with_keep(Keep::errors()));
    let tracer = provider.tracer("test");
    let root = start(&tracer, "root", &Context::new());
    fail(&root);
    start(&tracer, "after", &root).span().end();
    assert_eq!(exported.names(), ["after", "root"]);
    // And one after a trace that was not kept is not recorded any more.
    let root = start(&tracer, "root", &Context::new());
    root.span().end();
    assert!(!start(&tracer, "after", &root).span().is_recording());
    assert_eq!(control.health().kept_traces, 1);
}

#[test]
fn a_span_that_fails_after_the_end_of_a_sampled_trace_keeps_the_threshold_of_the_head() {
    let sampling = Sampling::probability(0.5).with_keep(Keep::errors());
    let (provider, exported, control) = installed(&sampling);
    let tracer = provider.tracer("test");
    let mut late = 0;
    for _ in 0..100 {
        let root = start(&tracer, "root", &Context::new());
        root.span().end();
        fail(&start(&tracer, "late", &root));
        let spans = exported.take();
        assert!(states(&spans).iter().all(|state| state == "ot=th:8"), "{:?}", states(&spans));
        late += spans.iter().filter(|span| span.name == "late").count();
    }
    assert!((10..90).contains(&late), "{late}");
    let health = control.health();
    assert_eq!((health.kept_traces, health.dropped_spans, health.waiting_bytes), (0, 0, 0));
}

#[test]
fn what_begins_while_all_this_ends_takes_no_room_for_good() {
    for round in 0..200 {
        let (provider, _, control) = installed(&never().with_keep(Keep::errors()));
        let tracer = provider.tracer("test");
        let begun = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        start(&tracer, "request", &Context::new()).span().end();
                        begun.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            while begun.load(Ordering::Relaxed) < 10 * round {
                thread::yield_now();
            }
            provider.stop();
        });
        assert_eq!(control.health().waiting_bytes, 0, "round {round}");
    }
}

#[test]
fn a_flush_lets_go_of_what_has_no_open_request_and_a_shutdown_of_everything() {
    let sampling = Sampling::new(AlwaysOn).with_keep(Keep::errors());
    let (provider, exported, control) = installed(&sampling);
    let tracer = provider.tracer("test");
    let open = start(&tracer, "open", &Context::new());
    start(&tracer, "below open", &open).span().end();
    let ended = start(&tracer, "ended", &Context::new());
    let job = start(&tracer, "job", &ended);
    ended.span().end();
    assert_eq!(exported.names(), Vec::<String>::new());
    control.flush();
    assert_eq!(exported.names(), ["ended"]);
    job.span().end();
    assert_eq!(exported.names(), ["job"]);
    provider.stop();
    assert_eq!(exported.names(), ["below open"]);
    assert_eq!(control.health().waiting_bytes, 0);
}

#[test]
fn time_decides_too() {
    let keep = Keep::errors().with_slower_than(SLOW).with_linger(Duration::from_secs(10));
    let (provider, exported, _control) = installed(&never().with_keep(keep.clone()));
    let tracer = provider.tracer("test");
    // Spans that were recorded, for a buffer whose clock the test holds.
    let root = start(&tracer, "root", &Context::new());
    let below = start(&tracer, "below", &root);
    let context = below.span().span_context().clone();
    fail(&below);
    fail(&root);
    let spans: Vec<SpanData> = exported.take();
    assert_eq!(spans.len(), 2);

    let buffer = KeepBuffer::new(keep);
    let now = Instant::now();
    let quick = |name: &str| {
        let mut span = spans.iter().find(|span| span.name == name).unwrap().clone();
        span.status = Status::Unset;
        span
    };
    buffer.open(context.trace_id(), true);
    buffer.open(context.trace_id(), false);
    assert!(buffer.close(quick("below")).is_empty());
    assert!(buffer.sweep(now, false).is_empty());
    let released = buffer.sweep(Instant::now() + SLOW * 2, false);
    assert!(released.len() == 1 && released[0].is_kept, "the request takes so long already");
    assert!(buffer.close(quick("root"))[0].is_kept);
    assert!(buffer.watches(context.trace_id()));
    assert!(buffer.sweep(now + Duration::from_secs(20), false).is_empty());
    assert!(!buffer.watches(context.trace_id()), "forgotten after a while");

    // A request that has ended, and something of it that has not.
    buffer.open(context.trace_id(), true);
    buffer.open(context.trace_id(), false);
    assert!(buffer.close(quick("root")).is_empty());
    assert!(buffer.sweep(now + Duration::from_secs(5), false).is_empty());
    let released = buffer.sweep(Instant::now() + Duration::from_secs(10), false);
    assert!(released.len() == 1 && !released[0].is_kept);
    buffer.close(quick("below"));
    assert_eq!((buffer.health().waiting_bytes, buffer.health().waiting_spans), (0, 0));
}

#[test]
fn a_request_is_as_slow_as_it_is_itself() {
    let keep = Keep::slower_than(SLOW);
    let (provider, exported, _control) = installed(&Sampling::new(AlwaysOn));
    start(&provider.tracer("test"), "quick", &Context::new()).span().end();
    let quick = exported.take().remove(0);
    let trace_id = quick.span_context.trace_id();
    let buffer = KeepBuffer::new(keep);
    let now = Instant::now();
    buffer.open_at(trace_id, true, now);
    buffer.open_at(trace_id, false, now);
    assert!(buffer.close(quick).is_empty());
    buffer.open_at(trace_id, true, now + SLOW * 5);
    assert!(buffer.sweep(now + SLOW * 5, false).is_empty());
    assert_eq!(buffer.health().kept_traces, 0);
    buffer.sweep(now + SLOW * 6, false);
    assert_eq!(buffer.health().kept_traces, 1);
}
