//! What a span should be.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};

use super::attribute_conditions::AttributeConditions;
use super::count::Count;
use super::span_condition::Condition;
use super::{Expected, closest};
use crate::captured::Captured;
use crate::{Attributes, ReceivedSpan, tree};

/// What a span should be, as a sentence. Made by [`span`]; given to [`AssertTelemetry::assert_span`] and
/// [`assert_trace!`](crate::assert_trace!).
///
/// [`AssertTelemetry::assert_span`]: crate::AssertTelemetry::assert_span
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use otel_testing::{AssertTelemetry, TestTelemetry, span};
///
/// let telemetry = TestTelemetry::new();
/// let tracer = telemetry.tracer_provider().tracer("shop");
/// tracer.in_span("checkout", |_| tracer.in_span("charge", |_| ()));
///
/// telemetry.assert_span(span("charge").internal().child_of("checkout").has_no("card.number").scope("shop"));
/// telemetry.assert_no_span(span("refund"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to assert_span or assert_trace!"]
pub struct ExpectedSpan {
    name: String,
    attributes: AttributeConditions,
    conditions: Vec<Condition>,
}

/// A span of this name. What is not said is not looked at.
pub fn span(name: impl Into<String>) -> ExpectedSpan {
    ExpectedSpan { name: name.into(), attributes: AttributeConditions::default(), conditions: Vec::new() }
}

impl From<&str> for ExpectedSpan {
    fn from(name: &str) -> Self {
        span(name)
    }
}

impl From<String> for ExpectedSpan {
    fn from(name: String) -> Self {
        span(name)
    }
}

/// What can be said of it.
impl ExpectedSpan {
    /// Of this kind.
    pub fn kind(self, kind: SpanKind) -> Self {
        self.with(Condition::Kind(kind))
    }

    /// Of kind client.
    pub fn client(self) -> Self {
        self.kind(SpanKind::Client)
    }

    /// Of kind server.
    pub fn server(self) -> Self {
        self.kind(SpanKind::Server)
    }

    /// Of kind internal.
    pub fn internal(self) -> Self {
        self.kind(SpanKind::Internal)
    }

    /// With this status, its description included.
    pub fn status(self, status: Status) -> Self {
        self.with(Condition::Status(status))
    }

    /// With status error, whatever its description.
    pub fn failed(self) -> Self {
        self.with(Condition::Failed)
    }

    /// With an attribute of this value, of this type: `.has("http.route", "/")`, `.has("error.type", one_of([...]))`.
    pub fn has(mut self, key: &str, value: impl Into<Expected>) -> Self {
        self.attributes.has(key, value.into());
        self
    }

    /// With an attribute of which `predicate` is true. `text` completes the sentence "expected …" in the message.
    pub fn matches(
        self,
        key: &str,
        text: &str,
        predicate: impl Fn(&crate::AttributeValue) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.has(key, Expected::matching(text, predicate))
    }

    /// Without this attribute.
    pub fn has_no(mut self, key: &str) -> Self {
        self.attributes.has_no(key);
        self
    }

    /// With these attributes and, together with those of [`ExpectedSpan::has`], no others, also none that were dropped.
    pub fn has_exactly(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        let attributes: Vec<KeyValue> = attributes.into_iter().collect();
        for (key, value) in attributes.iter().collect::<Attributes>().iter() {
            self.attributes.has(key, value.clone().into());
        }
        self.attributes.no_others();
        self
    }

    /// With a status that is no error.
    pub fn not_failed(self) -> Self {
        self.with(Condition::NotFailed)
    }

    /// Without a parent, here or elsewhere.
    pub fn root(self) -> Self {
        self.with(Condition::Root)
    }

    /// With a parent, here or elsewhere.
    pub fn not_root(self) -> Self {
        self.with(Condition::NotRoot)
    }

    /// Whose parent is in another process.
    pub fn with_remote_parent(self) -> Self {
        self.with(Condition::RemoteParent)
    }

    /// Whose parent has this name.
    pub fn child_of(self, parent: impl Into<String>) -> Self {
        self.with(Condition::ChildOf(parent.into()))
    }

    /// With an event of this name.
    pub fn event(self, name: impl Into<String>) -> Self {
        self.with(Condition::Event(name.into(), AttributeConditions::default()))
    }

    /// With an event of this name that has these attributes, and maybe others.
    pub fn event_with(self, name: impl Into<String>, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        let mut conditions = AttributeConditions::default();
        for attribute in attributes {
            conditions.has(attribute.key.as_str(), attribute.value.into());
        }
        self.with(Condition::Event(name.into(), conditions))
    }

    /// With this many events.
    pub fn events(self, count: usize) -> Self {
        self.with(Condition::Events(count))
    }

    /// With a link to a captured span of this name.
    pub fn linked_to(self, name: impl Into<String>) -> Self {
        self.with(Condition::LinkedTo(name.into()))
    }

    /// With this many links.
    pub fn links(self, count: usize) -> Self {
        self.with(Condition::Links(count))
    }

    /// Made by the instrumentation of this name.
    pub fn scope(self, name: impl Into<String>) -> Self {
        self.with(Condition::Scope(name.into()))
    }

    /// Made by an instrumentation of this version.
    pub fn scope_version(self, version: impl Into<String>) -> Self {
        self.with(Condition::ScopeVersion(version.into()))
    }

    /// Whose resource has this attribute.
    pub fn resource(self, key: impl Into<String>, value: impl Into<Expected>) -> Self {
        self.with(Condition::Resource(key.into(), value.into()))
    }
}

impl ExpectedSpan {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The message when not this many of the captured spans are like this.
    pub(super) fn miscount(&self, count: Count, captured: &Captured) -> Option<String> {
        let found: Vec<_> = captured.spans.iter().filter(|span| self.is_met_by(span, captured)).collect();
        let mismatch = count.mismatch("span", found.len())?;
        let what = match count.is_above(found.len()) {
            true => self.describe_closest(captured, found.len()),
            false => closest::found(&found.iter().map(|span| line(span, captured)).collect::<Vec<_>>()),
        };
        Some(format!("{mismatch}\n  {self}\n{what}"))
    }

    fn is_met_by(&self, span: &ReceivedSpan, captured: &Captured) -> bool {
        span.name == self.name && self.differences(span, captured).is_empty()
    }

    /// What is not as expected, one line each; the name first.
    pub(super) fn differences(&self, span: &ReceivedSpan, captured: &Captured) -> Vec<String> {
        let mut differences = Vec::new();
        if span.name != self.name {
            differences.push(format!("its name is {:?}, expected {:?}", span.name, self.name));
        }
        differences
            .extend(self.conditions.iter().filter_map(|condition| condition.difference(span, captured)));
        self.attributes.differences(&span.attributes, &mut differences);
        // Those may be any.
        if span.dropped_attributes > 0 && !self.attributes.allows_others() {
            differences
                .push(format!("attributes that were dropped: {}, expected 0", span.dropped_attributes));
        }
        differences
    }

    /// The nearest of the captured spans and what is different, as lines of a message. Where some are as expected, another name
    /// is no near miss, but for a slip.
    fn describe_closest(&self, captured: &Captured, found: usize) -> String {
        let may_be_meant = |span: &ReceivedSpan| found == 0 || closest::is_slip(&span.name, &self.name);
        let nearest = closest::closest(
            captured.spans.iter().filter(|span| may_be_meant(span) && !self.is_met_by(span, captured)),
            |span| self.differences(span, captured),
            |span| closest::name_distance(&span.name, &self.name),
        );
        nearest.map_or_else(String::new, |(span, differences)| {
            format!("the closest is {:?}:\n{}", span.name, closest::indented(&differences))
        })
    }

    fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}

/// `charge client {card.brand="visa"}, child of "checkout"`
fn line(span: &ReceivedSpan, captured: &Captured) -> String {
    let line = tree::span_line(&span.name, &span.kind, &span.status, &span.attributes);
    match captured.parent_name(span) {
        Some(parent) => format!("{line}, child of {parent:?}"),
        None => line,
    }
}

/// `"charge", kind client, card.brand = "visa"`
impl fmt::Display for ExpectedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![format!("{:?}", self.name)];
        parts.extend(self.conditions.iter().map(Condition::describe));
        self.attributes.describe(&mut parts);
        f.write_str(&parts.join(", "))
    }
}
