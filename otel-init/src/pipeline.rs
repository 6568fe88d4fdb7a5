//! The providers of the three signals.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatchConfigBuilder, BatchLogProcessor, SdkLoggerProvider,
};
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanLimits,
};

use crate::config::Config;
use crate::error::{InstallErrorKind, SignalFailure};
use crate::export::{self, ExportRuntime, Monitor, SignalExporter};
use crate::health::SignalHealth;
use crate::safety::{Intake, SafeLogProcessor, SafeSpanProcessor, Safety};
use crate::self_metrics::{self, QueueFull};
use crate::{InstallError, Signal};

/// Everything between the API and the wire.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) tracer_provider: SdkTracerProvider,
    pub(crate) meter_provider: SdkMeterProvider,
    pub(crate) logger_provider: SdkLoggerProvider,
    /// The signals that are exported: traces, metrics, logs.
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) safety: Option<Arc<Safety>>,
    runtime: Option<ExportRuntime>,
}

impl Pipeline {
    /// Builds everything and sets nothing global. `before_processors` gets the meter provider before the processors of
    /// the other signals exist: they bind the SDK's own counters to the global meter provider they find then.
    pub(crate) fn build(
        config: &mut Config,
        before_processors: impl FnOnce(&SdkMeterProvider),
    ) -> Result<Self, InstallError> {
        let safety = Arc::new(Safety::new(&config.safety, config.limits)?);
        config.resource = safety.protected_resource(&config.resource);
        let runtime = ExportRuntime::start().map_err(InstallErrorKind::Runtime)?;
        let exporters = export::build(config, runtime.entry(), &safety.redactor)?;
        config.warnings.extend(exporters.warnings);
        let (meter_provider, metrics) = metrics(config, exporters.metrics);
        before_processors(&meter_provider);
        let (logger_provider, logs) = logs(config, exporters.logs, &safety, &meter_provider);
        let (tracer_provider, traces) = traces(config, exporters.traces, &safety, &meter_provider);
        let outlets: Vec<Outlet> = [traces, metrics, logs].into_iter().flatten().collect();
        for outlet in &outlets {
            self_metrics::observe(&meter_provider, &outlet.monitor);
        }
        Ok(Self {
            tracer_provider,
            meter_provider,
            logger_provider,
            outlets,
            safety: Some(safety),
            runtime: Some(runtime),
        })
    }

    /// Providers that record and export nothing, for `OTEL_SDK_DISABLED`.
    pub(crate) fn disabled(resource: &Resource) -> Self {
        Self {
            tracer_provider: SdkTracerProvider::builder().with_resource(resource.clone()).build(),
            meter_provider: SdkMeterProvider::builder().with_resource(resource.clone()).build(),
            logger_provider: SdkLoggerProvider::builder().with_resource(resource.clone()).build(),
            outlets: Vec::new(),
            safety: None,
            runtime: None,
        }
    }

    /// Ends every export that is running and refuses further ones.
    pub(crate) fn cut(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.cut();
        }
    }
}

fn metrics(config: &Config, exporter: Option<SignalExporter>) -> (SdkMeterProvider, Option<Outlet>) {
    let builder = SdkMeterProvider::builder().with_resource(config.resource.clone());
    let Some(exporter) = exporter else {
        return (builder.build(), None);
    };
    let monitor = Arc::clone(&exporter.monitor);
    let reader = PeriodicReader::builder(exporter).with_interval(config.metric_interval).build();
    let mut builder = builder.with_reader(reader);
    if config.exponential_histograms {
        builder = builder.with_view(exponential_buckets);
    }
    let provider = builder.build();
    (provider.clone(), Some(Outlet { provider: Provider::Metrics(provider), monitor }))
}

/// "The default values for max_size and max_scale" of the specification.
fn exponential_buckets(instrument: &Instrument) -> Option<Stream> {
    if instrument.kind() != InstrumentKind::Histogram {
        return None;
    }
    let aggregation =
        Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
    Stream::builder().with_aggregation(aggregation).build().ok()
}

fn logs(
    config: &Config,
    exporter: Option<SignalExporter>,
    safety: &Arc<Safety>,
    meters: &SdkMeterProvider,
) -> (SdkLoggerProvider, Option<Outlet>) {
    let builder = SdkLoggerProvider::builder().with_resource(config.resource.clone());
    let Some(exporter) = exporter else {
        return (builder.build(), None);
    };
    let monitor = Arc::clone(&exporter.monitor);
    let batch = LogBatchConfigBuilder::default()
        .with_max_queue_size(config.log_batch.max_queue_size)
        .with_max_export_batch_size(config.log_batch.max_export_batch_size)
        .with_scheduled_delay(config.log_batch.schedule_delay)
        .build();
    let intake = Intake::new(
        Arc::clone(&monitor.tally),
        config.log_batch.max_queue_size,
        QueueFull::new(meters, Signal::Logs),
    );
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(batch).build();
    let provider =
        builder.with_log_processor(SafeLogProcessor::new(Arc::clone(safety), intake, processor)).build();
    (provider.clone(), Some(Outlet { provider: Provider::Logs(provider), monitor }))
}

fn traces(
    config: &Config,
    exporter: Option<SignalExporter>,
    safety: &Arc<Safety>,
    meters: &SdkMeterProvider,
) -> (SdkTracerProvider, Option<Outlet>) {
    let builder = SdkTracerProvider::builder()
        .with_resource(config.resource.clone())
        .with_sampler(config.sampler.build())
        .with_span_limits(with_room_for_duplicates(config.span_limits));
    let Some(exporter) = exporter else {
        return (builder.build(), None);
    };
    let monitor = Arc::clone(&exporter.monitor);
    let batch = SpanBatchConfigBuilder::default()
        .with_max_queue_size(config.span_batch.max_queue_size)
        .with_max_export_batch_size(config.span_batch.max_export_batch_size)
        .with_scheduled_delay(config.span_batch.schedule_delay)
        .build();
    let intake = Intake::new(
        Arc::clone(&monitor.tally),
        config.span_batch.max_queue_size,
        QueueFull::new(meters, Signal::Traces),
    );
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batch).build();
    let provider =
        builder.with_span_processor(SafeSpanProcessor::new(Arc::clone(safety), intake, processor)).build();
    (provider.clone(), Some(Outlet { provider: Provider::Traces(provider), monitor }))
}

/// The SDK counts a key that is set again as one more attribute and drops what comes after its limit. The exact limits are
/// enforced when the span ends and each key counts once; the SDK's bound the memory until then.
fn with_room_for_duplicates(limits: SpanLimits) -> SpanLimits {
    SpanLimits {
        max_attributes_per_span: limits.max_attributes_per_span.saturating_mul(4),
        max_attributes_per_event: limits.max_attributes_per_event.saturating_mul(4),
        max_attributes_per_link: limits.max_attributes_per_link.saturating_mul(4),
        ..limits
    }
}

/// A signal that is exported.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    provider: Provider,
    monitor: Arc<Monitor>,
}

#[derive(Debug, Clone)]
enum Provider {
    Traces(SdkTracerProvider),
    Metrics(SdkMeterProvider),
    Logs(SdkLoggerProvider),
}

impl Outlet {
    pub(crate) fn signal(&self) -> Signal {
        self.monitor.signal()
    }

    /// Sends what is queued. Blocks.
    pub(crate) fn flush(&self) -> Result<(), SignalFailure> {
        self.attempt(|provider| match provider {
            Provider::Traces(traces) => traces.force_flush(),
            Provider::Metrics(metrics) => metrics.force_flush(),
            Provider::Logs(logs) => logs.force_flush(),
        })
    }

    /// Sends what is queued and stops. Blocks, for metrics at most 5 seconds whatever `timeout` says: upstream ignores it.
    pub(crate) fn shutdown(&self, timeout: Duration) -> Result<(), SignalFailure> {
        self.attempt(|provider| match provider {
            Provider::Traces(traces) => traces.shutdown_with_timeout(timeout),
            Provider::Metrics(metrics) => metrics.shutdown_with_timeout(timeout),
            Provider::Logs(logs) => logs.shutdown_with_timeout(timeout),
        })
    }

    /// The shutdown is over: what is still queued is lost.
    pub(crate) fn close(&self) {
        self.monitor.tally.close();
    }

    /// What other threads queued while the shutdown was under way.
    pub(crate) fn left_behind(&self) -> Option<SignalFailure> {
        let queued = self.monitor.tally.counts().queued;
        (queued > 0)
            .then(|| self.monitor.failure(&format!("{queued} were queued after the shutdown had begun")))
    }

    pub(crate) fn health(&self) -> SignalHealth {
        SignalHealth::of(&self.monitor)
    }

    pub(crate) fn failure(&self, cause: &str) -> SignalFailure {
        self.monitor.failure(cause)
    }

    /// What upstream answers is not enough: its batch processors report the last of several batches on a flush, and
    /// success on a shutdown whatever happened. So the exports counted meanwhile decide first.
    fn attempt(&self, action: impl FnOnce(&Provider) -> OTelSdkResult) -> Result<(), SignalFailure> {
        let failed_before = self.monitor.failed_exports();
        let result = self.monitor.urgency.during(|| action(&self.provider));
        if self.monitor.failed_exports() != failed_before {
            return Err(self.monitor.failure("an export failed"));
        }
        match result {
            Ok(()) => Ok(()),
            Err(error) => match Refusal::of(&error) {
                Refusal::AlreadyShutdown => Ok(()),
                Refusal::Timeout => Err(self.monitor.failure("the collector did not answer in time")),
                Refusal::Other => Err(self.monitor.failure(&error.to_string())),
            },
        }
    }
}

/// Why upstream did not flush or shut down.
enum Refusal {
    /// Somebody else shuts the provider down, and that flushes it.
    AlreadyShutdown,
    Timeout,
    Other,
}

impl Refusal {
    /// Providers wrap the errors of their processors as text: `errs: [Err(Timeout(5s))]`.
    fn of(error: &OTelSdkError) -> Self {
        match error {
            OTelSdkError::AlreadyShutdown => Self::AlreadyShutdown,
            OTelSdkError::Timeout(_) => Self::Timeout,
            OTelSdkError::InternalFailure(text) if text.contains("AlreadyShutdown") => Self::AlreadyShutdown,
            OTelSdkError::InternalFailure(text) if text.contains("Timeout(") => Self::Timeout,
            OTelSdkError::InternalFailure(_) => Self::Other,
        }
    }
}
