//! `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`, and the same names given in code.

use super::destination::NamedExporter;
use super::environment::Environment;
use super::list::{List, distinct};
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
        let parse = |name: &str| Self::parse(signal, name, registry)?.ok_or("");
        let mut list = List::read(&variable, environment, parse);
        let chosen = list.known.take().unwrap_or_else(|| vec![("otlp".to_owned(), Self::Otlp)]);
        let (names, exporters): (Vec<_>, _) = chosen.into_iter().unzip();
        list.tell(&names);
        exporters
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
