//! Spans that are open, as log records: what every collector takes, and what leaves the span itself to be sent once.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::SpanId;
use opentelemetry::{Context, Key, Value};
use opentelemetry_sdk::logs::SdkLoggerProvider;

use super::span::OpenSpan;

const EVENT: &str = "otel_init.span.open";

/// It has been open for long.
pub(super) fn open(loggers: &SdkLoggerProvider, span: &OpenSpan) {
    let text = format!("{} has been open for {:.0?}", span.name, span.age);
    write(loggers, span, Severity::Info, text);
}

/// It will not be sent.
pub(super) fn lost(loggers: &SdkLoggerProvider, span: &OpenSpan) {
    let text =
        format!("{} was open for {:.0?} when the telemetry was shut down, and is lost", span.name, span.age);
    write(loggers, span, Severity::Warn, text);
}

fn write(loggers: &SdkLoggerProvider, span: &OpenSpan, severity: Severity, text: String) {
    // Threads of this crate's own record nothing otherwise.
    let _recording = Context::new().attach();
    let logger = loggers.logger("otel-init");
    let mut record = logger.create_log_record();
    record.set_event_name(EVENT);
    record.set_severity_number(severity);
    record.set_severity_text(severity.name());
    record.set_timestamp(SystemTime::now());
    record.set_body(text.into());
    let attributes = span.attributes.iter();
    record.add_attributes(attributes.map(|kv| (kv.key.clone(), any_value(&kv.value))));
    record.add_attribute(Key::from_static_str("otel_init.span.name"), span.name.to_string());
    record.add_attribute(Key::from_static_str("otel_init.span.age"), span.age.as_secs_f64());
    if span.parent_span_id != SpanId::INVALID {
        record
            .add_attribute(Key::from_static_str("otel_init.span.parent_id"), span.parent_span_id.to_string());
    }
    let context = &span.span_context;
    record.set_trace_context(context.trace_id(), context.span_id(), Some(context.trace_flags()));
    logger.emit(record);
}

fn any_value(value: &Value) -> AnyValue {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        other => other.as_str().into_owned().into(),
    }
}
