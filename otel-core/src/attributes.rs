//! The attributes of one operation, each written once and sent where it belongs.

use std::fmt;

use opentelemetry::trace::{SpanRef, TraceContextExt};
use opentelemetry::{Context, Key, KeyValue, Value};

/// Where a [`Convention`](crate::Convention) writes what it says about one operation.
///
/// A fact is written once, and the method says where it goes, so the cardinality of a metric is visible on the line:
///
/// ```
/// # use otel_core::Attributes;
/// # let (mut span, mut metric) = (Vec::new(), Vec::new());
/// # let mut attributes = Attributes::to_lists(&mut span, &mut metric);
/// attributes.both("http.request.method", "GET"); // few values: span and metric
/// attributes.span("url.path", "/users/42");      // unbounded: span only
/// assert_eq!((span.len(), metric.len()), (2, 1));
/// ```
pub struct Attributes<'a> {
    span: Sink<'a>,
    metric: &'a mut Vec<KeyValue>,
}

/// Where the span's attributes go.
enum Sink<'a> {
    /// Nobody reads them.
    None,
    /// The span is not made yet.
    List(&'a mut Vec<KeyValue>),
    /// The span is running.
    Span(SpanRef<'a>),
}

impl<'a> Attributes<'a> {
    /// Writes into lists: to test a convention without an SDK.
    pub fn to_lists(span: &'a mut Vec<KeyValue>, metric: &'a mut Vec<KeyValue>) -> Self {
        Self { span: Sink::List(span), metric }
    }

    /// Writes into the span of `context` when it is recording, else only into the metric's list.
    pub(crate) fn to_span(context: &'a Context, is_recording: bool, metric: &'a mut Vec<KeyValue>) -> Self {
        let span = if is_recording { Sink::Span(context.span()) } else { Sink::None };
        Self { span, metric }
    }

    /// Adds an attribute to the span only: a value with many different values, or one that metrics do not need.
    pub fn span(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        match &mut self.span {
            Sink::None => {}
            Sink::List(list) => list.push(KeyValue::new(key, value)),
            Sink::Span(span) => span.set_attribute(KeyValue::new(key, value)),
        }
    }

    /// Adds an attribute to the span and to the metrics: its values must be few.
    pub fn both(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let attribute = KeyValue::new(key, value);
        match &mut self.span {
            Sink::None => {}
            Sink::List(list) => list.push(attribute.clone()),
            Sink::Span(span) => span.set_attribute(attribute.clone()),
        }
        self.metric.push(attribute);
    }

    /// Adds an attribute to the metrics only: its values must be few.
    pub fn metric(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        self.metric.push(KeyValue::new(key, value));
    }

    /// Whether anybody reads what [`span`](Self::span) is given: ask before computing a value that only the span carries.
    #[must_use]
    pub fn wants_span(&self) -> bool {
        !matches!(self.span, Sink::None)
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attributes")
            .field("wants_span", &self.wants_span())
            .field("metric", &self.metric)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_a_recording_span_keeps_only_what_metrics_read() {
        let mut metric = Vec::new();
        let context = Context::new();
        let mut attributes = Attributes::to_span(&context, false, &mut metric);
        assert!(!attributes.wants_span());
        attributes.span("url.path", "/");
        attributes.both("http.request.method", "GET");
        attributes.metric("server.port", 80);
        assert_eq!(metric.len(), 2);
    }
}
