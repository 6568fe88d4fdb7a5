use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use opentelemetry::trace::{
    Link, Span, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::Sampler;
use otel_testing::{SpanDataExt, TestTelemetry};

pub(crate) fn shop(telemetry: &TestTelemetry) -> opentelemetry_sdk::trace::SdkTracer {
    telemetry.tracer_provider().tracer("shop")
}

pub(crate) fn panic_message(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("the call panics");
    panic.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn records_survive_the_shutdown_of_all_providers() {
    use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
    use opentelemetry::metrics::MeterProvider as _;

    let telemetry = TestTelemetry::new();
    shop(&telemetry).in_span("checkout", |_| ());
    telemetry.meter_provider().meter("shop").u64_counter("orders").build().add(2, &[]);
    let logger = telemetry.logger_provider().logger("shop");
    let mut record = logger.create_log_record();
    record.set_body("placed".into());
    logger.emit(record);

    telemetry.tracer_provider().shutdown().unwrap();
    telemetry.meter_provider().shutdown().unwrap();
    telemetry.logger_provider().shutdown().unwrap();

    assert_eq!(telemetry.span("checkout").name, "checkout");
    assert_eq!(telemetry.sum("orders"), 2.0);
    assert_eq!(telemetry.logs()[0].message(), "placed");
}

#[test]
fn two_in_one_process_do_not_see_each_other() {
    let (one, other) = (TestTelemetry::new(), TestTelemetry::new());
    shop(&one).in_span("checkout", |_| shop(&other).in_span("audit", |_| ()));

    assert_eq!(one.spans().len(), 1);
    assert_eq!(one.span("checkout").name, "checkout");
    assert_eq!(other.spans().len(), 1);
    assert_eq!(other.span("audit").name, "audit");
}

#[test]
fn two_hundred_parallel_users_each_see_their_own() {
    thread::scope(|scope| {
        for user in 0..200_i64 {
            scope.spawn(move || {
                let telemetry = TestTelemetry::new();
                let tracing = tracing::subscriber::set_default(telemetry.subscriber());
                shop(&telemetry).in_span("checkout", |context| {
                    context.span().set_attribute(KeyValue::new("user", user));
                    tracing::info!(user, "placed");
                });
                drop(tracing);
                assert!(telemetry.span("checkout").has("user", user));
                let logs = telemetry.logs();
                assert_eq!(logs.len(), 1);
                assert!(logs[0].has("user", user));
            });
        }
    });
}

#[test]
fn spans_of_all_threads_arrive_in_the_order_of_their_ends() {
    let telemetry = TestTelemetry::new();
    let tracer = shop(&telemetry);
    tracer.in_span("checkout", |context| {
        thread::scope(|scope| {
            scope.spawn(|| tracer.start_with_context("charge", &context).end());
        });
    });
    let names: Vec<_> = telemetry.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["charge", "checkout"]);
    assert!(telemetry.span("charge").is_child_of(&telemetry.span("checkout")));
    assert!(telemetry.span("checkout").is_root());
}

#[test]
fn a_span_that_has_not_ended_is_open() {
    let telemetry = TestTelemetry::new();
    let mut first = shop(&telemetry).start("first");
    let mut second = shop(&telemetry).start("second");
    assert_eq!(telemetry.open_spans(), ["first", "second"]);
    assert_eq!(telemetry.started_spans(), 2);
    assert!(telemetry.spans().is_empty());
    assert_eq!(telemetry.tree(), "no span has ended\nnot ended: first\nnot ended: second\n");

    first.end();
    assert_eq!(telemetry.open_spans(), ["second"]);
    second.end();
    assert!(telemetry.open_spans().is_empty());
    assert_eq!(telemetry.started_spans(), 2);
}

#[test]
fn the_sampler_decides_what_is_recorded() {
    let telemetry = TestTelemetry::builder().with_sampler(Sampler::AlwaysOff).build();
    shop(&telemetry).in_span("checkout", |_| ());
    assert_eq!(telemetry.started_spans(), 0);
    assert!(telemetry.spans().is_empty());
}

#[test]
fn the_scope_of_a_span_is_kept() {
    let telemetry = TestTelemetry::new();
    let scope = InstrumentationScope::builder("shop").with_version("1.2.3").build();
    telemetry.tracer_provider().tracer_with_scope(scope).in_span("checkout", |_| ());
    let span = telemetry.span("checkout");
    assert_eq!(span.instrumentation_scope.name(), "shop");
    assert_eq!(span.instrumentation_scope.version(), Some("1.2.3"));
}

#[test]
fn attributes_are_compared_with_their_type_and_the_last_one_wins() {
    let telemetry = TestTelemetry::builder().with_resource(Resource::builder_empty().build()).build();
    let mut span = shop(&telemetry).start("checkout");
    span.set_attribute(KeyValue::new("items", 3));
    span.set_attribute(KeyValue::new("tier", "silver"));
    span.set_attribute(KeyValue::new("tier", "gold"));
    span.end();

    let span = telemetry.span("checkout");
    assert!(span.has("items", 3));
    assert!(!span.has("items", "3"));
    assert!(!span.has("absent", 3));
    assert_eq!(span.attribute("tier"), Some(&Value::from("gold")));
    let map = span.attribute_map();
    assert_eq!(map.into_keys().collect::<Vec<_>>(), ["items", "tier"]);
}

#[test]
fn clear_forgets_what_has_ended() {
    let telemetry = TestTelemetry::new();
    shop(&telemetry).in_span("checkout", |_| ());
    telemetry.clear();
    assert!(telemetry.spans().is_empty());
}

/// Two services' worth of shapes: a failed child, an event, a link, a remote parent.
pub(crate) fn checkout(telemetry: &TestTelemetry) {
    let tracer = shop(telemetry);
    tracer.in_span("checkout", |context| {
        let mut charge = tracer
            .span_builder("charge")
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new("card.brand", "visa"), KeyValue::new("attempt", 2)])
            .with_links(vec![Link::with_context(context.span().span_context().clone())])
            .start(&tracer);
        charge.add_event("retry", vec![KeyValue::new("reason", "busy")]);
        charge.set_status(Status::error("declined"));
        charge.end();
        tracer.in_span("reserve", |_| ());
    });
    let remote = SpanContext::new(
        "4bf92f3577b34da6a3ce929d0e0e4736".parse_trace(),
        opentelemetry::trace::SpanId::from(0x00f0_67aa_0ba9_02b7_u64),
        opentelemetry::TraceFlags::SAMPLED,
        true,
        opentelemetry::trace::TraceState::NONE,
    );
    let parent = Context::new().with_remote_span_context(remote);
    let mut notify =
        tracer.span_builder("notify").with_kind(SpanKind::Server).start_with_context(&tracer, &parent);
    notify.set_status(Status::Ok);
    notify.end();
}

trait ParseTrace {
    fn parse_trace(&self) -> opentelemetry::trace::TraceId;
}

impl ParseTrace for str {
    fn parse_trace(&self) -> opentelemetry::trace::TraceId {
        opentelemetry::trace::TraceId::from_hex(self).unwrap()
    }
}

const CHECKOUT_TREE: &str = r#"trace 1
  checkout internal
    charge client error("declined") {card.brand="visa", attempt=2}
      * event retry {reason="busy"}
      * link
    reserve internal
trace 2
  notify server ok (remote parent)
"#;

#[test]
fn the_tree_shows_names_kinds_status_attributes_events_and_links() {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    assert_eq!(telemetry.tree(), CHECKOUT_TREE);
}

#[test]
fn a_span_whose_local_parent_never_ended_is_shown_as_without_it() {
    let telemetry = TestTelemetry::new();
    let tracer = shop(&telemetry);
    let parent = Context::new().with_span(tracer.start("checkout"));
    tracer.start_with_context("charge", &parent).end();
    assert_eq!(telemetry.tree(), "trace 1\n  charge internal (parent missing)\nnot ended: checkout\n");
}

#[test]
fn times_count_when_they_are_told_to() {
    use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
    use std::time::{Duration, UNIX_EPOCH};

    let telemetry = TestTelemetry::builder().with_counting_clock().build();
    let tracer = telemetry.tracer_provider().tracer("shop");
    tracer.in_span("checkout", |context| {
        context.span().add_event("first", vec![]);
        context.span().add_event("second", vec![]);
        let logger = telemetry.logger_provider().logger("shop");
        let mut record = logger.create_log_record();
        record.set_timestamp(UNIX_EPOCH);
        logger.emit(record);
    });
    let first = UNIX_EPOCH + Duration::from_secs(946_684_800);
    let span = telemetry.span("checkout");
    assert_eq!(span.start_time, first);
    assert_eq!(telemetry.logs()[0].timestamp, Some(first + Duration::from_millis(1)));
    assert_eq!(span.end_time, first + Duration::from_millis(2));
    let events: Vec<_> =
        span.events.iter().map(|event| event.timestamp.duration_since(first).unwrap()).collect();
    assert_eq!(events, [Duration::from_micros(1), Duration::from_micros(2)]);
}
