//! Upstream's OTLP exporters with an explicit transport, each under the eyes of a [`Monitor`].

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol as OtlpProtocol, SpanExporter, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::SpanData;
use rustls::RootCertStore;

use super::http::OtlpHttpClient;
use super::monitor::Warnings;
use super::runtime::RuntimeEntry;
use super::{Monitor, grpc, tls};
use crate::config::{Config, OtlpConfig};
use crate::error::InstallErrorKind;
use crate::{InstallError, Protocol};

/// An exporter and the monitor that its results go to.
#[derive(Debug)]
pub(crate) struct Monitored<E> {
    exporter: E,
    pub(crate) monitor: Arc<Monitor>,
}

pub(crate) type MonitoredSpanExporter = Monitored<SpanExporter>;
pub(crate) type MonitoredMetricExporter = Monitored<MetricExporter>;
pub(crate) type MonitoredLogExporter = Monitored<LogExporter>;

/// The exporters of the signals that are switched on.
#[derive(Debug)]
pub(crate) struct Exporters {
    pub(crate) traces: Option<MonitoredSpanExporter>,
    pub(crate) metrics: Option<MonitoredMetricExporter>,
    pub(crate) logs: Option<MonitoredLogExporter>,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
}

pub(crate) fn build(config: &Config, runtime: &RuntimeEntry) -> Result<Exporters, InstallError> {
    let configured = [&config.traces, &config.metrics, &config.logs];
    let needs_roots = configured.into_iter().flatten().any(|exporter| exporter.endpoint.is_https());
    let (roots, problem) = if needs_roots { tls::system_roots() } else { (RootCertStore::empty(), None) };
    let parts = Parts { runtime, roots, warnings: Arc::default() };
    Ok(Exporters {
        traces: config.traces.as_ref().map(|config| parts.span_exporter(config)).transpose()?,
        metrics: config
            .metrics
            .as_ref()
            .map(|metrics| parts.metric_exporter(metrics, config.temporality))
            .transpose()?,
        logs: config.logs.as_ref().map(|config| parts.log_exporter(config)).transpose()?,
        warnings: problem.into_iter().collect(),
    })
}

/// What the exporters share.
struct Parts<'a> {
    runtime: &'a RuntimeEntry,
    roots: RootCertStore,
    warnings: Arc<Warnings>,
}

/// Builds one exporter. The builders of the signals have the same methods without a common trait, hence a macro.
/// Protocol and transport are always explicit: upstream's defaults depend on the features other crates turn on.
macro_rules! exporter {
    ($parts:expr, $builder:expr, $config:expr) => {{
        let (parts, config): (&Parts<'_>, &OtlpConfig) = ($parts, $config);
        let monitor = parts.monitor(config);
        let built = match config.protocol {
            Protocol::HttpProtobuf => {
                let mut builder = $builder
                    .with_http()
                    .with_http_client(parts.http_client(config, &monitor)?)
                    .with_protocol(OtlpProtocol::HttpBinary)
                    .with_endpoint(config.endpoint.url())
                    .with_timeout(config.timeout);
                if config.gzip {
                    builder = builder.with_compression(Compression::Gzip);
                }
                builder.build()
            }
            Protocol::Grpc => {
                let mut builder = $builder
                    .with_tonic()
                    .with_channel(parts.channel(config)?)
                    .with_interceptor(grpc::headers(config.headers.clone()))
                    .with_timeout(config.timeout);
                if config.gzip {
                    builder = builder.with_compression(Compression::Gzip);
                }
                builder.build()
            }
        };
        let exporter = built.map_err(|error| failed(config, &error))?;
        Ok(Monitored { exporter, monitor })
    }};
}

impl Parts<'_> {
    fn span_exporter(&self, config: &OtlpConfig) -> Result<MonitoredSpanExporter, InstallError> {
        exporter!(self, SpanExporter::builder(), config)
    }

    fn metric_exporter(
        &self,
        config: &OtlpConfig,
        temporality: Temporality,
    ) -> Result<MonitoredMetricExporter, InstallError> {
        exporter!(self, MetricExporter::builder().with_temporality(temporality), config)
    }

    fn log_exporter(&self, config: &OtlpConfig) -> Result<MonitoredLogExporter, InstallError> {
        exporter!(self, LogExporter::builder(), config)
    }

    fn monitor(&self, config: &OtlpConfig) -> Arc<Monitor> {
        Arc::new(Monitor::new(config, self.runtime.clone(), Arc::clone(&self.warnings)))
    }

    fn http_client(
        &self,
        config: &OtlpConfig,
        monitor: &Arc<Monitor>,
    ) -> Result<OtlpHttpClient, InstallError> {
        OtlpHttpClient::new(config, self.roots.clone(), Arc::clone(monitor))
            .map_err(|error| failed(config, error.as_ref()))
    }

    fn channel(&self, config: &OtlpConfig) -> Result<tonic::transport::Channel, InstallError> {
        grpc::channel(config, self.roots.clone(), self.runtime).map_err(|error| failed(config, &error))
    }
}

fn failed(config: &OtlpConfig, error: &(dyn std::error::Error + 'static)) -> InstallError {
    let mut reason = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        reason = format!("{reason}: {cause}");
        next = cause.source();
    }
    let endpoint = config.endpoint.shown().to_owned();
    InstallErrorKind::Exporter { signal: config.signal, endpoint, reason }.into()
}

impl opentelemetry_sdk::trace::SpanExporter for MonitoredSpanExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.monitor.export(self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl opentelemetry_sdk::logs::LogExporter for MonitoredLogExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.monitor.export(self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl PushMetricExporter for MonitoredMetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.monitor.export(self.exporter.export(metrics)).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
