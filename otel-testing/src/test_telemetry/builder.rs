//! The options of a [`TestTelemetry`](crate::TestTelemetry), and how it is put together.

use std::sync::{Arc, Mutex};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{Instrument, MeterProviderBuilder, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, ShouldSample, SpanLimits};

use super::TestTelemetry;
use super::ids::CountingIds;
use super::telemetry::Inner;
use crate::clock::CountingClock;
use crate::recorder::{LogRecorder, MetricRecorder, SpanRecorder};

/// What differs from [`TestTelemetry::new`].
#[derive(Debug)]
#[must_use = "call build()"]
pub struct TestTelemetryBuilder {
    sampler: Box<dyn ShouldSample>,
    resource: Resource,
    meter_provider: MeterProviderBuilder,
    counting_ids: bool,
    clock: Option<CountingClock>,
}

impl TestTelemetryBuilder {
    pub(super) fn new() -> Self {
        Self {
            sampler: Box::new(Sampler::AlwaysOn),
            resource: Resource::builder_empty().build(),
            meter_provider: SdkMeterProvider::builder(),
            counting_ids: false,
            clock: None,
        }
    }

    /// Which spans are sampled; all by default. `OTEL_TRACES_SAMPLER` is never read.
    pub fn with_sampler(mut self, sampler: impl Into<Box<dyn ShouldSample>>) -> Self {
        self.sampler = sampler.into();
        self
    }

    /// The resource of the providers; empty by default. The environment is never read.
    pub fn with_resource(mut self, resource: Resource) -> Self {
        self.resource = resource;
        self
    }

    /// Adds a view of the meter provider, to change buckets, names or attributes of instruments.
    pub fn with_view(mut self, view: impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static) -> Self {
        self.meter_provider = self.meter_provider.with_view(view);
        self
    }

    /// Trace and span ids count up from 1, in the order of the starts, instead of being random. Two processes that do so
    /// make the same ids: do not send them to one receiver.
    pub fn with_counting_ids(mut self) -> Self {
        self.counting_ids = true;
        self
    }

    /// Times count too, instead of being those of the wall: each start and end of a span and each log record is one
    /// millisecond after the one before, the first at 2000-01-01T00:00:00Z. Events follow the start of their span, one
    /// microsecond after the other. Times that the code under test gives itself are replaced.
    ///
    /// ```
    /// use std::time::Duration;
    /// use opentelemetry::trace::{Tracer, TracerProvider};
    /// use otel_testing::TestTelemetry;
    ///
    /// let telemetry = TestTelemetry::builder().with_counting_clock().build();
    /// let tracer = telemetry.tracer_provider().tracer("shop");
    /// tracer.in_span("checkout", |_| tracer.in_span("charge", |_| ()));
    ///
    /// let (charge, checkout) = (telemetry.span("charge"), telemetry.span("checkout"));
    /// assert_eq!(charge.start_time.duration_since(checkout.start_time).unwrap(), Duration::from_millis(1));
    /// assert_eq!(checkout.end_time.duration_since(checkout.start_time).unwrap(), Duration::from_millis(3));
    /// ```
    pub fn with_counting_clock(mut self) -> Self {
        self.clock = Some(CountingClock::default());
        self
    }

    /// The telemetry to test with.
    #[must_use]
    pub fn build(self) -> TestTelemetry {
        let spans = SpanRecorder::new(self.clock.clone());
        let metrics = MetricRecorder::new();
        let logs = LogRecorder::new(self.clock);
        let mut tracer_provider = SdkTracerProvider::builder();
        if self.counting_ids {
            tracer_provider = tracer_provider.with_id_generator(CountingIds::default());
        }
        let inner = Inner {
            instruments: Mutex::default(),
            resource: self.resource.clone(),
            tracer_provider: tracer_provider
                .with_sampler(self.sampler)
                // Set, or else the SDK reads OTEL_SPAN_*_LIMIT.
                .with_span_limits(SpanLimits::default())
                .with_resource(self.resource.clone())
                .with_span_processor(spans.clone())
                .build(),
            meter_provider: self
                .meter_provider
                .with_resource(self.resource.clone())
                .with_reader(metrics.clone())
                .build(),
            logger_provider: SdkLoggerProvider::builder()
                .with_resource(self.resource)
                .with_log_processor(logs.clone())
                .build(),
            spans,
            metrics,
            logs,
        };
        TestTelemetry { inner: Arc::new(inner) }
    }
}
