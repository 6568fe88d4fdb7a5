//! Instrumentation scopes as a test reads them.

use opentelemetry::InstrumentationScope;

use crate::Attributes;

/// The instrumentation scope: which library made the telemetry.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Scope {
    /// Name of the instrumentation, usually a crate name.
    pub name: String,
    /// Its version; empty if it gave none.
    pub version: String,
    /// Its schema URL; empty if it gave none.
    pub schema_url: String,
    /// Attributes of the scope itself.
    pub attributes: Attributes,
}

impl From<&InstrumentationScope> for Scope {
    fn from(scope: &InstrumentationScope) -> Self {
        Self {
            name: scope.name().to_owned(),
            version: scope.version().unwrap_or_default().to_owned(),
            schema_url: scope.schema_url().unwrap_or_default().to_owned(),
            attributes: scope.attributes().collect(),
        }
    }
}
