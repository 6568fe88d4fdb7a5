//! Log records as a test reads them.

use std::time::SystemTime;

use opentelemetry::logs::Severity;
use opentelemetry::trace::{SpanId, TraceId};

use crate::{AttributeValue, Attributes, Scope};

/// One log record that a [`TestTelemetry`](crate::TestTelemetry) has seen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Log {
    /// The body; for an event of `tracing` its message.
    pub body: Option<AttributeValue>,
    /// The severity.
    pub severity: Option<Severity>,
    /// The severity as the source spells it, such as `INFO`.
    pub severity_text: Option<&'static str>,
    /// Attributes; for an event of `tracing` its fields.
    pub attributes: Attributes,
    /// The trace in which it was emitted.
    pub trace_id: Option<TraceId>,
    /// The span in which it was emitted.
    pub span_id: Option<SpanId>,
    /// The target of a `tracing` event: the module path unless the event names another. OTLP carries it as the name of
    /// the scope.
    pub target: String,
    /// The logger that emitted it.
    pub scope: Scope,
    /// The event name, if an event of `tracing` has one of its own (`info!(name: "order.placed", ..)`).
    pub event_name: Option<&'static str>,
    /// When it happened, if the source said so.
    pub timestamp: Option<SystemTime>,
}

impl Log {
    /// The body as text; empty when there is none, as displayed when it is not a text.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.body {
            Some(AttributeValue::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// The value of the attribute `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AttributeValue> {
        self.attributes.get(key)
    }

    /// Whether the attribute `key` has this value, of this type.
    #[must_use]
    pub fn has(&self, key: &str, value: impl Into<AttributeValue>) -> bool {
        self.attributes.has(key, value)
    }
}
