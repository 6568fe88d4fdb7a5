//! The SDK's exporters over a [`Sender`] each.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use rustls::RootCertStore;

use super::client::Client;
use super::grpc::GrpcTransport;
use super::http::HttpTransport;
use super::message::OtlpRequest;
use super::monitor::Warnings;
use super::runtime::RuntimeEntry;
use super::sender::Sender;
use super::tls::{self, TlsSource};
use super::transport::Transport;
use super::{Monitor, metrics};
use crate::config::{Config, OtlpConfig};
use crate::error::InstallErrorKind;
use crate::safety::Redactor;
use crate::{InstallError, Protocol};

/// Exports one signal over OTLP.
#[derive(Debug)]
pub(crate) struct OtlpExporter {
    sender: Sender,
    resource: ResourceAttributesWithSchema,
    temporality: Temporality,
    redactor: Arc<Redactor>,
    pub(crate) monitor: Arc<Monitor>,
}

/// The exporters of the signals that are switched on.
#[derive(Debug)]
pub(crate) struct Exporters {
    pub(crate) traces: Option<OtlpExporter>,
    pub(crate) metrics: Option<OtlpExporter>,
    pub(crate) logs: Option<OtlpExporter>,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
}

pub(crate) fn build(
    config: &Config,
    runtime: &RuntimeEntry,
    redactor: &Arc<Redactor>,
) -> Result<Exporters, InstallError> {
    let configured = [&config.traces, &config.metrics, &config.logs];
    let needs_roots = configured
        .into_iter()
        .flatten()
        .any(|exporter| exporter.endpoint.is_https() && exporter.tls.authority.is_none());
    let (roots, problem) = if needs_roots { tls::system_roots() } else { (RootCertStore::empty(), None) };
    let warnings: Arc<Warnings> = Arc::default();
    let exporter = |signal: &Option<OtlpConfig>| -> Result<Option<OtlpExporter>, InstallError> {
        let Some(signal) = signal else { return Ok(None) };
        let monitor = Arc::new(Monitor::new(signal, Arc::clone(&warnings)));
        let sender = Sender {
            transport: transport(signal, roots.clone())?,
            monitor: Arc::clone(&monitor),
            runtime: runtime.clone(),
            timeout: signal.timeout,
            is_json: signal.protocol == Protocol::HttpJson,
        };
        Ok(Some(OtlpExporter {
            sender,
            resource: (&config.resource).into(),
            temporality: config.temporality,
            redactor: Arc::clone(redactor),
            monitor,
        }))
    };
    Ok(Exporters {
        traces: exporter(&config.traces)?,
        metrics: exporter(&config.metrics)?,
        logs: exporter(&config.logs)?,
        warnings: problem.into_iter().collect(),
    })
}

fn transport(config: &OtlpConfig, roots: RootCertStore) -> Result<Transport, InstallError> {
    let failed = |reason: String| {
        let endpoint = config.endpoint.shown().to_owned();
        InstallError::from(InstallErrorKind::Exporter { signal: config.signal, endpoint, reason })
    };
    let tls = TlsSource { system_roots: roots, files: config.tls.clone() };
    let client = Client::new(config.protocol, tls).map_err(|error| failed(error.to_string()))?;
    match config.protocol {
        Protocol::Grpc => GrpcTransport::new(config, client).map(Transport::Grpc),
        Protocol::HttpProtobuf | Protocol::HttpJson => {
            HttpTransport::new(config, client).map(Transport::Http)
        }
    }
    .map_err(|error| failed(error.to_string()))
}

impl SpanExporter for OtlpExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let request = ExportTraceServiceRequest { resource_spans };
        self.monitor.tally.taken(request.items());
        self.sender.export(request).await
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl LogExporter for OtlpExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let resource_logs = group_logs_by_resource_and_scope(&batch, &self.resource);
        let request = ExportLogsServiceRequest { resource_logs };
        self.monitor.tally.taken(request.items());
        self.sender.export(request).await
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl PushMetricExporter for OtlpExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut request = ExportMetricsServiceRequest::from(metrics);
        metrics::redact(&mut request, &self.redactor);
        self.monitor.tally.collected(request.items());
        self.sender.export(request).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}
