//! The ways out of a signal: each has its own queue, retries and health.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry_sdk::metrics::Temporality;

use super::BatchConfig;
use super::environment::Environment;
use super::exporters::ExporterName;
use super::otlp::{OtlpConfig, sensitive_header};
use super::prometheus::PrometheusConfig;
use super::{Settings, batch};
use crate::builder::{LogExporterFactory, MetricExporterFactory, SpanExporterFactory};
use crate::panics::caught;
use crate::{InstallError, Signal};

/// What becomes of a batch.
#[derive(Debug, Clone)]
pub(crate) enum ExporterConfig {
    Otlp(Box<OtlpConfig>),
    /// Standard output, for people.
    Console,
    /// Standard output, as OTLP/JSON.
    OtlpStdout,
    /// One that the code brought, by its name.
    Named(NamedExporter),
}

/// An exporter of the user's own.
#[derive(Clone)]
pub(crate) struct NamedExporter {
    pub(crate) name: String,
    pub(crate) factory: Factory,
}

#[derive(Clone)]
pub(crate) enum Factory {
    Span(SpanExporterFactory),
    Metric(MetricExporterFactory),
    Log(LogExporterFactory),
}

impl fmt::Debug for NamedExporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Where spans or log records go, and how they wait for it.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) exporter: ExporterConfig,
    pub(crate) batch: BatchConfig,
}

/// Where metrics go, and how often.
#[derive(Debug, Clone)]
pub(crate) struct MetricDestination {
    pub(crate) exporter: ExporterConfig,
    pub(crate) interval: Duration,
    /// A bound on the timeout of the exporter.
    pub(crate) export_timeout: Option<Duration>,
    pub(crate) temporality: Temporality,
}

/// All destinations of the three signals.
#[derive(Debug, Clone, Default)]
pub(crate) struct Destinations {
    pub(crate) traces: Vec<Destination>,
    pub(crate) metrics: Vec<MetricDestination>,
    pub(crate) logs: Vec<Destination>,
    /// The address where metrics can be fetched.
    pub(crate) prometheus: Option<PrometheusConfig>,
}

impl Destinations {
    /// Those that the variables name, and those that the code adds.
    pub(crate) fn resolve(settings: &Settings, environment: &Environment<'_>) -> Result<Self, InstallError> {
        let mut destinations = Self::default();
        // Read once, also if nothing needs it: a bad value is worth a word.
        let timing = Timing::resolve(settings, environment);
        for signal in Signal::ALL {
            let names = match settings.exporters.get(&signal) {
                Some(names) => ExporterName::parse_all(signal, names, &settings.registry)?,
                None => ExporterName::resolve(signal, &settings.registry, environment),
            };
            for name in names {
                let exporter = match name {
                    ExporterName::Otlp => {
                        ExporterConfig::Otlp(Box::new(OtlpConfig::resolve(signal, settings, environment)?))
                    }
                    ExporterName::Console => ExporterConfig::Console,
                    ExporterName::OtlpStdout => ExporterConfig::OtlpStdout,
                    ExporterName::Prometheus => {
                        destinations.prometheus = Some(PrometheusConfig::resolve(environment));
                        continue;
                    }
                    ExporterName::Named(named) => ExporterConfig::Named(named),
                };
                destinations.push(signal, exporter, timing);
            }
        }
        destinations.add(settings, timing)?;
        Ok(destinations)
    }

    /// Those that the code adds, alone.
    pub(crate) fn added(settings: &Settings) -> Result<Self, InstallError> {
        let mut destinations = Self::default();
        destinations.add(settings, Timing::resolve(settings, &Environment::new(&|_| None)))?;
        Ok(destinations)
    }

    fn add(&mut self, settings: &Settings, timing: Timing) -> Result<(), InstallError> {
        // The code says how long these may take.
        let timing = timing.without_timeouts();
        for added in &settings.destinations {
            for otlp in added.resolve()? {
                let signal = otlp.signal;
                self.push(signal, ExporterConfig::Otlp(Box::new(otlp)), timing);
            }
        }
        Ok(())
    }

    /// Takes over the destinations of one signal, in place of its own or behind them.
    pub(crate) fn take_from(&mut self, other: &Self, signal: Signal, replaces: bool) {
        fn take<T: Clone>(own: &mut Vec<T>, other: &[T], replaces: bool) {
            if replaces {
                own.clear();
            }
            own.extend_from_slice(other);
        }
        match signal {
            Signal::Traces => take(&mut self.traces, &other.traces, replaces),
            Signal::Logs => take(&mut self.logs, &other.logs, replaces),
            Signal::Metrics => {
                take(&mut self.metrics, &other.metrics, replaces);
                if replaces {
                    self.prometheus.clone_from(&other.prometheus);
                }
            }
        }
    }

    pub(crate) fn exporters_mut(&mut self) -> impl Iterator<Item = &mut ExporterConfig> {
        let traces = self.traces.iter_mut().map(|to| &mut to.exporter);
        let metrics = self.metrics.iter_mut().map(|to| &mut to.exporter);
        let logs = self.logs.iter_mut().map(|to| &mut to.exporter);
        traces.chain(metrics).chain(logs)
    }

    fn push(&mut self, signal: Signal, exporter: ExporterConfig, timing: Timing) {
        match signal {
            Signal::Traces => self.traces.push(Destination { exporter, batch: timing.spans }),
            Signal::Logs => self.logs.push(Destination { exporter, batch: timing.logs }),
            Signal::Metrics => self.metrics.push(MetricDestination {
                exporter,
                interval: timing.interval,
                export_timeout: timing.metric_timeout,
                temporality: timing.temporality,
            }),
        }
    }

    /// What each signal is exported to, in the order of traces, metrics, logs.
    pub(crate) fn exporters(&self) -> impl Iterator<Item = (Signal, &ExporterConfig)> {
        let traces = self.traces.iter().map(|to| (Signal::Traces, &to.exporter));
        let metrics = self.metrics.iter().map(|to| (Signal::Metrics, &to.exporter));
        let logs = self.logs.iter().map(|to| (Signal::Logs, &to.exporter));
        traces.chain(metrics).chain(logs)
    }

    /// The OTLP destinations among them.
    pub(crate) fn otlp(&self) -> impl Iterator<Item = &OtlpConfig> {
        self.exporters().filter_map(|(_, exporter)| match exporter {
            ExporterConfig::Otlp(otlp) => Some(&**otlp),
            ExporterConfig::Console | ExporterConfig::OtlpStdout | ExporterConfig::Named(_) => None,
        })
    }
}

/// What all destinations of a signal share when variables decide.
#[derive(Clone, Copy)]
struct Timing {
    spans: BatchConfig,
    logs: BatchConfig,
    interval: Duration,
    metric_timeout: Option<Duration>,
    temporality: Temporality,
}

impl Timing {
    fn resolve(settings: &Settings, environment: &Environment<'_>) -> Self {
        Self {
            spans: BatchConfig::spans(settings.queue, environment),
            logs: BatchConfig::logs(settings.queue, environment),
            interval: batch::metric_interval(settings, environment),
            metric_timeout: environment.timeout(&["OTEL_METRIC_EXPORT_TIMEOUT"], batch::EXPORT_TIMEOUT),
            temporality: batch::temporality(settings, environment),
        }
    }

    fn without_timeouts(self) -> Self {
        let batch = |batch| BatchConfig { export_timeout: None, ..batch };
        Self { spans: batch(self.spans), logs: batch(self.logs), metric_timeout: None, ..self }
    }
}

/// Headers that are asked for before each request.
#[derive(Clone)]
pub(crate) struct HeaderProvider(pub(crate) Arc<HeaderFunction>);

type HeaderFunction = dyn Fn() -> Vec<(String, String)> + Send + Sync;

impl HeaderProvider {
    pub(crate) fn new(provider: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static) -> Self {
        Self(Arc::new(provider))
    }

    /// The headers of now. Nothing is sent without those that should have been there.
    pub(crate) fn headers(&self) -> Result<HeaderMap, String> {
        let given =
            caught(|| (self.0)()).map_err(|_| "the function that gives the headers panicked".to_owned())?;
        let header = |(name, value): (String, String)| {
            let reason = "which HTTP does not allow, or its value";
            sensitive_header(&name, &value)
                .ok_or_else(|| format!("the function that gives the headers gave {name:?}, {reason}"))
        };
        given.into_iter().map(header).collect()
    }
}

impl fmt::Debug for HeaderProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a function")
    }
}
