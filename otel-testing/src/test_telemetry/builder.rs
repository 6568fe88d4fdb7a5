use std::sync::{Arc, Mutex};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{Instrument, MeterProviderBuilder, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, ShouldSample, SpanLimits};

use super::TestTelemetry;
use super::ids::CountingIds;
use super::telemetry::Inner;
use crate::recorder::{LogRecorder, MetricRecorder, SpanRecorder};

/// What differs from [`TestTelemetry::new`].
#[derive(Debug)]
#[must_use = "call build()"]
pub struct TestTelemetryBuilder {
    sampler: Box<dyn ShouldSample>,
    resource: Resource,
    meter_provider: MeterProviderBuilder,
    counting_ids: bool,
}

impl TestTelemetryBuilder {
    pub(super) fn new() -> Self {
        Self {
            sampler: Box::new(Sampler::AlwaysOn),
            resource: Resource::builder_empty().build(),
            meter_provider: SdkMeterProvider::builder(),
            counting_ids: false,
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

    /// The telemetry to test with.
    #[must_use]
    pub fn build(self) -> TestTelemetry {
        let spans = SpanRecorder::default();
        let metrics = MetricRecorder::new();
        let logs = LogRecorder::default();
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
