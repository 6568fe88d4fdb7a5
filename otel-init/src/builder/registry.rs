//! What the user added by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use opentelemetry::KeyValue;

use crate::Signal;
use crate::config::{Factory, NamedExporter};
use crate::export::{AnyLogExporter, AnyMetricExporter, AnySpanExporter};
use crate::panics::{Panicked, caught};
use crate::sampling::Sampling;

pub(crate) type SpanExporterFactory = Arc<dyn Fn() -> Box<dyn AnySpanExporter> + Send + Sync>;
pub(crate) type MetricExporterFactory = Arc<dyn Fn() -> Box<dyn AnyMetricExporter> + Send + Sync>;
pub(crate) type LogExporterFactory = Arc<dyn Fn() -> Box<dyn AnyLogExporter> + Send + Sync>;
pub(crate) type SamplerFactory = Arc<dyn Fn(Option<&str>) -> Sampling + Send + Sync>;
pub(crate) type DetectorFunction = Arc<dyn Fn() -> Vec<KeyValue> + Send + Sync>;

/// Exporters, samplers and resource detectors by name. Names have no case.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    exporters: BTreeMap<(Signal, String), Factory>,
    samplers: BTreeMap<String, SamplerFactory>,
    pub(crate) detectors: BTreeMap<String, DetectorFunction>,
}

impl Registry {
    pub(crate) fn add_exporter(&mut self, signal: Signal, name: &str, factory: Factory) {
        self.exporters.insert((signal, name.to_ascii_lowercase()), factory);
    }

    pub(crate) fn exporter(&self, signal: Signal, name: &str) -> Option<NamedExporter> {
        let name = name.to_ascii_lowercase();
        let factory = self.exporters.get(&(signal, name.clone()))?.clone();
        Some(NamedExporter { name, factory })
    }

    pub(crate) fn add_sampler(&mut self, name: &str, factory: SamplerFactory) {
        self.samplers.insert(name.to_ascii_lowercase(), factory);
    }

    /// The sampler that was added with this name, if one was and its function does not panic.
    pub(crate) fn sampler(&self, name: &str, argument: Option<&str>) -> Option<Result<Sampling, Panicked>> {
        let make = self.samplers.get(&name.to_ascii_lowercase())?;
        Some(caught(|| make(argument)))
    }

    pub(crate) fn has_sampler(&self, name: &str) -> bool {
        self.samplers.contains_key(&name.to_ascii_lowercase())
    }

    pub(crate) fn sampler_names(&self) -> impl Iterator<Item = &str> {
        self.samplers.keys().map(String::as_str)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.exporters.keys().map(|(signal, name)| format!("{signal}: {name}"));
        let others = self.samplers.keys().chain(self.detectors.keys());
        formatter.debug_list().entries(names).entries(others).finish()
    }
}
