//! `OTEL_PROPAGATORS`.

use opentelemetry::propagation::TextMapCompositePropagator;
use otel_core::propagation::PropagatorRegistry;

use super::environment::Environment;
use super::list::List;

const NAME: &str = "OTEL_PROPAGATORS";
const DEFAULT: [&str; 2] = ["tracecontext", "baggage"];

/// How context is carried across processes: names, and what they mean.
#[derive(Debug, Clone)]
pub(crate) struct PropagatorConfig {
    pub(crate) names: Vec<String>,
    registry: PropagatorRegistry,
}

impl PropagatorConfig {
    /// The known names of the variable, each once. `tracecontext,baggage` unless the environment says otherwise.
    pub(crate) fn resolve(registry: &PropagatorRegistry, environment: &Environment<'_>) -> Self {
        let expected = format!("{} or none", registry.names().collect::<Vec<_>>().join(", "));
        let is_known = |name: &str| registry.names().any(|known| known == name);
        let parse = |name: &str| is_known(name).then_some(()).ok_or_else(|| expected.clone());
        let mut list = List::read(NAME, environment, parse);
        let known = list.known.take().map(|known| known.into_iter().map(|(name, ())| name).collect());
        let names: Vec<_> = known.unwrap_or_else(|| DEFAULT.map(str::to_owned).to_vec());
        list.tell(&names);
        Self { names, registry: registry.clone() }
    }

    /// These, which the registry knows.
    pub(crate) fn named(names: Vec<String>, registry: &PropagatorRegistry) -> Self {
        Self { names, registry: registry.clone() }
    }

    pub(crate) fn reads_only_w3c(&self) -> bool {
        self.registry.reads_only_w3c(self.names.iter().map(String::as_str))
    }

    pub(crate) fn compose(&self) -> TextMapCompositePropagator {
        self.registry.compose(self.names.iter().map(String::as_str)).0
    }
}
