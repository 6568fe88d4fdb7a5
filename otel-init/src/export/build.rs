//! Exporters as the configuration has them.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::metrics::Temporality;
use rustls::RootCertStore;

use super::advice::{advice, of_disk};
use super::disk::{Disk, Shelf, watch};
use super::exporter::{Named, SignalExporter, Sink};
use super::message::OtlpRequest;
use super::monitor::{Monitor, Target};
use super::runtime::RuntimeEntry;
use super::sender::{Sender, drained_by_flush};
use super::transport::{Client, GrpcTransport, HttpTransport, Transport, system_roots};
use super::unsent::Unsent;
use super::warnings::Warnings;
use crate::config::{BatchConfig, Config, ExporterConfig, Factory, OtlpConfig};
use crate::control::Live;
use crate::error::InstallErrorKind;
use crate::metrics::AttributeGuard;
use crate::panics::caught;
use crate::safety::Redactor;
use crate::{InstallError, Protocol, Signal};

/// Nobody knows how long a user's exporter takes.
const NAMED_TIMEOUT: Duration = Duration::from_secs(10);

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
    let (roots, problem) = if needs_roots { system_roots() } else { (RootCertStore::empty(), None) };
    let mut problems: Vec<String> = problem.into_iter().collect();
    let disk = config.disk.as_ref().and_then(|disk| match Disk::open(&disk.folder, disk.max_size) {
        Ok(disk) => {
            problems.extend(disk.warnings.iter().cloned());
            Some(Arc::new(disk))
        }
        Err(error) => {
            let (folder, what_to_do) = (disk.folder.display(), of_disk(&error.to_string()));
            problems.push(format!(
                "the disk buffer {folder} is not used, telemetry waits in memory alone: {error}; {what_to_do}, or name \
                 another folder, and start the service again"
            ));
            None
        }
    });
    let problems = RefCell::new(problems);
    let workshop =
        Workshop { config, runtime, redactor, guard, live, roots, warnings: Arc::default(), disk, problems };
    let mut exporters = Exporters::default();
    let destinations = &config.destinations;
    for to in &destinations.traces {
        let exporter =
            workshop.make(Signal::Traces, &to.exporter, Temporality::default(), to.batch.export_timeout)?;
        exporters.traces.push((exporter, to.batch));
    }
    for to in &destinations.metrics {
        let exporter = workshop.make(Signal::Metrics, &to.exporter, to.temporality, to.export_timeout)?;
        exporters.metrics.push((exporter, to.interval));
    }
    for to in &destinations.logs {
        let exporter =
            workshop.make(Signal::Logs, &to.exporter, Temporality::default(), to.batch.export_timeout)?;
        exporters.logs.push((exporter, to.batch));
    }
    let left_over = workshop.disk.as_ref().map(|disk| disk.left_over());
    exporters.warnings = workshop.problems.into_inner();
    exporters.warnings.extend(left_over.into_iter().flatten());
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
    /// What the operator should know.
    problems: RefCell<Vec<String>>,
}

impl Workshop<'_> {
    fn make(
        &self,
        signal: Signal,
        config: &ExporterConfig,
        temporality: Temporality,
        bound: Option<Duration>,
    ) -> Result<SignalExporter, InstallError> {
        let target = match config {
            ExporterConfig::Otlp(otlp) => Target::of(otlp),
            ExporterConfig::Console | ExporterConfig::OtlpStdout => Target::standard_output(),
            ExporterConfig::Named(named) => Target::own(&named.name),
        };
        let monitor = Arc::new(Monitor::new(signal, target, Arc::clone(&self.warnings)));
        let mut temporality = temporality;
        let sink = match config {
            ExporterConfig::Otlp(otlp) => {
                let sender = self.sender(otlp, &monitor, bound)?;
                self.check(otlp, &sender);
                Sink::Otlp(sender)
            }
            ExporterConfig::Console => Sink::Console,
            ExporterConfig::OtlpStdout => Sink::OtlpStdout,
            ExporterConfig::Named(named) => caught(|| self.named(&named.factory, &mut temporality, bound))
                .map_err(|_| {
                    let reason = "the function that makes it panicked".to_owned();
                    let endpoint = named.name.clone();
                    InstallError::from(InstallErrorKind::Exporter { signal, endpoint, reason })
                })?,
        };
        Ok(SignalExporter {
            sink,
            resource: (&self.config.resource).into(),
            temporality,
            redactor: Arc::clone(self.redactor),
            guard: Arc::clone(self.guard),
            exemplars: None,
            live: Arc::clone(self.live),
            monitor,
        })
    }

    fn sender(
        &self,
        otlp: &OtlpConfig,
        monitor: &Arc<Monitor>,
        bound: Option<Duration>,
    ) -> Result<Arc<Sender>, InstallError> {
        let (signal, url) = (otlp.signal, otlp.endpoint.url());
        let before = self.config.destinations.otlp().take_while(|other| !std::ptr::eq(*other, otlp));
        let place = before.filter(|other| other.signal == signal && other.endpoint.url() == url).count();
        let shelf = self.disk.as_ref().map(|disk| Shelf::new(Arc::clone(disk), signal, url, place));
        let sender = Arc::new(Sender {
            transport: transport(otlp, self.roots.clone())?,
            monitor: Arc::clone(monitor),
            runtime: self.runtime.clone(),
            timeout: bound.map_or(otlp.timeout, |bound| otlp.timeout.min(bound)),
            is_json: otlp.protocol == Protocol::HttpJson,
            unsent: Unsent::default(),
            shelf,
            is_shelf_refusing: AtomicBool::new(false),
            keeper: OnceLock::new(),
            draining: tokio::sync::Mutex::default(),
        });
        match otlp.signal {
            Signal::Traces => look_after::<ExportTraceServiceRequest>(&sender),
            Signal::Metrics => look_after::<ExportMetricsServiceRequest>(&sender),
            Signal::Logs => look_after::<ExportLogsServiceRequest>(&sender),
        }
        Ok(sender)
    }

    /// Certificates that cannot be used are told now: the first export may be a minute away.
    fn check(&self, otlp: &OtlpConfig, sender: &Sender) {
        let Some(problem) = sender.transport.client().problem() else { return };
        let warning = format!(
            "nothing is exported to {}: {problem}. The service starts all the same: {}",
            otlp.endpoint.authority(),
            advice(&problem)
        );
        let mut problems = self.problems.borrow_mut();
        // Signals mostly share the collector.
        if !problems.contains(&warning) {
            problems.push(warning);
            self.warnings.told(otlp.endpoint.authority(), &problem, Instant::now());
        }
    }

    fn named(&self, factory: &Factory, temporality: &mut Temporality, bound: Option<Duration>) -> Sink {
        let timeout = bound.unwrap_or(NAMED_TIMEOUT);
        let (resource, runtime) = (&self.config.resource, self.runtime.clone());
        match factory {
            Factory::Span(make) => {
                let mut exporter = make();
                exporter.use_resource(resource);
                Sink::Spans(Named { exporter, runtime, timeout })
            }
            Factory::Log(make) => {
                let mut exporter = make();
                exporter.use_resource(resource);
                Sink::Logs(Named { exporter, runtime, timeout })
            }
            Factory::Metric(make) => {
                let exporter = make();
                *temporality = exporter.preferred_temporality();
                Sink::Metrics(Named { exporter, runtime, timeout })
            }
        }
    }
}

fn look_after<R: OtlpRequest + 'static>(sender: &Arc<Sender>) {
    drained_by_flush::<R>(sender);
    if let Some(shelf) = &sender.shelf {
        watch::<R>(sender, shelf.clone());
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
