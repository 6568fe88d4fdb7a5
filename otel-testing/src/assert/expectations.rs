//! Expectations that are written down in a file, for programs that cannot call an assertion.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use serde::Deserialize;
use serde_json::Value;

use super::count::Count;
use super::{AssertTelemetry, Expected, ExpectedLog, ExpectedSpan, closest, log, metric, span};
use crate::captured::Captured;
use crate::{AttributeValue, Conventions, ReceivedSpan};

/// What telemetry should be, from a JSON text. Every key may be left out; an unknown one is an error.
///
/// ```
/// use otel_testing::{Expectations, TestTelemetry};
/// use opentelemetry::trace::{Tracer, TracerProvider};
///
/// let expectations = Expectations::from_json(r#"{
///     "spans": [
///         {"name": "GET /users/{id}", "kind": "server", "count": 1},
///         {"name": "charge", "failed": true, "service": "payments", "child_of": "checkout",
///          "attributes": {"card.brand": "visa", "card.retries": 2}}
///     ],
///     "logs": [{"body": "order placed", "attributes": {"items": 3}}],
///     "metrics": [{"name": "http.server.request.duration", "unit": "s"}],
///     "services": ["payments"],
///     "most_orphans": 0,
///     "conventions": {"allow": ["card"]}
/// }"#)?;
///
/// let telemetry = TestTelemetry::new();
/// telemetry.tracer_provider().tracer("shop").in_span("checkout", |_| ());
/// let unmet = expectations.unmet(&telemetry);
/// assert_eq!(unmet.len(), 5);
/// assert!(unmet[0].starts_with("expected one span like this, there is none:"));
/// # Ok::<(), otel_testing::ExpectationsError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    spans: Vec<(Count, ExpectedSpan)>,
    logs: Vec<(Count, ExpectedLog)>,
    metrics: Vec<MetricEntry>,
    services: Vec<String>,
    most_orphans: Option<usize>,
    conventions: Option<Conventions>,
}

/// The text is no expectations; it says what is wrong and in which line.
#[derive(Debug)]
pub struct ExpectationsError(serde_json::Error);

impl fmt::Display for ExpectationsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these are no expectations: {}", self.0)
    }
}

impl std::error::Error for ExpectationsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl Expectations {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When the text is no JSON, or has a key or a value that is not known. The error names the line.
    pub fn from_json(text: &str) -> Result<Self, ExpectationsError> {
        let file: File = serde_json::from_str(text).map_err(ExpectationsError)?;
        Ok(Self {
            spans: file.spans.into_iter().map(SpanEntry::into_expected).collect(),
            logs: file.logs.into_iter().map(LogEntry::into_expected).collect(),
            metrics: file.metrics,
            services: file.services,
            most_orphans: file.most_orphans,
            conventions: file.conventions.map(ConventionsEntry::into_conventions),
        })
    }

    /// One text for each that is not met, with a line end: what was expected, what came closest, and the difference.
    #[must_use]
    pub fn unmet(&self, telemetry: &impl AssertTelemetry) -> Vec<String> {
        let captured = telemetry.captured();
        let spans = self.spans.iter().filter_map(|(count, expected)| expected.miscount(*count, &captured));
        let logs = self.logs.iter().filter_map(|(count, expected)| expected.miscount(*count, &captured));
        let metrics = self.metrics.iter().filter_map(|expected| expected.difference(&captured));
        let services = self.services.iter().filter_map(|name| missing_service(name, &captured));
        let conventions = self.conventions.iter().flat_map(|conventions| conventions.check(&captured));
        let mut unmet: Vec<String> = spans.chain(logs).chain(metrics).chain(services).collect();
        unmet.extend(self.orphans(&captured));
        unmet.extend(conventions.map(|violation| format!("against the semantic conventions: {violation}\n")));
        unmet
    }

    fn orphans(&self, captured: &Captured) -> Option<String> {
        let most = self.most_orphans?;
        let family = captured.family();
        let is_orphan = |span: &&Arc<ReceivedSpan>| span.parent_span_id.is_some() && !family.has_parent(span);
        let orphans: Vec<String> =
            captured.spans.iter().filter(is_orphan).map(|span| format!("{:?}", span.name)).collect();
        (orphans.len() > most).then(|| {
            let lines = closest::indented(&orphans);
            format!("expected at most {most} orphans, there are {}:\n{lines}", orphans.len())
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    spans: Vec<SpanEntry>,
    logs: Vec<LogEntry>,
    metrics: Vec<MetricEntry>,
    services: Vec<String>,
    most_orphans: Option<usize>,
    conventions: Option<ConventionsEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpanEntry {
    name: String,
    kind: Option<Kind>,
    failed: Option<bool>,
    service: Option<String>,
    child_of: Option<String>,
    root: Option<bool>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    count: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogEntry {
    body: String,
    in_span: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    count: Option<usize>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricEntry {
    name: String,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConventionsEntry {
    #[serde(default)]
    allow: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Client,
    Server,
    Producer,
    Consumer,
    Internal,
}

impl SpanEntry {
    fn into_expected(self) -> (Count, ExpectedSpan) {
        let mut expected = span(self.name);
        if let Some(kind) = self.kind {
            expected = expected.kind(kind.into());
        }
        expected = match self.failed {
            Some(true) => expected.failed(),
            Some(false) => expected.not_failed(),
            None => expected,
        };
        if let Some(service) = self.service {
            expected = expected.resource("service.name", service);
        }
        if let Some(parent) = self.child_of {
            expected = expected.child_of(parent);
        }
        expected = match self.root {
            Some(true) => expected.root(),
            Some(false) => expected.not_root(),
            None => expected,
        };
        let attributes = self.attributes.into_iter();
        let expected =
            attributes.fold(expected, |expected, (key, value)| expected.has(&key, value_of(value)));
        (Count::from(self.count), expected)
    }
}

impl LogEntry {
    fn into_expected(self) -> (Count, ExpectedLog) {
        let mut expected = log(self.body);
        if let Some(name) = self.in_span {
            expected = expected.in_span(name);
        }
        let attributes = self.attributes.into_iter();
        let expected =
            attributes.fold(expected, |expected, (key, value)| expected.has(&key, value_of(value)));
        (Count::from(self.count), expected)
    }
}

impl MetricEntry {
    fn difference(&self, captured: &Captured) -> Option<String> {
        let named: Vec<_> = captured.metrics.iter().filter(|metric| metric.name == self.name).collect();
        if named.is_empty() {
            return Some(metric::missing(&self.name, &captured.metrics));
        }
        let unit = self.unit.as_ref()?;
        // Several services may send it.
        let other = named.iter().find(|metric| metric.unit != *unit)?;
        Some(format!("the unit of the metric {:?} is {:?}, expected {unit:?}\n", self.name, other.unit))
    }
}

impl ConventionsEntry {
    fn into_conventions(self) -> Conventions {
        self.allow.into_iter().fold(Conventions::new(), |conventions, name| conventions.allow(name))
    }
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Client => Self::Client,
            Kind::Server => Self::Server,
            Kind::Producer => Self::Producer,
            Kind::Consumer => Self::Consumer,
            Kind::Internal => Self::Internal,
        }
    }
}

/// Numbers without a fraction are integers, as in attributes. `null` asks for any value.
fn value_of(value: Value) -> Expected {
    match value {
        Value::Null => super::any_value(),
        other => attribute_value(other).into(),
    }
}

fn attribute_value(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Empty,
        Value::Bool(value) => value.into(),
        Value::String(text) => text.into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::Array(values) => AttributeValue::Array(values.into_iter().map(attribute_value).collect()),
        Value::Object(entries) => AttributeValue::Map(
            entries.into_iter().map(|(key, value)| (key, attribute_value(value))).collect(),
        ),
    }
}

fn missing_service(name: &str, captured: &Captured) -> Option<String> {
    let of_spans = captured.spans.iter().map(|span| span.service());
    let of_logs = captured.logs.iter().map(|log| log.service());
    let of_metrics = captured.exports.iter().map(|export| export.service());
    let mut seen: Vec<&str> = of_spans.chain(of_logs).chain(of_metrics).collect();
    seen.sort_unstable();
    seen.dedup();
    let nearest = closest::nearest_name(seen.iter().copied(), name);
    let nearest = nearest.map(|nearest| format!("; the closest is {nearest:?}")).unwrap_or_default();
    (!seen.contains(&name)).then(|| format!("expected the service {name:?}, there are {seen:?}{nearest}\n"))
}
