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
use rustls::RootCertStore;

use super::any::{AnyLogExporter, AnyMetricExporter, AnySpanExporter, guarded};
use super::buffered::watch;
use super::client::Client;
use super::disk::{Disk, Shelf};
use super::grpc::GrpcTransport;
use super::http::HttpTransport;
use super::message::OtlpRequest;
use super::monitor::{Target, Warnings};
use super::runtime::RuntimeEntry;
use super::sender::Sender;
use super::stdout::Lines;
use super::tls;
use super::transport::Transport;
use super::{Monitor, metrics};
use crate::config::{BatchConfig, Config, ExporterConfig, Factory, OtlpConfig};
use crate::control::Live;
use crate::error::InstallErrorKind;
use crate::metrics::AttributeGuard;
use crate::safety::Redactor;
use crate::{InstallError, Protocol, Signal};

/// Nobody knows how long a user's exporter takes.
const NAMED_TIMEOUT: Duration = Duration::from_secs(10);

/// Exports one signal to one destination.
#[derive(Debug)]
pub(crate) struct SignalExporter {
    sink: Sink,
    resource: ResourceAttributesWithSchema,
    temporality: Temporality,
    redactor: Arc<Redactor>,
    guard: Arc<AttributeGuard>,
    live: Arc<Live>,
    pub(crate) monitor: Arc<Monitor>,
}

/// What takes the batches.
enum Sink {
    Otlp(Arc<Sender>),
    Console,
    Spans(Named<dyn AnySpanExporter>),
    Metrics(Named<dyn AnyMetricExporter>),
    Logs(Named<dyn AnyLogExporter>),
}

/// One of the user's, driven inside of the private runtime and not for ever.
struct Named<E: ?Sized> {
    exporter: Box<E>,
    runtime: RuntimeEntry,
}

/// The exporters of one signal that are switched on.
#[derive(Debug, Default)]
pub(crate) struct Exporters {
    pub(crate) traces: Vec<(SignalExporter, BatchConfig)>,
    pub(crate) metrics: Vec<(SignalExporter, Duration)>,
    pub(crate) logs: Vec<(SignalExporter, BatchConfig)>,
    /// What the operator should know.
    pub(crate) warnings: Vec<String>,
}

pub(crate) fn build(
    config: &Config,
    runtime: &RuntimeEntry,
    redactor: &Arc<Redactor>,
    guard: &Arc<AttributeGuard>,
    live: &Arc<Live>,
) -> Result<Exporters, InstallError> {
    let needs_roots = config
        .destinations
        .otlp()
        .any(|exporter| exporter.endpoint.is_https() && exporter.tls.authority.is_none());
    let (roots, problem) = if needs_roots { tls::system_roots() } else { (RootCertStore::empty(), None) };
    let mut problems: Vec<String> = problem.into_iter().collect();
    let disk = config.disk.as_ref().and_then(|disk| match Disk::open(&disk.folder, disk.max_size) {
        Ok(disk) => Some(Arc::new(disk)),
        Err(error) => {
            let folder = disk.folder.display();
            problems.push(format!(
                "the disk buffer {folder} is not used, telemetry waits in memory alone: {error}"
            ));
            None
        }
    });
    let workshop = Workshop { config, runtime, redactor, guard, live, roots, warnings: Arc::default(), disk };
    let mut exporters = Exporters { warnings: problems, ..Exporters::default() };
    let destinations = &config.destinations;
    for to in &destinations.traces {
        let exporter = workshop.make(Signal::Traces, &to.exporter, Temporality::default())?;
        exporters.traces.push((exporter, to.batch));
    }
    for to in &destinations.metrics {
        let exporter = workshop.make(Signal::Metrics, &to.exporter, to.temporality)?;
        exporters.metrics.push((exporter, to.interval));
    }
    for to in &destinations.logs {
        let exporter = workshop.make(Signal::Logs, &to.exporter, Temporality::default())?;
        exporters.logs.push((exporter, to.batch));
    }
    Ok(exporters)
}

/// What all exporters are made with.
struct Workshop<'a> {
    config: &'a Config,
    runtime: &'a RuntimeEntry,
    redactor: &'a Arc<Redactor>,
    guard: &'a Arc<AttributeGuard>,
    live: &'a Arc<Live>,
    roots: RootCertStore,
    warnings: Arc<Warnings>,
    disk: Option<Arc<Disk>>,
}

impl Workshop<'_> {
    fn make(
        &self,
        signal: Signal,
        config: &ExporterConfig,
        temporality: Temporality,
    ) -> Result<SignalExporter, InstallError> {
        let target = match config {
            ExporterConfig::Otlp(otlp) => Target::of(otlp),
            ExporterConfig::Console => Target::named("standard output"),
            ExporterConfig::Named(named) => Target::named(&named.name),
        };
        let monitor = Arc::new(Monitor::new(signal, target, Arc::clone(&self.warnings)));
        let mut temporality = temporality;
        let sink = match config {
            ExporterConfig::Otlp(otlp) => Sink::Otlp(self.sender(otlp, &monitor)?),
            ExporterConfig::Console => Sink::Console,
            ExporterConfig::Named(named) => self.named(&named.factory, &mut temporality),
        };
        Ok(SignalExporter {
            sink,
            resource: (&self.config.resource).into(),
            temporality,
            redactor: Arc::clone(self.redactor),
            guard: Arc::clone(self.guard),
            live: Arc::clone(self.live),
            monitor,
        })
    }

    fn sender(&self, otlp: &OtlpConfig, monitor: &Arc<Monitor>) -> Result<Arc<Sender>, InstallError> {
        let shelf =
            self.disk.as_ref().map(|disk| Shelf::new(Arc::clone(disk), otlp.signal, otlp.endpoint.url()));
        let sender = Arc::new(Sender {
            transport: transport(otlp, self.roots.clone())?,
            monitor: Arc::clone(monitor),
            runtime: self.runtime.clone(),
            timeout: otlp.timeout,
            is_json: otlp.protocol == Protocol::HttpJson,
            shelf: shelf.clone(),
            draining: tokio::sync::Mutex::default(),
        });
        if let Some(shelf) = shelf {
            match otlp.signal {
                Signal::Traces => watch::<ExportTraceServiceRequest>(&sender, shelf),
                Signal::Metrics => watch::<ExportMetricsServiceRequest>(&sender, shelf),
                Signal::Logs => watch::<ExportLogsServiceRequest>(&sender, shelf),
            }
        }
        Ok(sender)
    }

    fn named(&self, factory: &Factory, temporality: &mut Temporality) -> Sink {
        let (resource, runtime) = (&self.config.resource, self.runtime.clone());
        match factory {
            Factory::Span(make) => {
                let mut exporter = make();
                exporter.use_resource(resource);
                Sink::Spans(Named { exporter, runtime })
            }
            Factory::Log(make) => {
                let mut exporter = make();
                exporter.use_resource(resource);
                Sink::Logs(Named { exporter, runtime })
            }
            Factory::Metric(make) => {
                let exporter = make();
                *temporality = exporter.preferred_temporality();
                Sink::Metrics(Named { exporter, runtime })
            }
        }
    }
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
    /// Without a collector, what was shown is what was exported.
    async fn hand_out<R: OtlpRequest + Lines>(&self, request: R) -> OTelSdkResult {
        match &self.sink {
            Sink::Otlp(sender) => sender.export(request).await,
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
        match &self.sink {
            Sink::Otlp(_) | Sink::Console => Ok(()),
            Sink::Spans(named) => named.exporter.end(timeout),
            Sink::Metrics(named) => named.exporter.end(timeout),
            Sink::Logs(named) => named.exporter.end(timeout),
        }
    }
}

impl<E: ?Sized> Named<E> {
    async fn finish(&self, exporting: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        let bounded = async {
            tokio::time::timeout(NAMED_TIMEOUT, exporting)
                .await
                .unwrap_or(Err(OTelSdkError::Timeout(NAMED_TIMEOUT)))
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
