//! The SDK's exporters over a [`Sender`] each.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::any::{AnyLogExporter, AnyMetricExporter, AnySpanExporter, guarded, told};
use super::message::OtlpRequest;
use super::runtime::RuntimeEntry;
use super::sender::Sender;
use super::stdout::Lines;
use super::{Monitor, metrics, stdout};
use crate::Signal;
use crate::control::Live;
use crate::metrics::{AttributeGuard, ExemplarReader, Exemplars};
use crate::panics::caught;
use crate::safety::Redactor;

/// Exports one signal to one destination.
#[derive(Debug)]
pub(crate) struct SignalExporter {
    pub(super) sink: Sink,
    pub(super) resource: ResourceAttributesWithSchema,
    pub(super) temporality: Temporality,
    pub(super) redactor: Arc<Redactor>,
    pub(super) guard: Arc<AttributeGuard>,
    pub(super) exemplars: Option<ExemplarReader>,
    pub(super) live: Arc<Live>,
    pub(crate) monitor: Arc<Monitor>,
}

/// What takes the batches.
pub(super) enum Sink {
    Otlp(Arc<Sender>),
    Console,
    OtlpStdout,
    Spans(Named<dyn AnySpanExporter>),
    Metrics(Named<dyn AnyMetricExporter>),
    Logs(Named<dyn AnyLogExporter>),
}

/// One of the user's, driven inside of the private runtime and not for ever.
pub(super) struct Named<E: ?Sized> {
    pub(super) exporter: Box<E>,
    pub(super) runtime: RuntimeEntry,
    pub(super) timeout: Duration,
}

impl SignalExporter {
    /// Its requests have exemplars from now on. Exporters of the user's are given the SDK's own data, which has none.
    pub(crate) fn use_exemplars(&mut self, exemplars: &Arc<Exemplars>) {
        if let Sink::Otlp(_) | Sink::OtlpStdout = self.sink {
            self.exemplars = Some(ExemplarReader::new(exemplars));
        }
    }

    /// Without a collector, what was shown is what was exported.
    async fn hand_out<R: OtlpRequest + Lines>(&self, request: R) -> OTelSdkResult {
        match &self.sink {
            Sink::Otlp(sender) => sender.export(request).await,
            Sink::OtlpStdout => {
                let printed = stdout::print_json(&request);
                self.told(request.items(), printed.map_err(OTelSdkError::InternalFailure))
            }
            _ => {
                request.print();
                self.monitor.tally.exported(request.items(), 0);
                Ok(())
            }
        }
    }

    fn told(&self, items: u64, result: OTelSdkResult) -> OTelSdkResult {
        match &result {
            Ok(()) => self.monitor.succeeded(items, 0),
            Err(error) => self.monitor.failed(items, &error.to_string()),
        }
        result
    }

    fn end(&self, timeout: Duration) -> OTelSdkResult {
        let ended = caught(|| match &self.sink {
            Sink::Otlp(sender) => {
                sender.give_up_unsent();
                Ok(())
            }
            Sink::Console | Sink::OtlpStdout => Ok(()),
            Sink::Spans(named) => named.exporter.end(timeout),
            Sink::Metrics(named) => named.exporter.end(timeout),
            Sink::Logs(named) => named.exporter.end(timeout),
        });
        let ended = ended.unwrap_or_else(|panicked| Err(told(panicked)));
        ended.inspect_err(|error| self.monitor.ended_badly(&format!("at its end: {error}")))
    }
}

impl<E: ?Sized> Named<E> {
    async fn finish(&self, exporting: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        let bounded = async {
            let timeout = self.timeout;
            tokio::time::timeout(timeout, exporting).await.unwrap_or(Err(OTelSdkError::Timeout(timeout)))
        };
        let cut = |_| OTelSdkError::InternalFailure("the shutdown did not wait any longer".to_owned());
        self.runtime.run(bounded).await.map_err(cut)?
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Otlp(_) => "otlp",
            Self::Console => "console",
            Self::OtlpStdout => "otlp/stdout",
            Self::Spans(_) | Self::Metrics(_) | Self::Logs(_) => "named",
        })
    }
}

impl SpanExporter for SignalExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        if let Sink::Spans(named) = &self.sink {
            let items = batch.len() as u64;
            self.monitor.tally.taken(items);
            return self.told(items, named.finish(guarded(named.exporter.export_batch(batch))).await);
        }
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let request = ExportTraceServiceRequest { resource_spans };
        self.monitor.tally.taken(request.items());
        self.hand_out(request).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.end(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl LogExporter for SignalExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        if let Sink::Logs(named) = &self.sink {
            let items = batch.iter().count() as u64;
            self.monitor.tally.taken(items);
            return self.told(items, named.finish(guarded(named.exporter.export_batch(batch))).await);
        }
        let resource_logs = group_logs_by_resource_and_scope(&batch, &self.resource);
        let request = ExportLogsServiceRequest { resource_logs };
        self.monitor.tally.taken(request.items());
        self.hand_out(request).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.end(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl PushMetricExporter for SignalExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut request = ExportMetricsServiceRequest::from(metrics);
        if let Some(exemplars) = &self.exemplars {
            exemplars.attach(&mut request);
        }
        self.guard.look(&mut request);
        metrics::redact(&mut request, &self.redactor);
        let items = request.items();
        if self.live.is_off(Signal::Metrics) {
            self.monitor.tally.filtered(items);
            return Ok(());
        }
        self.monitor.tally.collected(items);
        if let Sink::Metrics(named) = &self.sink {
            return self.told(items, named.finish(guarded(named.exporter.export_batch(metrics))).await);
        }
        self.hand_out(request).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.end(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}
