//! What records nothing keeps nothing, and does no work.

use std::sync::LazyLock;

use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use otel_core::{AttributeNames, Instrumenter, Providers};
use otel_testing::TestTelemetry;

use crate::convention::{DURATION, Job, instrumenter};

#[test]
fn an_inert_operation_keeps_no_attributes() {
    let telemetry = TestTelemetry::new();
    let suppressed = Context::new().with_telemetry_suppressed();
    let mut operation = instrumenter(&telemetry).start(&suppressed, &"nightly");
    operation.attributes().both("job.tenant", "blue");
    assert!(!operation.attributes().wants_span());
    assert!(format!("{:?}", operation.attributes()).contains("metric: None"));
}

#[test]
fn an_instrumenter_is_idle_while_nothing_is_recorded_or_handed_on() {
    let new = |providers| Instrumenter::new(InstrumentationScope::builder("jobs").build(), providers, Job);
    let mut nothing = Providers::global();
    nothing.set_tracer_provider(NoopTracerProvider::new());
    nothing.set_meter_provider(NoopMeterProvider::new());
    let mut propagator = nothing.clone();
    propagator.set_propagator(TraceContextPropagator::new());
    let telemetry = TestTelemetry::new();
    let mut meter = nothing.clone();
    meter.set_meter_provider(telemetry.meter_provider());
    for (providers, expected) in [(propagator, false), (meter, false)] {
        let instrumenter = new(providers);
        instrumenter.start(&Context::new(), &"first").end();
        assert_eq!(instrumenter.is_idle(), expected);
    }
}

#[test]
fn where_no_span_is_made_the_one_around_stays_current() {
    let telemetry = TestTelemetry::new();
    let mut providers = Providers::global();
    providers.set_tracer_provider(NoopTracerProvider::new());
    providers.set_meter_provider(telemetry.meter_provider());
    let instrumenter = Instrumenter::new(InstrumentationScope::builder("jobs").build(), providers, Job);
    let around = telemetry.tracer_provider().tracer("app").start("app");
    let around = Context::new().with_span(around);
    for _ in 0..2 {
        let mut operation = instrumenter.start(&around, &"inside");
        operation.run(|| Context::current().span().add_event("inside", Vec::new()));
        operation.end();
    }
    around.span().end();
    assert_eq!(telemetry.span("app").events.len(), 2);
}

#[test]
fn a_name_is_given_once_by_functions_of_the_user_s() {
    let telemetry = TestTelemetry::new();
    let names = AttributeNames::default();
    let mut operation = instrumenter(&telemetry).start(&Context::new(), &"nightly");
    for value in ["first", "second"] {
        operation.attributes().checked(&names, &["job.kind", "job.own."], |attributes| {
            attributes.both("job.tenant", value);
            attributes.span("job.kind", value);
            attributes.metric("job.own.name", value);
        });
    }
    operation.end();
    let span = telemetry.span("job");
    let given = |key: &str| span.attributes.iter().filter(|pair| pair.key.as_str() == key).count();
    assert_eq!((given("job.tenant"), given("job.kind")), (1, 1), "{}", telemetry.tree());
    let points = telemetry.points(DURATION);
    assert!(points[0].has("job.tenant", "first") && points[0].has("job.kind", "test"));
    assert!(points[0].attribute("job.own.name").is_none());
}

/// Reads a value of its own.
#[derive(Debug)]
struct Tenant;

impl TextMapPropagator for Tenant {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}
    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.with_value("blue")
    }
    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| ["x-tenant".to_owned()]);
        FieldIter::new(FIELDS.as_slice())
    }
}

#[test]
fn metrics_alone_still_hand_on_what_a_propagator_of_its_own_kind_has_read() {
    let telemetry = TestTelemetry::new();
    let mut providers = Providers::global();
    providers.set_tracer_provider(NoopTracerProvider::new());
    providers.set_meter_provider(telemetry.meter_provider());
    let scope = InstrumentationScope::builder("jobs").build();
    let run = |providers: &Providers, parent: &Context| {
        let instrumenter = Instrumenter::new(scope.clone(), providers.clone(), Job);
        // The first span shows that the tracer has no effect.
        instrumenter.start(parent, &"first").end();
        let mut operation = instrumenter.start(parent, &"nightly");
        operation.attach_only_if_needed();
        operation.run(|| Context::current().get::<&str>().copied())
    };
    let parent = Context::new().with_value("blue");
    providers.set_propagator(TraceContextPropagator::new());
    assert_eq!(run(&providers, &parent), None, "it is current already, or it is nobody's");
    providers.set_propagator(Tenant);
    assert_eq!(run(&providers, &parent), Some("blue"));
}
