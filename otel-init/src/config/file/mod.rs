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
use tracing_subscriber::filter::LevelFilter;

pub(crate) use self::error::FileError;
use self::fields::Fields;
use self::providers::GeneralLimits;
#[cfg(test)]
pub(super) use self::tests::FULL;
use super::detection::Filter;
use super::{Config, Settings};
use crate::ConsoleLogs;
use crate::subscriber::level_of;

/// What the code said and, where that left it open or besides, what the file says.
#[derive(Debug)]
pub(crate) struct FileConfig {
    pub(crate) config: Config,
    pub(crate) own_level: Option<LevelFilter>,
    pub(crate) console_logs: Option<ConsoleLogs>,
    pub(crate) resource: Vec<(Key, Value)>,
    /// The line of each of them.
    pub(crate) resource_lines: BTreeMap<String, usize>,
    pub(crate) schema_url: Option<String>,
    /// Which attributes of the detectors stay.
    pub(crate) detected: Filter,
    pub(crate) debug_key: Option<String>,
    /// The line of each key that is there.
    pub(crate) lines: BTreeMap<String, usize>,
}

impl FileConfig {
    fn of_code(settings: &Settings) -> Self {
        Self {
            config: Config::of_code(settings),
            own_level: None,
            console_logs: None,
            resource: Vec::new(),
            resource_lines: BTreeMap::new(),
            schema_url: None,
            detected: Filter::default(),
            debug_key: None,
            lines: BTreeMap::new(),
        }
    }
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
    let mut file = reader.root(fields)?;
    file.config.warnings.extend(reader.warnings.into_inner());
    file.lines = lines.replace(BTreeMap::new());
    Ok(file)
}

impl Reader<'_> {
    fn root(&self, mut fields: Fields) -> Result<FileConfig, FileError> {
        let mut file = FileConfig::of_code(self.settings);
        format(&mut fields, &mut file.config)?;
        // How much of the schema's unstable part the author accepts; each of its keys says so by itself.
        let _ = fields.text("stability")?;
        file.config.is_disabled = fields.boolean("disabled")?.unwrap_or(false);
        if let Some(level) = fields.optional("log_level") {
            file.own_level =
                Some(level.choice("a severity such as error, warn, info, debug, trace", level_of)?);
        }
        let general = GeneralLimits::read(fields.fields("attribute_limits")?)?;
        if let Some(resource) = fields.fields("resource")? {
            self.resource(resource, &mut file)?;
        }
        if let Some(propagator) = fields.fields("propagator")? {
            self.propagator(propagator, &mut file.config)?;
        }
        let traces = fields.fields("tracer_provider")?;
        self.tracer_provider(traces, general, &mut file.config)?;
        let logs = fields.fields("logger_provider")?;
        self.logger_provider(logs, general, &mut file.config)?;
        if let Some(metrics) = fields.fields("meter_provider")? {
            self.meter_provider(metrics, &mut file.config)?;
        }
        if let Some(instrumentation) = fields.fields("instrumentation")? {
            instrumentation::read(instrumentation, &mut file.config)?;
        }
        if let Some(distribution) = fields.fields("distribution")? {
            distribution::read(distribution, &mut file)?;
        }
        fields.end()?;
        Ok(file)
    }
}

/// "file_format": 1 and what comes after it without breaking it.
fn format(fields: &mut Fields, config: &mut Config) -> Result<(), FileError> {
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
