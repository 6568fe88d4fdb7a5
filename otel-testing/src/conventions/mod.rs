//! Whether telemetry follows the semantic conventions.

mod checker;
mod metric;
mod registry;
mod span_group;
mod violation;

use std::collections::BTreeSet;

use checker::Checker;

pub use violation::{Violation, ViolationKind};

use crate::AssertTelemetry;

/// What the crates of this family emit beside the conventions is in these namespaces.
const FAMILY: [&str; 3] = ["otel_db", "otel_genai", "otel_http"];

/// The rules that telemetry is checked against: the OpenTelemetry semantic conventions (core 1.45.0; GenAI and MCP 1.41.1
/// and later additions), what the crates of this family have beside them (`otel_http`, `otel_db`, `otel_genai`), and what a
/// project allows.
///
/// Looked at: attributes of spans, events, links, metric points, log records, scopes and resources; kinds of spans; names,
/// instruments, units and required attributes of metrics; required attributes of spans and events. Not looked at: whether
/// a conditionally required attribute should be there, and attributes of log records outside of the namespaces that the
/// conventions know, which are the application's own.
///
/// ```
/// use opentelemetry::trace::{Span, SpanKind, Tracer, TracerProvider};
/// use opentelemetry::KeyValue;
/// use otel_testing::{Conventions, TestTelemetry, ViolationKind};
///
/// let telemetry = TestTelemetry::new();
/// let tracer = telemetry.tracer_provider().tracer("shop");
/// let mut span = tracer.start("checkout");
/// span.set_attribute(KeyValue::new("http.status_code", 200));
/// span.set_attribute(KeyValue::new("shop.tier", "gold"));
/// span.end();
///
/// let violations = Conventions::new().allow("shop").check(&telemetry);
/// assert_eq!(violations[0].kind, ViolationKind::DeprecatedAttribute);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Conventions {
    allowed: BTreeSet<String>,
    open_values: BTreeSet<String>,
}

impl Conventions {
    /// The conventions, and nothing of one's own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows attributes, metrics and events of this name, and all in the namespace of this name: `shop` allows `shop`
    /// and `shop.orders`, not `shopping`.
    #[must_use]
    pub fn allow(mut self, name: impl Into<String>) -> Self {
        self.allowed.insert(name.into());
        self
    }

    /// Allows values of an enumeration that the conventions do not list. Most enumerations are open to values of one's own
    /// where none of the listed ones fits; that this is so is for a person to say. `error.type` is open anyway.
    #[must_use]
    pub fn allow_any_value_of(mut self, attribute: impl Into<String>) -> Self {
        self.open_values.insert(attribute.into());
        self
    }

    /// Everything that is against the conventions, each once.
    #[must_use]
    pub fn check(&self, telemetry: &impl AssertTelemetry) -> Vec<Violation> {
        let mut checker = Checker::new(self);
        checker.check(&telemetry.captured());
        checker.into_violations()
    }

    fn allows(&self, name: &str) -> bool {
        // Each dot ends a namespace.
        let ends = name.match_indices('.').map(|(dot, _)| dot).chain([name.len()]);
        ends.into_iter().any(|end| FAMILY.contains(&&name[..end]) || self.allowed.contains(&name[..end]))
    }

    fn is_open(&self, attribute: &str) -> bool {
        attribute == "error.type" || self.open_values.contains(attribute)
    }
}
