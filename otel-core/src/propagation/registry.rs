//! Propagators by name.

use std::fmt;
use std::sync::Arc;

use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};

use super::{
    B3Propagator, BaggagePropagator, JaegerPropagator, OtTracePropagator, TraceContextPropagator,
    XRayPropagator,
};

/// A propagator of any kind.
pub type BoxedPropagator = Box<dyn TextMapPropagator + Send + Sync>;

/// Propagators by the names of `OTEL_PROPAGATORS`.
///
/// | name | propagator |
/// |---|---|
/// | `tracecontext` | [`TraceContextPropagator`] |
/// | `baggage` | [`BaggagePropagator`] |
/// | `b3` | [`B3Propagator::single`] |
/// | `b3multi` | [`B3Propagator::multi`] |
/// | `jaeger` | [`JaegerPropagator`] |
/// | `xray` | [`XRayPropagator`] |
/// | `ottrace` | [`OtTracePropagator`] |
/// | `none` | nothing |
///
/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration>
///
/// ```
/// use opentelemetry::propagation::TextMapPropagator;
/// use otel_core::propagation::{PropagatorRegistry, TraceContextPropagator};
///
/// let registry = PropagatorRegistry::new()
///     .with("house", || Box::new(TraceContextPropagator::new().with_random_ids(false)));
/// let (propagator, unknown) = registry.compose("house, baggage, zipkin".split(','));
/// assert_eq!(propagator.fields().count(), 3);
/// assert_eq!(unknown, ["zipkin"]);
/// ```
#[derive(Clone)]
pub struct PropagatorRegistry {
    entries: Vec<(String, Arc<Make>)>,
    /// The names of those above that were put in the place of one of this crate.
    replaced: Vec<String>,
}

type Make = dyn Fn() -> BoxedPropagator + Send + Sync;

/// Adds nothing to a composition.
const NONE: &str = "none";

impl PropagatorRegistry {
    /// The registry of the names in the table above.
    #[must_use]
    pub fn new() -> Self {
        Self { entries: Vec::new(), replaced: Vec::new() }
            .with("tracecontext", || Box::new(TraceContextPropagator::new()))
            .with("baggage", || Box::new(BaggagePropagator::new()))
            .with("b3", || Box::new(B3Propagator::single()))
            .with("b3multi", || Box::new(B3Propagator::multi()))
            .with("jaeger", || Box::new(JaegerPropagator::new()))
            .with("xray", || Box::new(XRayPropagator::new()))
            .with("ottrace", || Box::new(OtTracePropagator::new()))
    }

    /// Adds a propagator, in place of one that has the name already. Names have no case.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> BoxedPropagator + Send + Sync + 'static,
    ) -> Self {
        let name = name.into().to_ascii_lowercase();
        if let Some(known) = self.entries.iter().position(|(known, _)| *known == name) {
            self.entries.remove(known);
            self.replaced.push(name.clone());
        }
        self.entries.push((name, Arc::new(make)));
        self
    }

    /// The names known here, in the order they were added, without `none`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the propagators of these names are W3C's of this crate, as nearly everywhere: they read no headers but
    /// `traceparent`, `tracestate` and `baggage`.
    pub fn reads_only_w3c<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        names.into_iter().map(|name| name.trim().to_ascii_lowercase()).all(|name| {
            let is_w3c = ["", NONE, "tracecontext", "baggage"].contains(&name.as_str());
            is_w3c && !self.replaced.contains(&name)
        })
    }

    /// A propagator by its name; `None` for a name that is not known, and for `none`.
    #[must_use]
    pub fn make(&self, name: &str) -> Option<BoxedPropagator> {
        let (_, make) = self.entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()))?;
        Some(make())
    }

    /// The propagators of these names as one, and the names that are not known.
    ///
    /// They inject and extract in the order of their names; of two that find a parent, the later one counts. A name that
    /// comes again counts once, an empty one not at all, and `none` adds nothing.
    #[must_use]
    pub fn compose<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> (TextMapCompositePropagator, Vec<String>) {
        let (mut seen, mut propagators, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() || name == NONE || seen.contains(&name) {
                continue;
            }
            match self.make(&name) {
                Some(propagator) => propagators.push(propagator),
                None => unknown.push(name.clone()),
            }
            seen.push(name);
        }
        (TextMapCompositePropagator::new(propagators), unknown)
    }
}

impl Default for PropagatorRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PropagatorRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w3c_is_known_by_its_names_unless_somebody_took_them() {
        let registry = PropagatorRegistry::new();
        for (names, expected) in [
            (&["tracecontext", "Baggage"][..], true),
            (&[" none"], true),
            (&[], true),
            (&["tracecontext", "b3"], false),
            (&["house"], false),
        ] {
            assert_eq!(registry.reads_only_w3c(names.iter().copied()), expected, "{names:?}");
        }
        let replaced = registry.with("BAGGAGE", || Box::new(B3Propagator::single()));
        assert!(replaced.reads_only_w3c(["tracecontext"]) && !replaced.reads_only_w3c(["baggage"]));
    }
}
