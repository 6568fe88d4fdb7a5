//! What is shown of a span that has not ended.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind};
use opentelemetry_sdk::trace::SpanData;

/// A span that has not ended, as it was when it started; see [`Telemetry::open_spans`](crate::Telemetry::open_spans).
///
/// It prints as a line: `12.3s GET /orders server http.request.method=GET trace_id=.. span_id=..`
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenSpan {
    /// How long it has been open.
    pub age: Duration,
    /// Its name then.
    pub name: Cow<'static, str>,
    /// Its kind.
    pub kind: SpanKind,
    /// Its ids.
    pub span_context: SpanContext,
    /// The span above it; invalid at the top of a trace.
    pub parent_span_id: SpanId,
    /// When it started.
    pub start_time: SystemTime,
    /// Who made it.
    pub scope: String,
    /// The attributes that it started with, after the redaction.
    pub attributes: Vec<KeyValue>,
}

impl OpenSpan {
    /// Of a span that has passed the redaction.
    pub(super) fn new(span: SpanData, age: Duration) -> Self {
        Self {
            age,
            name: span.name,
            kind: span.span_kind,
            span_context: span.span_context,
            parent_span_id: span.parent_span_id,
            start_time: span.start_time,
            scope: span.instrumentation_scope.name().to_owned(),
            attributes: span.attributes,
        }
    }
}

impl fmt::Display for OpenSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SpanKind::Client => "client",
            SpanKind::Server => "server",
            SpanKind::Producer => "producer",
            SpanKind::Consumer => "consumer",
            SpanKind::Internal => "internal",
        };
        // Names and values may come from callers: a line stays one.
        write!(formatter, "{:.1}s {} {kind}", self.age.as_secs_f64(), self.name.escape_debug())?;
        for attribute in &self.attributes {
            write!(formatter, " {}={}", attribute.key, attribute.value.as_str().escape_debug())?;
        }
        let context = &self.span_context;
        write!(formatter, " trace_id={} span_id={}", context.trace_id(), context.span_id())
    }
}
