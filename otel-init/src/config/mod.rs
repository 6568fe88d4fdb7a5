//! From code and environment to one checked [`Config`]: the only place that reads variables.

mod batch;
mod endpoint;
mod environment;
mod limits;
mod otlp;
mod percent;
mod propagation;
mod resource;
mod sampler;
mod unsupported;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::SpanLimits;
use tracing_subscriber::filter::LevelFilter;

pub(crate) use batch::BatchConfig;
pub(crate) use otlp::{Compression, OtlpConfig, TlsConfig};
pub(crate) use propagation::PropagatorConfig;
pub(crate) use sampler::SamplerConfig;

use self::environment::Environment;
use crate::safety::{Limits, SafetySettings};
use crate::{ConsoleLogs, InstallError, Protocol, Signal};

/// A bound that no clock overflows at.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// What the code said. `None` leaves the choice to the environment.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) service_name: Option<String>,
    pub(crate) service_version: Option<String>,
    pub(crate) resource_attributes: Vec<KeyValue>,
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) shutdown_timeout: Option<Duration>,
    pub(crate) metric_export_interval: Option<Duration>,
    pub(crate) console_logs: ConsoleLogs,
    pub(crate) telemetry_level: Option<LevelFilter>,
    pub(crate) without_tracing_subscriber: bool,
    pub(crate) safety: SafetySettings,
}

/// Everything that is installed, with nothing left to look up.
#[derive(Debug)]
pub(crate) struct Config {
    /// `OTEL_SDK_DISABLED`.
    pub(crate) is_disabled: bool,
    pub(crate) resource: Resource,
    pub(crate) traces: Option<OtlpConfig>,
    pub(crate) metrics: Option<OtlpConfig>,
    pub(crate) logs: Option<OtlpConfig>,
    pub(crate) sampler: SamplerConfig,
    pub(crate) span_limits: SpanLimits,
    pub(crate) limits: Limits,
    pub(crate) safety: SafetySettings,
    pub(crate) span_batch: BatchConfig,
    pub(crate) log_batch: BatchConfig,
    pub(crate) metric_interval: Duration,
    pub(crate) temporality: Temporality,
    pub(crate) propagators: Vec<PropagatorConfig>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) subscriber: Option<SubscriberConfig>,
    /// What was wrong with the environment, one sentence each.
    pub(crate) warnings: Vec<String>,
}

/// The `tracing` subscriber to set.
#[derive(Debug)]
pub(crate) struct SubscriberConfig {
    pub(crate) console: ConsoleLogs,
    /// `RUST_LOG`.
    pub(crate) console_filter: Option<String>,
    /// The most verbose level that is exported.
    pub(crate) telemetry_level: LevelFilter,
}

impl Config {
    /// Code wins over environment, environment over default.
    pub(crate) fn resolve(
        settings: &Settings,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, InstallError> {
        let environment = Environment::new(lookup);
        let exporter = |signal| OtlpConfig::resolve(signal, settings, &environment);
        let config = Self {
            is_disabled: environment.boolean("OTEL_SDK_DISABLED").unwrap_or(false),
            resource: resource::resolve(settings, &environment),
            traces: exporter(Signal::Traces)?,
            metrics: exporter(Signal::Metrics)?,
            logs: exporter(Signal::Logs)?,
            sampler: SamplerConfig::resolve(&environment),
            span_limits: limits::span_limits(&environment),
            limits: limits::resolve(&environment),
            safety: settings.safety.clone(),
            span_batch: BatchConfig::resolve("OTEL_BSP", Duration::from_secs(5), &environment),
            log_batch: BatchConfig::resolve("OTEL_BLRP", Duration::from_secs(1), &environment),
            metric_interval: batch::metric_interval(settings, &environment),
            temporality: batch::temporality(&environment),
            propagators: PropagatorConfig::resolve(&environment),
            shutdown_timeout: settings
                .shutdown_timeout
                .unwrap_or(Duration::from_secs(5))
                .min(LONGEST_SHUTDOWN),
            subscriber: SubscriberConfig::resolve(settings, &environment),
            warnings: Vec::new(),
        };
        unsupported::warn(&environment);
        Ok(Self { warnings: environment.into_warnings(), ..config })
    }

    /// One line for the operator: what goes where.
    pub(crate) fn summary(&self) -> String {
        let service = self.resource.get(&"service.name".into()).map(|name| name.to_string());
        let service = service.unwrap_or_default();
        if self.is_disabled {
            return format!("telemetry is disabled by OTEL_SDK_DISABLED; service {service}");
        }
        let mut destinations: Vec<(String, Vec<&str>)> = Vec::new();
        for exporter in [&self.traces, &self.metrics, &self.logs].into_iter().flatten() {
            let destination = format!("by {} to {}", exporter.protocol, exporter.endpoint.shown_base());
            match destinations.iter_mut().find(|(known, _)| *known == destination) {
                Some((_, signals)) => signals.push(exporter.signal.as_str()),
                None => destinations.push((destination, vec![exporter.signal.as_str()])),
            }
        }
        let exports: Vec<_> =
            destinations.iter().map(|(to, signals)| format!("{} {to}", signals.join(", "))).collect();
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(" and ") };
        format!("exporting {exports}; sampler {}; service {service}", self.sampler)
    }
}

impl SubscriberConfig {
    fn resolve(settings: &Settings, environment: &Environment<'_>) -> Option<Self> {
        (!settings.without_tracing_subscriber).then(|| Self {
            console: settings.console_logs,
            console_filter: environment.text("RUST_LOG"),
            telemetry_level: settings.telemetry_level.unwrap_or(LevelFilter::INFO),
        })
    }
}

#[cfg(test)]
mod tests;
