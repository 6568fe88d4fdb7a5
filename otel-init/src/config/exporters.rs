//! `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`, and the same names given in code.

use super::destination::NamedExporter;
use super::environment::{Environment, listed};
use crate::builder::Registry;
use crate::{InstallError, Signal};

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum ExporterName {
    Otlp,
    Console,
    OtlpStdout,
    /// Metrics alone: they wait to be fetched.
    Prometheus,
    Named(NamedExporter),
}

impl ExporterName {
    /// The names in the variable, several with commas, each once; `otlp` unless it says otherwise.
    pub(crate) fn resolve(signal: Signal, registry: &Registry, environment: &Environment<'_>) -> Vec<Self> {
        let variable = format!("OTEL_{}_EXPORTER", signal.as_str().to_uppercase());
        let Some(text) = environment.text(&variable) else {
            environment.instead(&variable, "otlp is used");
            return vec![Self::Otlp];
        };
        let (mut chosen, mut unknown, mut is_none) = (Vec::new(), Vec::new(), false);
        let names = distinct(text.split(','));
        if names.is_empty() {
            environment.names_nothing(&variable, "otlp");
        }
        for name in names {
            match Self::parse(signal, &name, registry) {
                Ok(Some(exporter)) => chosen.push((name, exporter)),
                Ok(None) => is_none = true,
                Err(expected) => unknown.push((name, expected)),
            }
        }
        if chosen.is_empty() && !is_none {
            environment.refuse(&variable);
            chosen.push(("otlp".to_owned(), Self::Otlp));
        }
        let used = listed(chosen.iter().map(|(name, _)| name.as_str()));
        for (name, expected) in unknown {
            environment.misnamed(&variable, &name, expected, format!("{used} is used"));
        }
        chosen.into_iter().map(|(_, exporter)| exporter).collect()
    }

    /// The names that the code chose: there a wrong one is an error.
    pub(crate) fn parse_all(
        signal: Signal,
        names: &[String],
        registry: &Registry,
    ) -> Result<Vec<Self>, InstallError> {
        let parsed: Result<Vec<Option<Self>>, InstallError> = distinct(names.iter().map(String::as_str))
            .into_iter()
            .map(|name| {
                Self::parse(signal, &name, registry).map_err(|expected| {
                    InstallError::invalid("the exporter", name, format!("expected {expected}"))
                })
            })
            .collect();
        Ok(parsed?.into_iter().flatten().collect())
    }

    /// `None` for `none`; what is expected if nobody knows the name.
    fn parse(signal: Signal, name: &str, registry: &Registry) -> Result<Option<Self>, &'static str> {
        if let Some(named) = registry.exporter(signal, name) {
            return Ok(Some(Self::Named(named)));
        }
        match name {
            "otlp" => Ok(Some(Self::Otlp)),
            // The second name is the one of older texts.
            "console" | "logging" => Ok(Some(Self::Console)),
            "otlp/stdout" => Ok(Some(Self::OtlpStdout)),
            "none" => Ok(None),
            "prometheus" if signal == Signal::Metrics && cfg!(feature = "prometheus") => {
                Ok(Some(Self::Prometheus))
            }
            "jaeger" | "zipkin" => Err("otlp, which a collector converts, and Jaeger takes itself"),
            "prometheus" if signal == Signal::Metrics => {
                Err("otlp, which Prometheus takes, or otel-init with its feature `prometheus`")
            }
            _ => Err("otlp, otlp/stdout, console or none"),
        }
    }
}

/// In lower case, without blanks, each once.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()) {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}
