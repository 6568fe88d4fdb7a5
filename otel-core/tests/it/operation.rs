//! Every way out of an operation: one span end, one duration, in-flight back to 0, each exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceContextExt};
use otel_core::ErrorType;
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::convention::{DURATION, IN_FLIGHT, ROWS, assert_ended_once, instrumenter, start};

#[test]
fn ended_well() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    assert_eq!(telemetry.sum(IN_FLIGHT), 1.0);
    operation.on_response(&Ok(7));
    operation.end();

    assert_ended_once(&telemetry);
    let span = telemetry.span("job");
    assert_eq!(span.span_kind, SpanKind::Internal);
    assert_eq!(span.status, Status::Unset);
    assert!(span.has("job.code", 7) && span.has("job.name", "nightly"), "{}", telemetry.tree());
    assert_eq!(span.attribute("error.type"), None);
}

#[test]
fn a_convention_with_several_kinds_of_span_chooses_by_the_request() {
    let telemetry = TestTelemetry::new();
    instrumenter(&telemetry).start(&Context::new(), &"remote").end();
    assert_eq!(telemetry.span("job").span_kind, SpanKind::Client);
}

#[test]
fn instruments_without_an_operation() {
    let telemetry = TestTelemetry::new();
    let instrumenter = instrumenter(&telemetry);
    instrumenter.with_metrics(|metrics| metrics.duration.record(0.5, &[]));
    assert_eq!((telemetry.histogram_count(DURATION), telemetry.spans().len()), (1, 0));
}

#[test]
fn the_metric_has_the_bounded_attributes_alone_and_the_span_s_duration() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    operation.on_response(&Ok(7));
    operation.end();

    let span = telemetry.span("job");
    let metric = telemetry.metric(DURATION);
    assert_eq!((metric.unit.as_str(), metric.points.len()), ("s", 1));
    let point = &metric.points[0];
    let mut keys = point.attributes.keys();
    keys.sort_unstable();
    assert_eq!(keys, ["job.code", "job.kind"]);
    let elapsed = span.end_time.duration_since(span.start_time).unwrap().as_secs_f64();
    let recorded = point.histogram().and_then(|histogram| histogram.sum).unwrap();
    assert!((recorded - elapsed).abs() < 1e-6, "{recorded} and {elapsed}");
}

#[test]
fn ended_with_an_error_of_the_response() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    operation.on_response(&Err("disk_full"));
    operation.end();
    assert_failed(&telemetry, "disk_full");
}

#[test]
fn failed() {
    let telemetry = TestTelemetry::new();
    start(&telemetry).fail(ErrorType::TIMEOUT);
    assert_failed(&telemetry, "timeout");
}

#[test]
fn failed_after_a_good_response() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    operation.on_response(&Ok(7));
    operation.fail(ErrorType::new("connection_reset"));
    assert_failed(&telemetry, "connection_reset");
}

#[test]
fn what_was_counted_and_added_meanwhile_is_there_on_every_way_out() {
    for is_dropped in [false, true] {
        let telemetry = TestTelemetry::new();
        let mut operation = start(&telemetry);
        operation.add_at_end(|attributes| attributes.both("job.late", true));
        *operation.tally() += 7;
        *operation.tally() += 5;
        if is_dropped {
            drop(operation);
        } else {
            operation.end();
        }

        assert_ended_once(&telemetry);
        assert!(telemetry.span("job").has("job.late", true));
        let point = &telemetry.points(ROWS)[0];
        assert_eq!(point.histogram().and_then(|histogram| histogram.sum), Some(12.0));
        assert!(point.has("job.late", true));
    }
}

#[test]
fn dropped_is_no_error_by_default() {
    let telemetry = TestTelemetry::new();
    drop(start(&telemetry));
    assert_ended_once(&telemetry);
    assert_eq!(telemetry.span("job").status, Status::Unset);
}

#[test]
fn dropped_after_a_failed_response_keeps_its_error() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    operation.on_response(&Err("disk_full"));
    drop(operation);
    assert_failed(&telemetry, "disk_full");
}

#[tokio::test]
async fn a_future_dropped_before_its_first_poll_and_one_dropped_midway() {
    for polled in [false, true] {
        let telemetry = TestTelemetry::new();
        let operation = start(&telemetry);
        let mut future = Box::pin(async move {
            std::future::pending::<()>().await;
            operation.end();
        });
        if polled {
            assert!(futures_util::poll!(&mut future).is_pending());
        }
        drop(future);
        assert_ended_once(&telemetry);
    }
}

#[test]
fn a_panic_in_run_ends_it_at_once_even_if_the_operation_lives_on() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    let panicked = catch_unwind(AssertUnwindSafe(|| operation.run(|| panic!("a test panics here"))));
    assert!(panicked.is_err());
    assert_failed(&telemetry, "panic");
    operation.end(); // says nothing new
    assert_failed(&telemetry, "panic");
}

/// What a destructor does well while the thread unwinds for another reason has not failed.
#[test]
fn work_inside_of_a_destructor_while_unwinding_is_no_panic_of_its_own() {
    struct CleansUp<'a>(&'a TestTelemetry);
    impl Drop for CleansUp<'_> {
        fn drop(&mut self) {
            let mut operation = start(self.0);
            operation.run(|| ());
            operation.end();
        }
    }
    let telemetry = TestTelemetry::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _cleans_up = CleansUp(&telemetry);
        panic!("a test panics here");
    }));
    assert!(panicked.is_err());
    assert_ended_once(&telemetry);
    assert_eq!(telemetry.span("job").attribute("error.type"), None);
}

#[test]
fn dropped_while_unwinding_is_a_panic() {
    let telemetry = TestTelemetry::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _operation = start(&telemetry);
        panic!("a test panics here");
    }));
    assert!(panicked.is_err());
    assert_failed(&telemetry, "panic");
}

#[test]
fn the_context_is_attached_while_it_runs_and_only_then() {
    let telemetry = TestTelemetry::new();
    let mut operation = start(&telemetry);
    let expected = operation.context().span().span_context().span_id();
    let seen = operation.run(|| Context::current().span().span_context().span_id());
    assert_eq!(seen, expected);
    assert_eq!(Context::current().span().span_context().span_id(), SpanId::INVALID);
}

#[test]
fn where_telemetry_is_suppressed_nothing_is_recorded() {
    let telemetry = TestTelemetry::new();
    let suppressed = Context::new().with_telemetry_suppressed();
    let mut operation = instrumenter(&telemetry).start(&suppressed, &"export");
    assert!(operation.run(Context::is_current_telemetry_suppressed));
    operation.on_response(&Err("refused"));
    operation.end();
    assert!(telemetry.spans().is_empty());
    assert_eq!(telemetry.histogram_count(DURATION), 0);
}

#[test]
fn an_unsampled_operation_is_measured_all_the_same() {
    let telemetry =
        TestTelemetry::builder().with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff).build();
    let mut operation = start(&telemetry);
    operation.on_response(&Err("disk_full"));
    operation.end();
    assert!(telemetry.spans().is_empty());
    assert_eq!(telemetry.histogram_count(DURATION), 1);
}

#[track_caller]
fn assert_failed(telemetry: &TestTelemetry, error_type: &str) {
    assert_ended_once(telemetry);
    let span = telemetry.span("job");
    assert_eq!(span.status, Status::error(""), "{}", telemetry.tree());
    assert!(span.has("error.type", error_type.to_owned()), "{}", telemetry.tree());
    let point = &telemetry.metric(DURATION).points[0];
    assert!(point.has("error.type", error_type));
}

#[test]
fn a_record_and_a_hook_that_panic_while_unwinding_end_no_process() {
    let telemetry = TestTelemetry::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut operation = start(&telemetry);
        *operation.tally() = u64::MAX;
        operation.add_at_end(|_| panic!("a test panics here"));
        operation.run(|| panic!("a test panics here"));
    }));
    assert!(panicked.is_err());
    assert_failed(&telemetry, "panic");
}

#[test]
fn a_caller_that_knows_our_next_id_changes_nothing() {
    use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
    let telemetry = TestTelemetry::builder().with_counting_ids().build();
    let jobs = instrumenter(&telemetry);
    jobs.start(&Context::new(), &"first").end();
    let first = telemetry.spans()[0].span_context.clone();
    let next = (u64::from_be_bytes(first.span_id().to_bytes()) + 1).to_be_bytes();
    let guessed = SpanContext::new(
        first.trace_id(),
        SpanId::from_bytes(next),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    jobs.start(&Context::new().with_remote_span_context(guessed), &"guessed").end();
    jobs.start(&Context::new(), &"after").end();
    assert_eq!(telemetry.spans().len(), 3);
}
