//! The attributes of one operation, each written once and sent where it belongs.

use opentelemetry::{Key, KeyValue, Value};

/// Room for what a typical operation sets, so that the vectors are allocated once.
const SPAN_CAPACITY: usize = 12;
const METRIC_CAPACITY: usize = 8;

/// What a [`Convention`](crate::Convention) says about one operation.
///
/// A fact is written once, and the method says where it goes, so the cardinality of a metric is visible on the line:
///
/// ```
/// # use otel_core::Attributes;
/// # let mut attributes = Attributes::new();
/// attributes.both("http.request.method", "GET");  // few values: span and metric
/// attributes.span("url.path", "/users/42");       // unbounded: span only
/// assert_eq!(attributes.span_attributes().len(), 2);
/// assert_eq!(attributes.metric_attributes().len(), 1);
/// ```
#[derive(Debug)]
pub struct Attributes {
    span: Vec<KeyValue>,
    metric: Vec<KeyValue>,
    wants_span: bool,
}

impl Attributes {
    /// An empty list that takes attributes for the span and for the metrics.
    #[must_use]
    pub fn new() -> Self {
        Self::for_span(true)
    }

    /// An empty list; without `wants_span`, what only the span would carry is not kept.
    pub(crate) fn for_span(wants_span: bool) -> Self {
        Self { span: Vec::new(), metric: Vec::with_capacity(METRIC_CAPACITY), wants_span }
    }

    /// Adds an attribute to the span only: a value with many different values, or one that metrics do not need.
    pub fn span(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        if self.wants_span {
            self.push_span(KeyValue::new(key, value));
        }
    }

    /// Adds an attribute to the span and to the metrics: its values must be few.
    pub fn both(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let attribute = KeyValue::new(key, value);
        if self.wants_span {
            self.push_span(attribute.clone());
        }
        self.metric.push(attribute);
    }

    /// Adds an attribute to the metrics only: its values must be few.
    pub fn metric(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        self.metric.push(KeyValue::new(key, value));
    }

    /// Whether [`span`](Self::span) keeps what it is given: ask before computing a value that only the span carries.
    #[must_use]
    pub fn wants_span(&self) -> bool {
        self.wants_span
    }

    /// What the span carries, as far as it has not been handed to it yet.
    #[must_use]
    pub fn span_attributes(&self) -> &[KeyValue] {
        &self.span
    }

    /// What the metrics carry.
    #[must_use]
    pub fn metric_attributes(&self) -> &[KeyValue] {
        &self.metric
    }

    pub(crate) fn set_wants_span(&mut self, wants_span: bool) {
        self.wants_span = wants_span;
    }

    pub(crate) fn take_span(&mut self) -> Vec<KeyValue> {
        std::mem::take(&mut self.span)
    }

    fn push_span(&mut self, attribute: KeyValue) {
        if self.span.capacity() == 0 {
            self.span.reserve(SPAN_CAPACITY);
        }
        self.span.push(attribute);
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_a_recording_span_keeps_only_what_metrics_read() {
        let mut attributes = Attributes::for_span(false);
        attributes.span("url.path", "/");
        attributes.both("http.request.method", "GET");
        attributes.metric("server.port", 80);
        assert!(attributes.span_attributes().is_empty());
        assert_eq!(attributes.metric_attributes().len(), 2);
    }
}
