//! Events: log records with a name.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, InstrumentationScope, Key, Value};

/// Emits events. The API has no global provider of loggers, so there is none unless one was given.
pub(crate) type Events = Arc<dyn Emit>;

pub(crate) type EventAttributes = Vec<(Key, AnyValue)>;

/// A logger without its types.
pub(crate) trait Emit: Send + Sync {
    /// Emits an event that belongs to the span in `context`.
    fn emit(&self, name: &'static str, severity: Severity, context: &Context, attributes: EventAttributes);
}

/// Makes the events of a scope; kept until the scope is known.
pub(crate) type MakeEvents = Arc<dyn Fn(InstrumentationScope) -> Events + Send + Sync>;

pub(crate) fn make_events<P>(provider: P) -> MakeEvents
where
    P: LoggerProvider + Send + Sync + 'static,
    P::Logger: Send + Sync + 'static,
{
    Arc::new(move |scope| Arc::new(Emitter(provider.logger_with_scope(scope))))
}

/// The values of attributes are values of events.
pub(crate) fn any_value(value: Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::Boolean(value),
        Value::I64(value) => AnyValue::Int(value),
        Value::F64(value) => AnyValue::Double(value),
        Value::String(value) => AnyValue::String(value),
        Value::Array(opentelemetry::Array::Bool(values)) => values.into_iter().collect(),
        Value::Array(opentelemetry::Array::I64(values)) => values.into_iter().collect(),
        Value::Array(opentelemetry::Array::F64(values)) => values.into_iter().collect(),
        Value::Array(opentelemetry::Array::String(values)) => values.into_iter().collect(),
        // Both enumerations may grow.
        other => AnyValue::String(other.to_string().into()),
    }
}

struct Emitter<L>(L);

impl<L: Logger + Send + Sync> Emit for Emitter<L> {
    fn emit(&self, name: &'static str, severity: Severity, context: &Context, attributes: EventAttributes) {
        if context.is_telemetry_suppressed() || !self.0.event_enabled(severity, "", Some(name)) {
            return;
        }
        let mut record = self.0.create_log_record();
        record.set_event_name(name);
        record.set_severity_number(severity);
        record.set_timestamp(SystemTime::now());
        record.add_attributes(attributes);
        let span = context.span();
        let of = span.span_context();
        if of.is_valid() {
            record.set_trace_context(of.trace_id(), of.span_id(), Some(of.trace_flags()));
        }
        self.0.emit(record);
    }
}
