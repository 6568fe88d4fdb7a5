//! Exceptions as log events, when asked for.
//!
//! <https://opentelemetry.io/docs/specs/semconv/http/http-exceptions/>

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::Context;
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::TraceContextExt;
use otel_core::ErrorType;

use crate::scope;

/// Writes an event about an error, in the context of the span that it ended.
pub(crate) type ExceptionLog = Arc<dyn Fn(&ErrorType, &Context) + Send + Sync>;

/// Which event it is, and how bad.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) severity_text: &'static str,
}

/// Nobody else handles what a server could not.
pub(crate) const SERVER: Event =
    Event { name: "http.server.request.exception", severity: Severity::Error, severity_text: "ERROR" };

/// The caller of a client is expected to handle it.
pub(crate) const CLIENT: Event =
    Event { name: "http.client.request.exception", severity: Severity::Warn, severity_text: "WARN" };

/// Events by this provider. They carry the error's type and not its text, which may hold a secret.
pub(crate) fn exception_log<P>(provider: &P, event: Event) -> ExceptionLog
where
    P: LoggerProvider,
    P::Logger: Send + Sync + 'static,
{
    let logger = provider.logger_with_scope(scope());
    Arc::new(move |error_type, context| {
        if context.is_telemetry_suppressed()
            || !logger.event_enabled(event.severity, env!("CARGO_PKG_NAME"), Some(event.name))
        {
            return;
        }
        let mut record = logger.create_log_record();
        record.set_event_name(event.name);
        record.set_severity_number(event.severity);
        record.set_severity_text(event.severity_text);
        record.set_timestamp(SystemTime::now());
        record.add_attribute("exception.type", error_type.as_str().to_owned());
        let span = context.span();
        let span_context = span.span_context();
        if span_context.is_valid() {
            let flags = Some(span_context.trace_flags());
            record.set_trace_context(span_context.trace_id(), span_context.span_id(), flags);
        }
        logger.emit(record);
    })
}
