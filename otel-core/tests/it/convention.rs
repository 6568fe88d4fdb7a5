//! A convention for tests, with every kind of instrument an instrumentation may have.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use otel_core::{
    AttributeNames, Attributes, Convention, ErrorType, InFlight, Instrumenter, Operation, Providers,
};
use otel_testing::TestTelemetry;

pub(crate) const DURATION: &str = "job.duration";
pub(crate) const ROWS: &str = "job.rows";
pub(crate) const IN_FLIGHT: &str = "job.in_flight";

#[derive(Debug)]
pub(crate) struct Job;

#[derive(Debug)]
pub(crate) struct JobMetrics {
    pub(crate) duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
    rows: Histogram<u64>,
}

impl Convention for Job {
    const SPAN_KIND: SpanKind = SpanKind::Internal;
    type Request<'a> = &'a str;
    type Response<'a> = Result<i64, &'static str>;
    type Metrics = JobMetrics;
    type Tally = u64;

    fn metrics(&self, meter: &Meter) -> JobMetrics {
        JobMetrics {
            duration: meter.f64_histogram(DURATION).with_unit("s").build(),
            in_flight: meter.i64_up_down_counter(IN_FLIGHT).build(),
            rows: meter.u64_histogram(ROWS).build(),
        }
    }

    fn span_kind(&self, name: &&str) -> SpanKind {
        if *name == "remote" { SpanKind::Client } else { Self::SPAN_KIND }
    }

    fn span_name(&self, _: &&str) -> Cow<'static, str> {
        Cow::Borrowed("job")
    }

    fn on_start(&self, name: &&str, attributes: &mut Attributes<'_>) {
        attributes.both("job.kind", "test");
        attributes.span("job.name", (*name).to_owned());
        // As a hook of the user's would.
        attributes.checked(&AttributeNames::default(), &["job.code"], |attributes| {
            attributes.span("job.name", "mine");
            attributes.both("job.code", 7);
        });
    }

    fn in_flight(&self, metrics: &JobMetrics, _: &&str) -> Option<InFlight> {
        Some(InFlight::start(metrics.in_flight.clone(), vec![KeyValue::new("job.kind", "test")]))
    }

    fn on_response(
        &self,
        response: &Result<i64, &'static str>,
        attributes: &mut Attributes<'_>,
    ) -> Result<(), ErrorType> {
        match response {
            Ok(code) => {
                attributes.both("job.code", *code);
                Ok(())
            }
            Err(class) => Err(ErrorType::new(class)),
        }
    }

    fn record(
        &self,
        metrics: &JobMetrics,
        elapsed: Duration,
        rows: &u64,
        attributes: &[KeyValue],
        _: &Context,
    ) {
        metrics.duration.record(elapsed.as_secs_f64(), attributes);
        assert_ne!(*rows, u64::MAX, "a test panics here");
        metrics.rows.record(*rows, attributes);
    }
}

pub(crate) fn instrumenter(telemetry: &TestTelemetry) -> Instrumenter<Job> {
    let mut providers = Providers::global();
    providers.set_tracer_provider(telemetry.tracer_provider());
    providers.set_meter_provider(telemetry.meter_provider());
    Instrumenter::new(InstrumentationScope::builder("jobs").build(), providers, Job)
}

pub(crate) fn start(telemetry: &TestTelemetry) -> Operation<Job> {
    instrumenter(telemetry).start(&Context::new(), &"nightly")
}

/// Whatever the way out: one span that has ended, one duration, nothing in flight.
#[track_caller]
pub(crate) fn assert_ended_once(telemetry: &TestTelemetry) {
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    assert!(telemetry.open_spans().is_empty());
    assert_eq!(telemetry.histogram_count(DURATION), 1);
    assert_eq!(telemetry.sum(IN_FLIGHT), 0.0);
}
