//! What the console shows and what is exported of `tracing`.

use tracing_subscriber::filter::LevelFilter;

use super::Settings;
use super::environment::Environment;
use crate::ConsoleLogs;
use crate::subscriber::Levels;

/// The `tracing` subscriber to set.
#[derive(Debug)]
pub(crate) struct SubscriberConfig {
    pub(crate) console: ConsoleLogs,
    pub(crate) console_on_stdout: bool,
    /// `RUST_LOG`.
    pub(crate) console_filter: Option<String>,
    /// `OTEL_LOG_LEVEL`: of what this crate and the SDK say.
    pub(crate) own_level: Option<LevelFilter>,
}

impl SubscriberConfig {
    pub(super) fn resolve(settings: &Settings, environment: &Environment<'_>) -> Option<Self> {
        (!settings.without_tracing_subscriber).then(|| Self {
            console: settings.console_logs.or_else(|| console_logs(environment)).unwrap_or_default(),
            console_on_stdout: settings.console_on_stdout,
            console_filter: console_filter(environment),
            own_level: own_level(environment),
        })
    }
}

fn console_logs(environment: &Environment<'_>) -> Option<ConsoleLogs> {
    let (names, expected) = (["OTEL_INIT_CONSOLE_LOGS"], "compact, pretty, json, logfmt or off");
    environment.choice(&names, expected, "compact", ConsoleLogs::named)
}

pub(super) fn console_filter(environment: &Environment<'_>) -> Option<String> {
    let filter = environment.text("RUST_LOG");
    environment.instead("RUST_LOG", "the console shows info and above");
    filter
}

pub(super) fn telemetry_levels(environment: &Environment<'_>) -> Levels {
    let expected =
        "a level (off, error, warn, info, debug or trace), and target=level for some targets, with commas";
    environment
        .parsed(&["OTEL_INIT_TELEMETRY_LEVEL"], expected, "info", |text| text.parse().ok())
        .unwrap_or_default()
}

fn own_level(environment: &Environment<'_>) -> Option<LevelFilter> {
    let default = "info for this crate and warn for the SDK";
    environment.choice(&["OTEL_LOG_LEVEL"], "none, error, warn, info, debug or all", default, |value| {
        match value {
            "none" | "off" => Some(LevelFilter::OFF),
            "error" | "fatal" => Some(LevelFilter::ERROR),
            "warn" | "warning" => Some(LevelFilter::WARN),
            "info" => Some(LevelFilter::INFO),
            "debug" => Some(LevelFilter::DEBUG),
            "trace" | "verbose" | "all" => Some(LevelFilter::TRACE),
            _ => None,
        }
    })
}
