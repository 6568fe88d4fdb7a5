//! What can be changed while the process runs; what sees spans; what cuts them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use otel_init::{DropRule, LevelFilter, Signal, SpanSelector, TelemetryBuilder, opentelemetry};
use otel_testing::{OtlpReceiver, eventually_blocking};

use crate::child;
use crate::{PATIENCE, STALLED, patient};

/// How long some changes hold; a machine that stands still may be later.
const BRIEFLY: Duration = Duration::from_millis(200);

fn alone(test: &str, action: impl FnOnce()) -> Option<child::Finished> {
    child::told(test, "otel_init=info,off", action)
}

fn to(receiver: &OtlpReceiver) -> TelemetryBuilder {
    patient().with_endpoint(receiver.http_endpoint())
}

fn span(name: &'static str) {
    let mut span = global::tracer("control").start(name);
    span.set_attribute(KeyValue::new("http.request.header.x-team", "a"));
    span.set_attribute(KeyValue::new("http.route", "/"));
    span.end();
}

#[test]
fn signals_levels_rules_and_attributes_change_and_change_back() {
    let finished = alone("control::signals_levels_rules_and_attributes_change_and_change_back", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let control = telemetry.control();
        let names = || {
            telemetry.flush_blocking().unwrap();
            let mut names: Vec<_> = receiver.spans().iter().map(|span| span.name.to_string()).collect();
            names.extend(receiver.logs().iter().map(|log| log.message()));
            receiver.clear();
            names.sort();
            names
        };
        let say = || {
            span("native");
            tracing::debug_span!("detail").in_scope(|| tracing::debug!("debugged"));
            tracing::info!(secret_header = "x", "informed");
        };
        say();
        assert_eq!(names(), ["informed", "native"]);

        control.set_level(LevelFilter::DEBUG);
        say();
        assert_eq!(names(), ["debugged", "detail", "informed", "native"]);
        control.set_level(LevelFilter::INFO);

        control.set_exported(Signal::Logs, false);
        say();
        assert_eq!(names(), ["native"]);
        control.set_exported(Signal::Logs, true);

        control.set_drop_rules([DropRule::span_name("nat*"), DropRule::log_body("inf*")]).unwrap();
        say();
        assert_eq!(names(), Vec::<String>::new());
        control.set_drop_rules([]).unwrap();

        control.set_without_attributes(["http.request.header.*", "secret_*"]).unwrap();
        say();
        telemetry.flush_blocking().unwrap();
        let spans = receiver.spans();
        assert_eq!(spans[0].attributes.len(), 1, "{:?}", spans[0].attributes);
        assert_eq!(receiver.logs()[0].attributes.len(), 0);
        receiver.clear();
        control.set_without_attributes(Vec::<String>::new()).unwrap();

        control.set_enabled(false);
        let off = global::tracer("control").start("off");
        assert!(!off.is_recording());
        say();
        assert_eq!(names(), Vec::<String>::new());
        let metrics = telemetry.health().signal(Signal::Metrics).unwrap().clone();
        assert!(metrics.filtered > 0, "{metrics:?}");
        control.set_enabled(true);
        say();
        assert_eq!(names(), ["informed", "native"]);

        let start = Instant::now();
        let brief = control.clone().for_at_most(BRIEFLY);
        brief.set_exported(Signal::Traces, false);
        brief.set_level(LevelFilter::TRACE);
        // A later change is not undone by the expiry of an earlier one.
        control.set_level(LevelFilter::ERROR);
        let is_off = !global::tracer("control").start("off").is_recording();
        assert!(is_off || start.elapsed() >= BRIEFLY);
        eventually_blocking(PATIENCE, || global::tracer("control").start("probe").is_recording());
        std::thread::park_timeout(Duration::from_millis(100));
        let _ = names();
        tracing::warn!("too little");
        tracing::error!("enough");
        assert!(names().contains(&"enough".to_owned()));
        let health = telemetry.health().signal(Signal::Logs).unwrap().clone();
        assert!(health.filtered > 0);
        telemetry.shutdown_blocking().unwrap();
    });
    if let Some(finished) = finished {
        for (text, count) in [
            ("changed while running: export of logs is off", 2),
            ("changed while running, for 200ms: export of traces is off", 1),
            ("the time is over: export of traces is on again", 1),
            ("the time is over: the exported level", 0),
            ("changed while running: 2 drop rules besides", 1),
        ] {
            assert_eq!(finished.lines(text).len(), count, "{text}: {}", finished.console);
        }
    }
}

#[test]
fn each_change_ends_with_its_time_and_a_line() {
    let finished = alone("control::each_change_ends_with_its_time_and_a_line", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let brief = telemetry.control().for_at_most(BRIEFLY);
        brief.set_level(LevelFilter::TRACE);
        brief.set_drop_rules([DropRule::span_name("native")]).unwrap();
        brief.set_without_attributes(["http.*"]).unwrap();
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            brief.set_exported(signal, false);
        }
        eventually_blocking(PATIENCE, || {
            span("native");
            span("probe");
            tracing::trace!("too much");
            tracing::info!("informed");
            telemetry.flush_blocking().unwrap();
            let spans = receiver.spans();
            let is_whole =
                |name: &str| spans.iter().any(|span| span.name == name && span.attributes.len() == 2);
            is_whole("native") && is_whole("probe") && !receiver.logs().is_empty()
        });
        receiver.clear();
        tracing::trace!("too much");
        tracing::info!("informed");
        telemetry.flush_blocking().unwrap();
        let logs: Vec<_> = receiver.logs().iter().map(|log| log.message()).collect();
        assert_eq!(logs, ["informed"]);
        telemetry.shutdown_blocking().unwrap();
    });
    let Some(finished) = finished else { return };
    for text in [
        "for 200ms: the exported level is trace",
        "the time is over: the exported level is info again",
        "for 200ms: 1 drop rules besides",
        "the time is over: the drop rules are the configured ones again",
        "for 200ms: attributes that are left off: http.*",
        "the time is over: no attributes are left off any more",
        "for 200ms: export of metrics is off",
        "the time is over: export of traces is on again",
        "the time is over: export of metrics is on again",
        "the time is over: export of logs is on again",
    ] {
        assert_eq!(finished.lines(text).len(), 1, "{text}: {}", finished.console);
    }
}

#[test]
fn everything_is_off_for_a_while_with_one_switch() {
    let finished = alone("control::everything_is_off_for_a_while_with_one_switch", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let start = Instant::now();
        telemetry.control().for_at_most(BRIEFLY).set_enabled(false);
        tracing::info!("unheard");
        let is_off = !global::tracer("control").start("off").is_recording();
        let is_early = start.elapsed() < BRIEFLY;
        assert!(is_off || !is_early);
        eventually_blocking(PATIENCE, || global::tracer("control").start("probe").is_recording());
        eventually_blocking(PATIENCE, || {
            tracing::info!("heard");
            telemetry.flush_blocking().unwrap();
            !receiver.logs().is_empty()
        });
        assert!(receiver.logs().iter().all(|log| log.message() == "heard" || !is_early));
        telemetry.shutdown_blocking().unwrap();
    });
    let Some(finished) = finished else { return };
    assert_eq!(finished.lines("the time is over: export of").len(), 3, "{}", finished.console);
}

#[test]
fn changes_by_many_threads_and_after_the_shutdown_do_no_harm() {
    let finished = alone("control::changes_by_many_threads_and_after_the_shutdown_do_no_harm", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let (control, sampler) = (telemetry.control(), telemetry.sampler());
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let (control, sampler) =
                    (control.clone().for_at_most(Duration::from_millis(1)), sampler.clone());
                threads.spawn(move || {
                    for turn in 0..50 {
                        control.set_exported(Signal::Traces, (turn + thread) % 2 == 0);
                        control.set_level(if turn % 2 == 0 { LevelFilter::TRACE } else { LevelFilter::OFF });
                        control.set_drop_rules([DropRule::span_name("other")]).unwrap();
                        sampler.set_ratio(0.5);
                        span("while all change");
                        tracing::info!("while all change");
                        control.set_enabled(turn % 2 == 0);
                        sampler.reset();
                    }
                });
            }
        });
        control.set_enabled(true);
        control.set_drop_rules([]).unwrap();
        span("after all");
        tracing::info!("after all");
        telemetry.flush_blocking().unwrap();
        assert!(receiver.spans().iter().any(|span| span.name == "after all"));
        assert!(receiver.logs().iter().any(|log| log.message() == "after all"));
        telemetry.shutdown_blocking().unwrap();
        receiver.clear();
        for control in [control.clone(), control.for_at_most(Duration::ZERO)] {
            control.set_enabled(false);
            control.set_enabled(true);
            control.set_level(LevelFilter::TRACE);
            control.set_drop_rules([DropRule::span_name("late")]).unwrap();
            sampler.set_ratio(1.0);
            span("too late");
            tracing::info!("too late");
        }
        let _ = telemetry.flush_blocking();
        drop(telemetry);
        sampler.reset();
        assert!(receiver.spans().is_empty() && receiver.logs().is_empty());
    });
    if let Some(finished) = finished {
        assert!(!finished.console.contains("panicked"), "{}", finished.console);
    }
}

#[test]
fn an_audit_hook_sees_what_is_exported_and_never_delays() {
    let finished = alone("control::an_audit_hook_sees_what_is_exported_and_never_delays", || {
        let receiver = OtlpReceiver::start().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, calls) = (Arc::clone(&seen), Arc::new(AtomicUsize::new(0)));
        let (gate, waiting) = std::sync::mpsc::channel::<()>();
        let waiting = Mutex::new(waiting);
        let counted = Arc::clone(&calls);
        let telemetry = to(&receiver)
            .with_audit_hook(
                SpanSelector::name("pay*").or(SpanSelector::attribute("card", "*")),
                move |span| {
                    // It would come back to the hook, for ever.
                    global::tracer("audit").start("pay for the audit").end();
                    kept.lock().unwrap().push(format!("{} {:?}", span.name, span.attributes));
                    if counted.fetch_add(1, Ordering::AcqRel) == 0 {
                        // Holds everybody else up, if anybody waited.
                        let _ = waiting.lock().unwrap().recv();
                        panic!("no good");
                    }
                },
            )
            .install()
            .unwrap();
        let tracer = global::tracer("audit");
        let mut secret = tracer.start("pay");
        secret.set_attribute(KeyValue::new("password", "hunter2"));
        secret.end();
        eventually_blocking(PATIENCE, || calls.load(Ordering::Acquire) == 1);
        let start = Instant::now();
        for _ in 0..1500 {
            tracer.start("payment").end();
        }
        assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
        assert_eq!(telemetry.health().unaudited_spans, 500, "1000 wait");
        gate.send(()).unwrap();
        eventually_blocking(PATIENCE, || calls.load(Ordering::Acquire) == 1001);
        let seen = seen.lock().unwrap();
        assert!(seen[0].starts_with("pay ") && !seen[0].contains("hunter2"), "{}", seen[0]);
        assert!(seen.iter().all(|name| name.starts_with("pay") && !name.starts_with("pay for")));
        telemetry.shutdown_blocking().unwrap();
    });
    if let Some(finished) = finished {
        assert_eq!(finished.lines("an audit hook panicked").len(), 1, "{}", finished.console);
    }
}

#[test]
fn a_recursion_and_a_storm_of_retries_are_cut_counted_and_told_once() {
    let finished = alone("control::a_recursion_and_a_storm_of_retries_are_cut_counted_and_told_once", || {
        fn recurse(depth: usize) {
            if depth > 0 {
                let span = global::tracer("caps").start("level");
                let _entered = Context::current_with_span(span).attach();
                recurse(depth - 1);
            }
        }
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).with_max_span_depth(10).with_max_spans_per_trace(50).install().unwrap();
        recurse(100);
        assert_eq!(telemetry.health().cut_spans, 1, "what is below is not asked for");
        let root = Context::current_with_span(global::tracer("caps").start("root"));
        let entered = root.clone().attach();
        for _ in 0..200 {
            global::tracer("caps").start("retry").end();
        }
        drop(entered);
        root.span().end();
        span("another trace");
        telemetry.shutdown_blocking().unwrap();
        let of = |name: &str| receiver.spans().iter().filter(|span| span.name == name).count();
        assert_eq!((of("level"), of("root"), of("retry"), of("another trace")), (10, 1, 49, 1));
        assert_eq!(telemetry.health().cut_spans, 1 + 151);
    });
    if let Some(finished) = finished {
        assert_eq!(finished.lines("more are not recorded").len(), 1, "{}", finished.console);
    }
}

#[test]
fn spans_that_are_open_are_listed_and_told_of() {
    alone("control::spans_that_are_open_are_listed_and_told_of", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).with_open_spans(Duration::from_secs(1)).install().unwrap();
        let tracer = global::tracer("open");
        let attributes = [KeyValue::new("url.path", "/orders"), KeyValue::new("password", "hunter2")];
        let stuck =
            tracer.span_builder("stuck\nhere").with_kind(SpanKind::Server).with_attributes(attributes);
        let mut stuck = stuck.start(&tracer);
        span("short");
        let ids = stuck.span_context().clone();
        let listed = telemetry.open_spans();
        let [open] = &*listed else { panic!("{listed:?}") };
        let (trace_id, span_id) = (ids.trace_id(), ids.span_id());
        let line = format!(
            "s stuck\\nhere server url.path=/orders password=REDACTED trace_id={trace_id} span_id={span_id}"
        );
        assert!(open.to_string().ends_with(&line), "{open}");
        receiver.wait_for_blocking(PATIENCE, |received| !received.logs().is_empty()).unwrap();
        let told = &receiver.logs()[0];
        assert!(told.message().starts_with("stuck\nhere has been open for"), "{}", told.message());
        let told_of = (told.trace_id.as_deref(), told.span_id.as_deref());
        assert_eq!(told_of, (Some(&*trace_id.to_string()), Some(&*span_id.to_string())));
        assert_eq!(told.event_name, "otel_init.span.open");
        assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
        stuck.end();
        assert_eq!(telemetry.open_spans(), []);

        let parent = Context::current_with_span(tracer.start("parent"));
        let lost = tracer.start_with_context("lost", &parent);
        parent.span().end();
        telemetry.shutdown_blocking().unwrap();
        let is_told =
            |log: &Arc<otel_testing::ReceivedLog>| log.message().ends_with("was shut down, and is lost");
        let told: Vec<_> = receiver.logs().into_iter().filter(is_told).collect();
        let [told] = &*told else { panic!("{told:?}") };
        assert_eq!(told.span_id, Some(lost.span_context().span_id().to_string()));
        let parent_id = parent.span().span_context().span_id().to_string();
        assert!(format!("{told:?}").contains(&parent_id), "{told:?}");
        assert!(receiver.spans().iter().all(|span| span.name != "lost"));
        assert_eq!(telemetry.open_spans(), []);
    });
}

#[test]
fn without_being_asked_for_no_span_is_kept_track_of() {
    alone("control::without_being_asked_for_no_span_is_kept_track_of", || {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = to(&receiver).install().unwrap();
        let open = global::tracer("open").start("open");
        assert_eq!(telemetry.open_spans(), []);
        telemetry.shutdown_blocking().unwrap();
        assert!(receiver.logs().is_empty());
        drop(open);
    });
}
