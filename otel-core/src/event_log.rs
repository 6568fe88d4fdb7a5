//! Log records with a name.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, InstrumentationScope, Key};

use crate::ErrorType;

/// Writes events of one instrumentation: log records with a name, in the context of a span. A logger without its types.
///
/// The API knows no global provider of loggers, so that an instrumentation has events only if it was given one.
///
/// ```
/// use opentelemetry::logs::{LoggerProvider, Severity};
/// use opentelemetry::{Context, InstrumentationScope};
/// use otel_core::{ErrorType, EventLog};
///
/// fn events<P>(provider: &P) -> EventLog
/// where
///     P: LoggerProvider,
///     P::Logger: Send + Sync + 'static,
/// {
///     EventLog::new(provider, InstrumentationScope::builder("my-client").build())
/// }
/// # let provider = opentelemetry::logs::NoopLoggerProvider::new();
/// let events = events(&provider);
/// events.exception("my.client.call.exception", Severity::Warn, &ErrorType::TIMEOUT, &Context::current());
/// ```
#[derive(Clone)]
pub struct EventLog {
    emit: Arc<Emit>,
}

type Emit = dyn Fn(&'static str, Severity, &Context, Vec<(Key, AnyValue)>) + Send + Sync;

impl EventLog {
    /// Events by this provider, of this scope.
    pub fn new<P>(provider: &P, scope: InstrumentationScope) -> Self
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        let target = scope.name().to_owned();
        let logger = provider.logger_with_scope(scope);
        Self {
            emit: Arc::new(move |name, severity, context, attributes| {
                if logger.event_enabled(severity, &target, Some(name)) {
                    emit(&logger, name, severity, context, attributes);
                }
            }),
        }
    }

    /// Writes an event that belongs to the span in `context`; none where telemetry is suppressed.
    pub fn emit(
        &self,
        name: &'static str,
        severity: Severity,
        context: &Context,
        attributes: Vec<(Key, AnyValue)>,
    ) {
        if !context.is_telemetry_suppressed() {
            (self.emit)(name, severity, context, attributes);
        }
    }

    /// Writes an event about the error that ended the operation in `context`: its type as `exception.type`, and not its
    /// text, which may hold a secret.
    ///
    /// <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/>
    pub fn exception(
        &self,
        name: &'static str,
        severity: Severity,
        error_type: &ErrorType,
        context: &Context,
    ) {
        let kind = AnyValue::from(error_type.as_str().to_owned());
        self.emit(name, severity, context, vec![(Key::from_static_str("exception.type"), kind)]);
    }
}

fn emit(
    logger: &impl Logger,
    name: &'static str,
    severity: Severity,
    context: &Context,
    attributes: Vec<(Key, AnyValue)>,
) {
    let mut record = logger.create_log_record();
    record.set_event_name(name);
    record.set_severity_number(severity);
    record.set_severity_text(severity.name());
    record.set_timestamp(SystemTime::now());
    record.add_attributes(attributes);
    let span = context.span();
    let of = span.span_context();
    if of.is_valid() {
        record.set_trace_context(of.trace_id(), of.span_id(), Some(of.trace_flags()));
    }
    logger.emit(record);
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").finish_non_exhaustive()
    }
}
