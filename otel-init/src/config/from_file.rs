//! A configuration file in place of the environment.

use std::io::Read;

use super::destination::Destinations;
use super::environment::Environment;
use super::file::{self, FileConfig, FileError};
use super::origins::OriginFile;
use super::sampler::SamplerConfig;
use super::subscriber::console_filter;
use super::{
    Config, ExporterConfig, LONGEST_WAIT, Origins, Settings, SubscriberConfig, otlp, proxy, resource,
};
use crate::error::{InstallErrorKind, NOT_SHOWN};
use crate::{InstallError, SettingSource, Signal};

/// The variables that name the file; the second is the one of older texts.
pub(super) const VARIABLES: [&str; 2] = ["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"];

/// A configuration is no longer than this.
const LARGEST: u64 = 1 << 20;

/// The file that is named, if there is one: in code, or by a variable.
pub(super) fn path(settings: &Settings, environment: &Environment<'_>) -> Option<(String, SettingSource)> {
    if let Some(path) = &settings.config_file {
        return Some((path.clone(), SettingSource::Code));
    }
    let mut named = VARIABLES
        .iter()
        .filter_map(|name| Some((environment.text(name)?, SettingSource::Variable((*name).to_owned()))));
    let named = named.next();
    VARIABLES.iter().for_each(|name| environment.instead(name, "no file is read, the other variables hold"));
    named
}

impl Config {
    /// "When OTEL_CONFIG_FILE is set, all other environment variables besides those referenced in the configuration file
    /// for environment variable substitution MUST be ignored." Code wins over the file.
    pub(super) fn from_file(
        (path, source): (String, SettingSource),
        settings: &Settings,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, InstallError> {
        if path.contains('\n') || path.starts_with('{') {
            let reason = "expected the path of a file, found what is to be in it".to_owned();
            return Err(InstallError::invalid("the configuration file", NOT_SHOWN.to_owned(), reason));
        }
        let failed = |error| InstallErrorKind::File { path: path.clone(), error };
        let text = read(&path, &source).map_err(failed)?;
        let mut file = file::read(&text, settings, lookup).map_err(failed)?;
        // The file names its variables, and detectors look at those of the platform: none of OpenTelemetry's.
        let foreign =
            |name: &str| lookup(name).filter(|_| !name.starts_with("OTEL_") || name == "OTEL_SERVICE_NAME");
        let environment = Environment::new(&foreign);
        file.config.warnings.drain(..).for_each(|warning| environment.warn(format!("{path}: {warning}")));
        exporters_of_code(&mut file.config.destinations, settings)?;
        proxy::note(&mut file.config.destinations, lookup);
        otlp::note_endpoints(&file.config.destinations, &environment, |signal| {
            format!("{path}: the endpoint of {signal}")
        });
        let subscriber = (!settings.without_tracing_subscriber).then(|| SubscriberConfig {
            console: settings.console_logs.or(file.console_logs).unwrap_or_default(),
            console_on_stdout: settings.console_on_stdout,
            console_filter: console_filter(&environment),
            own_level: file.own_level,
        });
        let resource = resource::of_file(&file, settings, &environment);
        let FileConfig { config, debug_key, lines, resource_lines: attributes, .. } = file;
        let said = OriginFile { path, source, lines, attributes };
        let sampling = settings.sampling.clone().unwrap_or(config.sampler.sampling);
        let timeout = settings.shutdown_timeout.unwrap_or(config.shutdown_timeout);
        Ok(Self {
            resource,
            sampler: SamplerConfig { sampling, ..config.sampler }.with_debug_key(debug_key),
            shutdown_timeout: timeout.min(LONGEST_WAIT),
            subscriber,
            origins: Origins::of_file(settings, environment.used(), said),
            warnings: environment.into_warnings(),
            ..config
        })
    }
}

fn read(path: &str, named_by: &SettingSource) -> Result<String, FileError> {
    let unreadable = |reason: String| FileError { line: 0, key: String::new(), reason };
    let named_by = match named_by {
        SettingSource::Variable(name) => name,
        _ => "`with_config_file`",
    };
    let failed = |error| {
        unreadable(format!("cannot be read: {error}; let this service read it, or correct {named_by}"))
    };
    let mut bytes = Vec::new();
    // What is no file has no size, and may have no end.
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(format!("it has more than {LARGEST} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = good.filter(|byte| **byte == b'\n').count() + 1;
        FileError { line, key: String::new(), reason: "this is not UTF-8".to_owned() }
    })
}

/// What the code says about the way out wins over the file.
fn exporters_of_code(destinations: &mut Destinations, settings: &Settings) -> Result<(), InstallError> {
    // Exporters by name, and destinations that are added, as without a file and without variables.
    let nothing = |_: &str| None;
    let environment = Environment::new(&nothing);
    let of_code = Destinations::resolve(settings, &environment)?;
    let added = Destinations::added(settings)?;
    for signal in Signal::ALL {
        let replaces = settings.exporters.contains_key(&signal);
        destinations.take_from(if replaces { &of_code } else { &added }, signal, replaces);
    }
    let (mut seen, protocol) = (Vec::new(), settings.protocol);
    for exporter in destinations.exporters_mut() {
        let ExporterConfig::Otlp(otlp) = exporter else { continue };
        // The first of each signal is what the code speaks of.
        if seen.contains(&otlp.signal) || settings.exporters.contains_key(&otlp.signal) {
            continue;
        }
        seen.push(otlp.signal);
        let changed = protocol.filter(|protocol| *protocol != otlp.protocol);
        otlp.protocol = protocol.unwrap_or(otlp.protocol);
        if let Some(base) = &settings.endpoint {
            otlp.endpoint = super::Endpoint::from_base(base, otlp.signal, otlp.protocol, false)
                .map_err(|reason| InstallError::endpoint("the endpoint", base, reason))?;
        } else if changed.is_some() {
            otlp.endpoint = super::Endpoint::default_for(otlp.signal, otlp.protocol);
        }
    }
    for metrics in &mut destinations.metrics {
        metrics.interval = settings.metric_export_interval.unwrap_or(metrics.interval);
        metrics.temporality = settings.temporality.unwrap_or(metrics.temporality);
    }
    Ok(())
}
