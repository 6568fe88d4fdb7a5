//! `OTEL_CONFIG_FILE`: the declarative configuration of OpenTelemetry, in place of the environment.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/data-model/>, and the schema at
//! <https://github.com/open-telemetry/opentelemetry-configuration>. Nothing is passed over in silence: a key that nobody
//! knows, a value of another type and what the schema has and this crate has not are errors with their line.

mod composite;
mod distribution;
mod error;
mod exporter;
mod fields;
mod instrumentation;
mod meter;
mod node;
mod propagator;
mod providers;
mod resource;
mod sampler;
mod substitute;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use opentelemetry::{Key, Value};
use opentelemetry_sdk::trace::SpanLimits;
use tracing_subscriber::filter::LevelFilter;

pub(crate) use self::error::FileError;
use self::fields::Fields;
use self::providers::GeneralLimits;
#[cfg(test)]
pub(super) use self::tests::FULL;
use super::Settings;
use super::destination::Destinations;
use super::detection::Filter;
use super::instrumentation::Instrumentations;
use super::sampler::SamplerConfig;
use crate::metrics::{CardinalityLimits, ExemplarFilter, View};
use crate::safety::{Limits, SafetySettings};
use crate::subscriber::{Levels, level_of};

/// What the file says, with the defaults of the schema for what it does not say.
#[derive(Debug, Default)]
pub(crate) struct FileConfig {
    pub(crate) is_disabled: bool,
    pub(crate) own_level: Option<LevelFilter>,
    pub(crate) resource: Vec<(Key, Value)>,
    /// The line of each of them.
    pub(crate) resource_lines: BTreeMap<String, usize>,
    pub(crate) schema_url: Option<String>,
    /// The detectors to run: none by default.
    pub(crate) detectors: Vec<String>,
    /// Which of their attributes stay.
    pub(crate) detected: Filter,
    pub(crate) propagators: Vec<String>,
    pub(crate) destinations: Destinations,
    pub(crate) sampler: SamplerConfig,
    pub(crate) debug_key: Option<String>,
    pub(crate) span_limits: SpanLimits,
    pub(crate) limits: Limits,
    pub(crate) exponential_histograms: bool,
    pub(crate) cardinality: CardinalityLimits,
    pub(crate) exemplar_filter: ExemplarFilter,
    pub(crate) views: Vec<View>,
    pub(crate) safety: SafetySettings,
    pub(crate) shutdown_timeout: Option<std::time::Duration>,
    pub(crate) telemetry_levels: Levels,
    pub(crate) disk: Option<crate::DiskBuffer>,
    pub(crate) console_logs: Option<crate::ConsoleLogs>,
    pub(crate) panic_hook: bool,
    pub(crate) process_metrics: bool,
    pub(crate) code_locations: bool,
    pub(crate) instrumentations: Instrumentations,
    pub(crate) warnings: Vec<String>,
    /// The line of each key that is there.
    pub(crate) lines: BTreeMap<String, usize>,
}

/// Reads the file with what the code registered.
struct Reader<'a> {
    settings: &'a Settings,
    /// What looks like a mistake and is none.
    warnings: RefCell<Vec<String>>,
}

pub(crate) fn read(
    text: &str,
    settings: &Settings,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<FileConfig, FileError> {
    let lines = fields::Lines::default();
    let (node, warnings) = node::parse(text, lookup)?;
    let fields = Fields::root(node, Rc::clone(&lines))?;
    let reader = Reader { settings, warnings: RefCell::new(warnings) };
    let mut config = reader.root(fields)?;
    config.warnings.extend(reader.warnings.into_inner());
    config.lines = lines.replace(BTreeMap::new());
    Ok(config)
}

impl Reader<'_> {
    fn root(&self, mut fields: Fields) -> Result<FileConfig, FileError> {
        let mut config = FileConfig { safety: self.settings.safety.clone(), ..FileConfig::default() };
        format(&mut fields, &mut config)?;
        // How much of the schema's unstable part the author accepts; each of its keys says so by itself.
        let _ = fields.text("stability")?;
        config.is_disabled = fields.boolean("disabled")?.unwrap_or(false);
        if let Some(level) = fields.optional("log_level") {
            config.own_level =
                Some(level.choice("a severity such as error, warn, info, debug, trace", level_of)?);
        }
        let general = GeneralLimits::read(fields.fields("attribute_limits")?)?;
        if let Some(resource) = fields.fields("resource")? {
            self.resource(resource, &mut config)?;
        }
        if let Some(propagator) = fields.fields("propagator")? {
            self.propagator(propagator, &mut config)?;
        }
        let traces = fields.fields("tracer_provider")?;
        self.tracer_provider(traces, general, &mut config)?;
        let logs = fields.fields("logger_provider")?;
        self.logger_provider(logs, general, &mut config)?;
        if let Some(metrics) = fields.fields("meter_provider")? {
            self.meter_provider(metrics, &mut config)?;
        }
        if let Some(instrumentation) = fields.fields("instrumentation")? {
            instrumentation::read(instrumentation, &mut config)?;
        }
        if let Some(distribution) = fields.fields("distribution")? {
            distribution::read(distribution, &mut config)?;
        }
        fields.end()?;
        Ok(config)
    }
}

/// "file_format": 1 and what comes after it without breaking it.
fn format(fields: &mut Fields, config: &mut FileConfig) -> Result<(), FileError> {
    /// The version of the schema that this was written for.
    const MINOR: u32 = 2;
    let value = fields.required_as("file_format", ", as in file_format: \"1.0\"")?;
    let text = value.text()?;
    // "1.0-rc.2"
    let version = text.split('-').next().unwrap_or_default();
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    match (major, minor.parse::<u32>()) {
        ("1", Ok(minor)) => {
            if minor > MINOR {
                config.warnings.push(format!(
                    "file_format is {text}, newer than the 1.{MINOR} that this version of otel-init knows; it is read as far as \
                     it is known: write 1.{MINOR}, or take a later otel-init"
                ));
            }
            Ok(())
        }
        _ => Err(value.expected(&format!("1.0 to 1.{MINOR}"))),
    }
}
