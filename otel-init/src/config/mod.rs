//! From code and environment to one checked [`Config`]: the only place that reads variables.

mod batch;
mod destination;
mod detection;
mod disk;
mod effective;
mod endpoint;
mod environment;
mod exporters;
mod file;
mod from_file;
mod instrumentation;
mod known;
mod limits;
mod list;
mod origins;
mod otlp;
mod percent;
mod prometheus;
mod propagation;
mod protocol;
mod proxy;
mod resource;
mod rows;
mod sampler;
mod settings;
mod shown;
mod subscriber;
mod unsupported;

use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanLimits;

pub(crate) use batch::BatchConfig;
pub(crate) use destination::{Destinations, ExporterConfig, Factory, HeaderProvider, NamedExporter};
pub(crate) use detection::Variables;
pub use effective::{EffectiveConfig, EffectiveSetting, SettingSource};
pub(crate) use endpoint::Endpoint;
pub(crate) use environment::Environment;
pub(crate) use file::FileError;
pub(crate) use instrumentation::{CAPTURED, Instrumentations};
pub(crate) use otlp::{Compression, OtlpConfig, TlsConfig, sensitive_header};
pub(crate) use percent::decode as percent_decoded;
#[cfg(feature = "prometheus")]
pub(crate) use prometheus::PrometheusConfig;
pub(crate) use propagation::PropagatorConfig;
pub use protocol::Protocol;
pub(crate) use sampler::SamplerConfig;
pub(crate) use settings::Settings;
pub(crate) use shown::shown;
pub(crate) use subscriber::SubscriberConfig;

use self::origins::Origins;
use crate::metrics::MetricSettings;
use crate::safety::{Limits, SafetySettings};
use crate::subscriber::Levels;
use crate::{DiskBuffer, InstallError, Queue, Signal};

/// A bound that no clock overflows at.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that is installed, with nothing left to look up.
#[derive(Debug)]
pub(crate) struct Config {
    /// `OTEL_SDK_DISABLED`.
    pub(crate) is_disabled: bool,
    pub(crate) resource: Resource,
    /// Those that ran.
    pub(crate) detectors: Vec<String>,
    pub(crate) destinations: Destinations,
    pub(crate) sampler: SamplerConfig,
    pub(crate) span_limits: SpanLimits,
    pub(crate) limits: Limits,
    pub(crate) safety: SafetySettings,
    pub(crate) metrics: MetricSettings,
    /// Whether log records have the fields of `tracing` spans.
    pub(crate) has_span_fields: bool,
    /// Whether spans and log records of `tracing` say where in the code they were made.
    pub(crate) has_code_locations: bool,
    pub(crate) disk: Option<DiskBuffer>,
    pub(crate) queue: Queue,
    pub(crate) instrumentations: Instrumentations,
    pub(crate) propagators: PropagatorConfig,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) panic_hook: bool,
    /// What is exported of `tracing`.
    pub(crate) telemetry_levels: Levels,
    pub(crate) subscriber: Option<SubscriberConfig>,
    /// Who said what.
    pub(crate) origins: Origins,
    /// What was wrong with the environment, one sentence each.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Code wins over environment, environment over default. A configuration file replaces the environment.
    pub(crate) fn resolve(
        settings: &Settings,
        lookup: &dyn Fn(&str) -> Option<String>,
        names: &[String],
    ) -> Result<Self, InstallError> {
        let environment = Environment::new(lookup);
        if let Some(named) = from_file::path(settings, &environment) {
            return Self::from_file(named, settings, lookup);
        }
        let sampler = SamplerConfig::resolve(settings, &environment);
        let mut used = environment.used();
        let warnings = environment.into_warnings();
        let with_preset = sampler.with_defaults(lookup);
        let environment = Environment::new(&with_preset);
        warnings.into_iter().for_each(|warning| environment.warn(warning));
        let detectors = detection::chosen(settings, &environment);
        let mut destinations = Destinations::resolve(settings, &environment)?;
        proxy::note(&mut destinations, lookup);
        otlp::note_endpoints(&destinations, &environment, |signal| {
            format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.as_str().to_uppercase())
        });
        let (span_limits, limits) = limits::resolve(&environment);
        let config = Self {
            is_disabled: environment.boolean("OTEL_SDK_DISABLED").unwrap_or(false),
            resource: resource::resolve(&detectors, settings, &environment),
            detectors,
            destinations,
            sampler,
            span_limits,
            limits,
            metrics: batch::metrics(&settings.metrics, &environment),
            disk: settings.disk.clone().or_else(|| disk::resolve(&environment)),
            instrumentations: instrumentation::resolve(names, &environment),
            propagators: PropagatorConfig::resolve(&settings.propagators, &environment),
            telemetry_levels: settings.telemetry_levels.over(subscriber::telemetry_levels(&environment)),
            subscriber: SubscriberConfig::resolve(settings, &environment),
            ..Self::of_code(settings)
        };
        unsupported::warn(&environment);
        known::warn_unknown(names, &environment);
        used.extend(environment.used());
        // What a preset says for a variable that is not set is no variable's doing.
        used.retain(|name| lookup(name).is_some_and(|value| !value.trim().is_empty()));
        let list = environment.text("OTEL_RESOURCE_ATTRIBUTES");
        let origins = Origins::of_environment(settings, used, list.as_deref());
        Ok(Self { warnings: environment.into_warnings(), origins, ..config })
    }

    /// A configuration that exports nothing, with what the code said about the console.
    pub(crate) fn nothing(settings: &Settings, lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        const CONSOLE: [&str; 3] = ["RUST_LOG", "OTEL_LOG_LEVEL", "OTEL_INIT_CONSOLE_LOGS"];
        let console = |name: &str| lookup(name).filter(|_| CONSOLE.contains(&name));
        let subscriber = SubscriberConfig::resolve(settings, &Environment::new(&console));
        let (queue, shutdown_timeout) = (settings.queue, Some(Duration::ZERO));
        let code = Settings { queue, shutdown_timeout, ..Settings::default() };
        Self { is_disabled: true, telemetry_levels: Levels::off(), subscriber, ..Self::of_code(&code) }
    }

    /// What the code said, with defaults for the rest.
    fn of_code(settings: &Settings) -> Self {
        Self {
            is_disabled: false,
            resource: Resource::builder_empty().build(),
            detectors: Vec::new(),
            destinations: Destinations::default(),
            sampler: SamplerConfig::default(),
            span_limits: SpanLimits::default(),
            limits: Limits::default(),
            safety: settings.safety.clone(),
            metrics: settings.metrics.clone(),
            has_span_fields: !settings.without_span_fields,
            has_code_locations: settings.code_locations,
            disk: settings.disk.clone(),
            queue: settings.queue,
            instrumentations: Instrumentations::default(),
            propagators: PropagatorConfig::named(Vec::new(), &settings.propagators),
            shutdown_timeout: settings.shutdown_timeout.unwrap_or(SHUTDOWN_TIMEOUT).min(LONGEST_WAIT),
            panic_hook: settings.panic_hook,
            telemetry_levels: settings.telemetry_levels.clone(),
            subscriber: None,
            origins: Origins::default(),
            warnings: Vec::new(),
        }
    }

    /// Where nothing is exported, the resource is shown all the same. Without rules that can be read, nothing of it is.
    pub(crate) fn protect_resource(&mut self) {
        let nothing = || Resource::builder_empty().build();
        let redactor = self.safety.redactor();
        self.resource =
            redactor.map_or_else(|_| nothing(), |redactor| redactor.protected_resource(&self.resource));
    }

    /// What is compiled when it is installed can be compiled.
    pub(crate) fn check(&self) -> Result<(), InstallError> {
        self.safety.check()?;
        self.metrics.compiled_views().map(|_| ())
    }

    /// One line for the operator: what goes where.
    pub(crate) fn summary(&self) -> String {
        let service = self.resource.get(&"service.name".into()).map(|name| name.to_string());
        let service = service.unwrap_or_default();
        if self.is_disabled {
            return format!("telemetry is disabled by {}; service {service}", self.origins.disabled_by());
        }
        let mut destinations: Vec<(String, Vec<&str>)> = Vec::new();
        for (signal, exporter) in self.destinations.exporters() {
            let destination = match exporter {
                ExporterConfig::Otlp(otlp) => {
                    format!("by {} to {}", otlp.protocol, otlp.endpoint.shown_base())
                }
                ExporterConfig::Console => "to the console".to_owned(),
                ExporterConfig::OtlpStdout => "as OTLP/JSON to standard output".to_owned(),
                ExporterConfig::Named(named) => format!("by {}", named.name),
            };
            match destinations.iter_mut().find(|(known, _)| *known == destination) {
                Some((_, signals)) => signals.push(signal.as_str()),
                None => destinations.push((destination, vec![signal.as_str()])),
            }
        }
        if let Some(prometheus) = &self.destinations.prometheus {
            let address = format!("for Prometheus at {}", prometheus.address());
            destinations.push((address, vec![Signal::Metrics.as_str()]));
        }
        let exports: Vec<_> =
            destinations.iter().map(|(to, signals)| format!("{} {to}", signals.join(", "))).collect();
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(" and ") };
        let off = match self.instrumentations.disabled.join(", ") {
            off if off.is_empty() => off,
            off => format!("; instrumentations that are off: {off}"),
        };
        format!("exporting {exports}; sampler {}; service {service}{off}", self.sampler)
    }
}

/// The sampler of these variables, in words, and whether there was a warning.
#[cfg(test)]
pub(crate) fn sampler_of(lookup: &dyn Fn(&str) -> Option<String>) -> (String, bool) {
    let environment = Environment::new(lookup);
    let sampler = SamplerConfig::resolve(&Settings::default(), &environment);
    (sampler.to_string(), !environment.into_warnings().is_empty())
}

#[cfg(test)]
mod tests;
