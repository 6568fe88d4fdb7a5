//! `OTEL_PROPAGATORS`.

use opentelemetry::propagation::TextMapCompositePropagator;
use otel_core::propagation::PropagatorRegistry;

use super::environment::{Environment, listed};

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
        let text = environment.text(NAME).map(|text| text.to_ascii_lowercase());
        let names: Vec<&str> = match &text {
            Some(text) => text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
            None => DEFAULT.to_vec(),
        };
        environment.instead(NAME, format!("{} is used", listed(DEFAULT.into_iter())));
        let is_empty = names.is_empty();
        let (mut known, mut unknown, mut is_none): (Vec<String>, _, _) = (Vec::new(), Vec::new(), false);
        for name in names {
            if registry.names().any(|other| other == name) {
                // "Values MUST be deduplicated in order to register a `Propagator` only once."
                if !known.iter().any(|other| other == name) {
                    known.push(name.to_owned());
                }
            } else if name == "none" {
                is_none = true;
            } else {
                unknown.push(name);
            }
        }
        if known.is_empty() && !is_none {
            environment.refuse(NAME);
            known = DEFAULT.map(str::to_owned).to_vec();
        }
        if is_empty {
            environment.names_nothing(NAME, &listed(DEFAULT.into_iter()));
        }
        let expected = format!("{} or none", registry.names().collect::<Vec<_>>().join(", "));
        for name in unknown {
            let used = listed(known.iter().map(String::as_str));
            environment.misnamed(NAME, name, &expected, format!("{used} is used"));
        }
        Self { names: known, registry: registry.clone() }
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
