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
use super::stdout::Lines;
use super::tls;
use super::transport::Transport;
use super::{Monitor, metrics};
use crate::config::{Config, OtlpConfig};
use crate::error::InstallErrorKind;
use crate::safety::Redactor;
use crate::{InstallError, Protocol, Signal};

/// Exports one signal: to standard output, over OTLP, or both.
#[derive(Debug)]
pub(crate) struct SignalExporter {
    sender: Option<Sender>,
    is_on_console: bool,
    resource: ResourceAttributesWithSchema,
    temporality: Temporality,
    redactor: Arc<Redactor>,
    pub(crate) monitor: Arc<Monitor>,
}

/// The exporters of the signals that are switched on.
#[derive(Debug)]
pub(crate) struct Exporters {
    pub(crate) traces: Option<SignalExporter>,
    pub(crate) metrics: Option<SignalExporter>,
    pub(crate) logs: Option<SignalExporter>,
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
    let exporter =
        |signal: Signal, otlp: Option<&OtlpConfig>| -> Result<Option<SignalExporter>, InstallError> {
            let is_on_console = config.console.contains(&signal);
            if otlp.is_none() && !is_on_console {
                return Ok(None);
            }
            let monitor = Arc::new(Monitor::new(signal, otlp, Arc::clone(&warnings)));
            let sender = |otlp: &OtlpConfig| -> Result<Sender, InstallError> {
                Ok(Sender {
                    transport: transport(otlp, roots.clone())?,
                    monitor: Arc::clone(&monitor),
                    runtime: runtime.clone(),
                    timeout: otlp.timeout,
                    is_json: otlp.protocol == Protocol::HttpJson,
                })
            };
            Ok(Some(SignalExporter {
                sender: otlp.map(sender).transpose()?,
                is_on_console,
                resource: (&config.resource).into(),
                temporality: config.temporality,
                redactor: Arc::clone(redactor),
                monitor,
            }))
        };
    Ok(Exporters {
        traces: exporter(Signal::Traces, config.traces.as_ref())?,
        metrics: exporter(Signal::Metrics, config.metrics.as_ref())?,
        logs: exporter(Signal::Logs, config.logs.as_ref())?,
        warnings: problem.into_iter().collect(),
    })
}

fn transport(config: &OtlpConfig, roots: RootCertStore) -> Result<Transport, InstallError> {
    let failed = |reason: String| {
        let endpoint = config.endpoint.shown().to_owned();
        InstallError::from(InstallErrorKind::Exporter { signal: config.signal, endpoint, reason })
    };
    let client = Client::new(config, roots);
    match config.protocol {
        Protocol::Grpc => GrpcTransport::new(config, client).map(Transport::Grpc),
        Protocol::HttpProtobuf | Protocol::HttpJson => {
            HttpTransport::new(config, client).map(Transport::Http)
        }
    }
    .map_err(|error| failed(error.to_string()))
}

impl SignalExporter {
    /// To everyone who wants it. Without a collector, what was shown is what was exported.
    async fn hand_out<R: OtlpRequest + Lines>(&self, request: R) -> OTelSdkResult {
        if self.is_on_console {
            request.print();
        }
        match &self.sender {
            Some(sender) => sender.export(request).await,
            None => {
                self.monitor.tally.exported(request.items(), 0);
                Ok(())
            }
        }
    }
}

impl SpanExporter for SignalExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let request = ExportTraceServiceRequest { resource_spans };
        self.monitor.tally.taken(request.items());
        self.hand_out(request).await
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl LogExporter for SignalExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let resource_logs = group_logs_by_resource_and_scope(&batch, &self.resource);
        let request = ExportLogsServiceRequest { resource_logs };
        self.monitor.tally.taken(request.items());
        self.hand_out(request).await
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl PushMetricExporter for SignalExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut request = ExportMetricsServiceRequest::from(metrics);
        metrics::redact(&mut request, &self.redactor);
        self.monitor.tally.collected(request.items());
        self.hand_out(request).await
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
