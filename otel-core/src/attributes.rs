//! The attributes of one operation, each written once and sent where it belongs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// `None`: nobody reads them either.
    metric: Option<&'a mut Vec<KeyValue>>,
    /// While a function of the user's writes.
    names: Option<Unavailable>,
}

/// The names that functions of the user's have given to attributes of one operation. An attribute that is there twice is
/// against the specification, and the SDK does not look: "The attribute keys [...] MUST be unique".
///
/// <https://opentelemetry.io/docs/specs/otel/common/#attribute-collections>
#[derive(Debug, Default)]
pub struct AttributeNames {
    taken: Mutex<Vec<Key>>,
}

impl AttributeNames {
    fn taken(&self) -> MutexGuard<'_, Vec<Key>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names that a function of the user's may not give while it writes.
struct Unavailable {
    reserved: &'static [&'static str],
    taken: Vec<Key>,
}

impl Unavailable {
    /// Takes `key`; `false` if it is taken already.
    fn take(&mut self, key: &Key) -> bool {
        let name = key.as_str();
        let is_reserved = |reserved: &&str| match reserved.ends_with('.') {
            true => name.starts_with(reserved),
            false => name == *reserved,
        };
        if self.reserved.iter().any(is_reserved) || self.taken.contains(key) {
            return false;
        }
        self.taken.push(key.clone());
        true
    }
}

/// Room for what metrics usually carry, so that their list is allocated once, if at all.
const METRIC_CAPACITY: usize = 8;

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
        Self { span: Sink::List(span), metric: Some(metric), names: None }
    }

    /// Forgets everything: of an operation that records nothing, or has ended.
    pub(crate) fn to_nobody() -> Self {
        Self { span: Sink::None, metric: None, names: None }
    }

    /// Writes for the metrics alone: of an operation without a span to record.
    pub(crate) fn to_metrics(metric: &'a mut Vec<KeyValue>) -> Self {
        Self { span: Sink::None, metric: Some(metric), names: None }
    }

    /// Writes into the span of `context` when it is recording, else only into the metric's list.
    pub(crate) fn to_span(context: &'a Context, is_recording: bool, metric: &'a mut Vec<KeyValue>) -> Self {
        let span = if is_recording { Sink::Span(context.span()) } else { Sink::None };
        Self { span, metric: Some(metric), names: None }
    }

    /// Calls `add`, a function of the user's, and leaves out attributes of names that were given before: by the operation at
    /// its start, by functions that were called with the same `names`. `reserved` are those that the instrumentation keeps to
    /// itself: because it may give them later or, to a span that runs, may have given them. A name there that ends with a dot
    /// stands for all that begin with it.
    ///
    /// ```
    /// # use otel_core::{AttributeNames, Attributes};
    /// # let (mut span, mut metric) = (Vec::new(), Vec::new());
    /// # let mut attributes = Attributes::to_lists(&mut span, &mut metric);
    /// let names = AttributeNames::default();
    /// attributes.both("http.request.method", "GET");
    /// attributes.checked(&names, &["http.response.", "http.route"], |attributes| {
    ///     attributes.both("http.request.method", "get"); // is there
    ///     attributes.span("app.tenant", "blue");
    ///     attributes.span("app.tenant", "green"); // the first one stays
    ///     attributes.both("http.route", "/mine"); // may come
    /// });
    /// assert_eq!((span.len(), metric.len()), (2, 1));
    /// ```
    pub fn checked(
        &mut self,
        names: &AttributeNames,
        reserved: &'static [&'static str],
        add: impl FnOnce(&mut Self),
    ) {
        let taken = std::mem::take(&mut *names.taken());
        self.names = Some(Unavailable { reserved, taken });
        add(self);
        if let Some(Unavailable { taken, .. }) = self.names.take() {
            *names.taken() = taken;
        }
    }

    /// Adds an attribute to the span only: a value with many different values, or one that metrics do not need.
    #[inline]
    pub fn span(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        match &mut self.span {
            Sink::None => {}
            // Of nearly all attributes, so it is worth a way of its own.
            Sink::List(list) if self.names.is_none() => list.push(KeyValue::new(key, value)),
            _ => self.span_checked(KeyValue::new(key, value)),
        }
    }

    fn span_checked(&mut self, attribute: KeyValue) {
        if self.takes(&attribute.key) {
            self.push_span(attribute);
        }
    }

    /// Adds an attribute to the span and to the metrics: its values must be few.
    pub fn both(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let attribute = KeyValue::new(key, value);
        if !self.takes(&attribute.key) {
            return;
        }
        if !matches!(self.span, Sink::None) {
            self.push_span(attribute.clone());
        }
        self.push_metric(attribute);
    }

    /// Adds an attribute to the metrics only: its values must be few.
    pub fn metric(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let attribute = KeyValue::new(key, value);
        if self.takes(&attribute.key) {
            self.push_metric(attribute);
        }
    }

    /// Whether anybody reads what [`span`](Self::span) is given: ask before computing a value that only the span carries.
    #[must_use]
    #[inline]
    pub fn wants_span(&self) -> bool {
        !matches!(self.span, Sink::None)
    }

    #[inline]
    fn takes(&mut self, key: &Key) -> bool {
        self.names.as_mut().is_none_or(|names| names.take(key))
    }

    fn push_span(&mut self, attribute: KeyValue) {
        if self.names.is_none() || !self.span.has(&attribute.key) {
            self.span.push(attribute);
        }
    }

    /// Looks at the metric's list alone, so that a series is the same whether the span is sampled or not.
    fn push_metric(&mut self, attribute: KeyValue) {
        if let Some(list) = &mut self.metric {
            if self.names.is_some() && has(list, &attribute.key) {
                return;
            }
            if list.capacity() == 0 {
                list.reserve(METRIC_CAPACITY);
            }
            list.push(attribute);
        }
    }
}

impl Sink<'_> {
    #[inline]
    fn push(&mut self, attribute: KeyValue) {
        match self {
            Self::None => {}
            Self::List(list) => list.push(attribute),
            Self::Span(span) => span.set_attribute(attribute),
        }
    }

    /// Whether it is known to have an attribute of this name.
    fn has(&self, key: &Key) -> bool {
        matches!(self, Self::List(list) if has(list, key))
    }
}

fn has(list: &[KeyValue], key: &Key) -> bool {
    list.iter().any(|attribute| attribute.key == *key)
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
        let mut attributes = Attributes::to_metrics(&mut metric);
        assert!(!attributes.wants_span());
        attributes.span("url.path", "/");
        attributes.both("http.request.method", "GET");
        attributes.metric("server.port", 80);
        assert_eq!(metric.len(), 2);
    }

    #[test]
    fn what_users_add_to_a_metric_is_the_same_whether_the_span_is_sampled_or_not() {
        let add = |attributes: &mut Attributes<'_>| {
            attributes.both("db.namespace", "mine");
            attributes.both("db.query.text", "mine");
            attributes.metric("app.tenant", "blue");
        };
        let (mut span, mut metric) = (Vec::new(), vec![KeyValue::new("db.namespace", "shop")]);
        span.extend([KeyValue::new("db.namespace", "shop"), KeyValue::new("db.query.text", "SELECT 1")]);
        let mut attributes = Attributes::to_lists(&mut span, &mut metric);
        attributes.checked(&AttributeNames::default(), &[], add);
        assert_eq!(span.len(), 2);

        let mut unsampled = vec![KeyValue::new("db.namespace", "shop")];
        let mut attributes = Attributes::to_metrics(&mut unsampled);
        attributes.checked(&AttributeNames::default(), &[], add);
        assert_eq!(metric, unsampled);
        assert_eq!(metric.len(), 3);
    }
}
