//! The providers of the three signals.

mod outlet;
mod providers;
mod queue;
mod self_metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{Instrument, MeterProviderBuilder, PeriodicReader, SdkMeterProvider};

pub(crate) use outlet::Outlet;
pub(crate) use queue::BATCH_BYTES;
pub use queue::Queue;
pub(crate) use self_metrics::Processed;

use self::outlet::Way;
use self::providers::Providers;
use crate::InstallError;
use crate::config::{Config, ExporterConfig};
use crate::control::{Control, Live};
use crate::error::InstallErrorKind;
use crate::export::{self, ExportRuntime, Exporters, SignalExporter};
use crate::metrics::{self, AttributeGuard, ExemplarFilter, Exemplars, MeterProvider, Views};
use crate::open_spans::OpenSpans;
use crate::safety::Safety;
use crate::sampling::{self, AlwaysOff, Sampling, SamplingControl};
use crate::traces::TracerProvider;

/// Everything between the API and the wire.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) tracer_provider: TracerProvider,
    pub(crate) meter_provider: MeterProvider,
    pub(crate) logger_provider: SdkLoggerProvider,
    /// The signals that are exported: traces, metrics, logs.
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) safety: Option<Arc<Safety>>,
    pub(crate) guard: Arc<AttributeGuard>,
    /// Spans that have not ended, if somebody wants to know them.
    pub(crate) open_spans: Option<Arc<OpenSpans>>,
    /// What keeps exemplars, if somebody is sent them.
    pub(crate) exemplars: Option<Arc<Exemplars>>,
    /// Whether log records have the fields of `tracing` spans.
    pub(crate) has_span_fields: bool,
    /// Whether what comes from `tracing` says where in the code it was made.
    pub(crate) has_code_locations: bool,
    pub(crate) prometheus_address: Option<SocketAddr>,
    pub(crate) sampling: Arc<SamplingControl>,
    pub(crate) disabled_instrumentations: Vec<String>,
    runtime: Option<ExportRuntime>,
    /// Set when the outlets begin to end, so that the providers leave it to them.
    is_ending: Arc<AtomicBool>,
}

impl Pipeline {
    /// Builds everything and sets nothing global. `before_processors` gets the meter provider, if anybody reads it, before the
    /// processors of the other signals exist: they bind the SDK's own counters to the global meter provider they find then.
    pub(crate) fn build(
        config: &mut Config,
        before_processors: impl FnOnce(MeterProvider),
    ) -> Result<Self, InstallError> {
        let safety = Arc::new(Safety::new(&config.safety, config.limits)?);
        safety.live.configure_levels(config.telemetry_levels.clone());
        config.resource = safety.protected_resource(&config.resource);
        let runtime = ExportRuntime::start().map_err(InstallErrorKind::Runtime)?;
        let guard = Arc::new(AttributeGuard::default());
        let exporters = export::build(config, runtime.entry(), &safety.redactor, &guard, &safety.live)?;
        config.warnings.extend(exporters.warnings.iter().cloned());
        let Exporters { traces: span_exporters, metrics: metric_exporters, logs: log_exporters, .. } =
            exporters;
        let views = Arc::new(config.metrics.compiled_views()?);
        let sampling = Arc::new(SamplingControl::new(&config.sampler.sampling, config.sampler.file.clone()));
        let exemplars = exemplars(config, &views, &sampling);
        let is_ending = Arc::new(AtomicBool::new(false));
        let (builder, metrics) = metrics(config, views, metric_exporters, exemplars.as_ref());
        let (builder, prometheus_address) = with_prometheus(builder, config, &runtime, &safety, &guard);
        let meters = builder.build();
        let redactor = Some(Arc::clone(&safety.redactor));
        let meter_provider = MeterProvider::new(meters.clone(), exemplars.clone(), redactor);
        // Without a reader nobody asks an instrument, and the SDK calls each that wants to be asked an error.
        let is_read = !metrics.is_empty() || prometheus_address.is_some();
        if is_read {
            before_processors(meter_provider.clone());
            sampling::observe(&meters, &sampling);
        }
        let providers = Providers {
            config,
            safety: &safety,
            meters: &meters,
            is_ending: &is_ending,
            runtime: runtime.entry(),
        };
        let (logger_provider, logs) = providers.logs(log_exporters);
        let open_spans = config.safety.open_spans;
        let open_spans = open_spans.map(|after| Arc::new(OpenSpans::new(after, &safety, &logger_provider)));
        let (tracer_provider, traces) = providers.traces(span_exporters, &sampling, open_spans.as_ref());
        let outlets: Vec<Outlet> = [traces, metrics, logs].into_iter().flatten().collect();
        if is_read {
            observe(config, &meters, &outlets);
        }
        Ok(Self {
            tracer_provider,
            meter_provider,
            logger_provider,
            outlets,
            safety: Some(safety),
            guard,
            open_spans,
            exemplars,
            has_span_fields: config.has_span_fields,
            has_code_locations: config.has_code_locations,
            prometheus_address,
            sampling,
            disabled_instrumentations: config.instrumentations.disabled.clone(),
            runtime: Some(runtime),
            is_ending,
        })
    }

    /// From now on the providers record nothing; what is queued is for the outlets to send.
    pub(crate) fn stop_recording(&self) {
        if let Some(open) = &self.open_spans {
            open.end();
        }
        self.is_ending.store(true, Ordering::Release);
        self.tracer_provider.stop();
        // It has nothing to do but to remember it, and nobody minds if it was told before.
        let _ = self.logger_provider.shutdown_with_timeout(Duration::ZERO);
    }

    /// Providers that record and export nothing, for `OTEL_SDK_DISABLED`.
    pub(crate) fn disabled(resource: &Resource) -> Self {
        Self {
            tracer_provider: TracerProvider::disabled(),
            meter_provider: MeterProvider::new(SdkMeterProvider::default(), None, None),
            logger_provider: SdkLoggerProvider::builder().with_resource(resource.clone()).build(),
            outlets: Vec::new(),
            safety: None,
            guard: Arc::default(),
            open_spans: None,
            exemplars: None,
            has_span_fields: false,
            has_code_locations: false,
            prometheus_address: None,
            sampling: Arc::new(SamplingControl::new(&Sampling::new(AlwaysOff), None)),
            disabled_instrumentations: Vec::new(),
            runtime: None,
            is_ending: Arc::default(),
        }
    }

    /// What was changed while the process runs, as layers and processors see it.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.safety.as_ref().map(|safety| Arc::clone(&safety.live)).unwrap_or_default()
    }

    /// What changes all this while the process runs.
    pub(crate) fn control(&self) -> Control {
        Control::new(self.live(), self.runtime.as_ref().map(|runtime| runtime.entry().clone()))
    }

    /// Ends every export that is running and refuses further ones.
    pub(crate) fn cut(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.cut();
        }
    }
}

/// Nothing but OTLP has exemplars.
fn exemplars(config: &Config, views: &Arc<Views>, sampling: &SamplingControl) -> Option<Arc<Exemplars>> {
    let filter = config.metrics.exemplar_filter.unwrap_or_default();
    let mut exporters = config.destinations.metrics.iter().map(|to| &to.exporter);
    let is_sent = |to: &ExporterConfig| matches!(to, ExporterConfig::Otlp(_) | ExporterConfig::OtlpStdout);
    let is_sent = exporters.any(is_sent);
    (is_sent && filter != ExemplarFilter::AlwaysOff)
        .then(|| Arc::new(Exemplars::new(filter, Arc::clone(views), sampling.kept())))
}

fn metrics(
    config: &Config,
    views: Arc<Views>,
    exporters: Vec<(SignalExporter, Duration)>,
    exemplars: Option<&Arc<Exemplars>>,
) -> (MeterProviderBuilder, Vec<Outlet>) {
    let mut builder = SdkMeterProvider::builder().with_resource(config.resource.clone());
    let mut outlets = Vec::with_capacity(exporters.len());
    for (mut exporter, interval) in exporters {
        if let Some(exemplars) = exemplars {
            exporter.use_exemplars(exemplars);
        }
        let monitor = Arc::clone(&exporter.monitor);
        let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
        builder = builder.with_reader(reader.clone());
        outlets.push(Outlet { way: Way::Metrics(reader), monitor });
    }
    for place in 0..views.len() {
        let views = Arc::clone(&views);
        builder = builder.with_view(move |instrument: &Instrument| views.apply(place, instrument));
    }
    builder = builder.with_view(move |instrument: &Instrument| views.otherwise(instrument));
    (builder, outlets)
}

/// Also with the reader that Prometheus asks, if the configuration wants it, and its address.
#[cfg(feature = "prometheus")]
fn with_prometheus(
    builder: MeterProviderBuilder,
    config: &mut Config,
    runtime: &ExportRuntime,
    safety: &Safety,
    guard: &Arc<AttributeGuard>,
) -> (MeterProviderBuilder, Option<SocketAddr>) {
    let Some(prometheus) = &mut config.destinations.prometheus else { return (builder, None) };
    match export::start_prometheus(prometheus, runtime.entry(), &safety.redactor, guard, &safety.live) {
        Ok((reader, address)) => {
            prometheus.port = address.port();
            (builder.with_reader(reader), Some(address))
        }
        Err(problem) => {
            config.warnings.push(problem);
            config.destinations.prometheus = None;
            (builder, None)
        }
    }
}

/// Nothing else listens.
#[cfg(not(feature = "prometheus"))]
fn with_prometheus(
    builder: MeterProviderBuilder,
    _: &mut Config,
    _: &ExportRuntime,
    _: &Safety,
    _: &Arc<AttributeGuard>,
) -> (MeterProviderBuilder, Option<SocketAddr>) {
    (builder, None)
}

/// What the telemetry and the process say of themselves.
fn observe(config: &Config, meter_provider: &SdkMeterProvider, outlets: &[Outlet]) {
    for outlet in outlets {
        let index = outlets.iter().filter(|other| other.signal() == outlet.signal());
        let index = index.take_while(|other| !Arc::ptr_eq(&other.monitor, &outlet.monitor)).count();
        self_metrics::observe(meter_provider, &outlet.monitor, index);
    }
    if config.metrics.process_metrics {
        metrics::observe_process(meter_provider);
    }
    if let Some(runtime) = &config.metrics.tokio_metrics {
        metrics::observe_tokio(meter_provider, runtime);
    }
}
