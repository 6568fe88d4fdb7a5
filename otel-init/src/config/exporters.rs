//! `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`.

use super::environment::Environment;
use crate::Signal;

/// Which exporters a signal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExporterNames {
    pub(crate) otlp: bool,
    pub(crate) console: bool,
}

impl ExporterNames {
    const NONE: Self = Self { otlp: false, console: false };

    /// The names in the variable, several with commas; `otlp` unless it says otherwise.
    pub(crate) fn resolve(signal: Signal, environment: &Environment<'_>) -> Self {
        let default = Self { otlp: true, ..Self::NONE };
        let name = format!("OTEL_{}_EXPORTER", signal.as_str().to_uppercase());
        let Some(text) = environment.text(&name) else {
            return default;
        };
        let (mut chosen, mut is_any_known) = (Self::NONE, false);
        for exporter in text.split(',').map(str::trim).filter(|exporter| !exporter.is_empty()) {
            match exporter.to_ascii_lowercase().as_str() {
                "otlp" => chosen.otlp = true,
                // The second name is the one of older texts.
                "console" | "logging" => chosen.console = true,
                "none" => {}
                other => {
                    environment.warn(format!("{name} is {other:?}: {}", instead(other)));
                    continue;
                }
            }
            is_any_known = true;
        }
        if is_any_known { chosen } else { default }
    }
}

fn instead(exporter: &str) -> &'static str {
    match exporter {
        "jaeger" | "zipkin" => "write otlp, and let the collector convert; Jaeger takes OTLP itself",
        "prometheus" => "write otlp, which Prometheus takes, or let the collector be scraped",
        _ => "expected otlp, console or none; it is ignored",
    }
}
