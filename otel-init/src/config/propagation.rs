//! `OTEL_PROPAGATORS`.

use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use super::environment::Environment;

const NAME: &str = "OTEL_PROPAGATORS";

/// A way to carry context across processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PropagatorConfig {
    TraceContext,
    Baggage,
}

impl PropagatorConfig {
    /// The configured propagators, each once. `tracecontext,baggage` unless the environment says otherwise.
    pub(crate) fn resolve(environment: &Environment<'_>) -> Vec<Self> {
        let Some(names) = environment.text(NAME) else {
            return vec![Self::TraceContext, Self::Baggage];
        };
        let mut propagators = Vec::new();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let propagator = match name.to_ascii_lowercase().as_str() {
                "tracecontext" => Self::TraceContext,
                "baggage" => Self::Baggage,
                "none" => return Vec::new(),
                _ => {
                    environment.warn(format!(
                        "{NAME} names {name:?}, which is not supported; supported are tracecontext, baggage and none"
                    ));
                    continue;
                }
            };
            // "Values MUST be deduplicated in order to register a `Propagator` only once."
            if !propagators.contains(&propagator) {
                propagators.push(propagator);
            }
        }
        propagators
    }

    pub(crate) fn compose(propagators: &[Self]) -> TextMapCompositePropagator {
        let boxed = propagators
            .iter()
            .map(|propagator| match propagator {
                Self::TraceContext => Box::new(TraceContextPropagator::new()) as _,
                Self::Baggage => {
                    Box::new(BaggagePropagator::new()) as Box<dyn TextMapPropagator + Send + Sync>
                }
            })
            .collect();
        TextMapCompositePropagator::new(boxed)
    }
}
