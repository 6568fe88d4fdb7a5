//! What a log record should be.

use std::fmt;

use opentelemetry::logs::Severity;

use super::attribute_conditions::AttributeConditions;
use super::count::Count;
use super::{Expected, closest};
use crate::ReceivedLog;
use crate::captured::Captured;

/// What a log record should be. Made by [`log`]; given to
/// [`AssertTelemetry::assert_log`](crate::AssertTelemetry::assert_log).
#[derive(Clone, Debug)]
#[must_use = "give it to assert_log"]
pub struct ExpectedLog {
    body: Expected,
    severity: Option<Severity>,
    in_span: Option<String>,
    target: Option<String>,
    event_name: Option<String>,
    attributes: AttributeConditions,
}

/// A log record with this body, a text or a rule such as [`containing`](super::containing). What is not said is not looked at.
///
/// ```
/// use otel_testing::{AssertTelemetry, TestTelemetry, log, starting_with};
/// use opentelemetry::logs::Severity;
///
/// let telemetry = TestTelemetry::new();
/// tracing::subscriber::with_default(telemetry.subscriber(), || {
///     let _entered = tracing::info_span!("checkout").entered();
///     tracing::info!(items = 3, "order placed");
/// });
/// telemetry.assert_log(log("order placed").severity(Severity::Info).has("items", 3).in_span("checkout"));
/// telemetry.assert_logs(0, log(starting_with("payment")));
/// ```
pub fn log(body: impl Into<Expected>) -> ExpectedLog {
    ExpectedLog {
        body: body.into(),
        severity: None,
        in_span: None,
        target: None,
        event_name: None,
        attributes: AttributeConditions::default(),
    }
}

impl From<&str> for ExpectedLog {
    fn from(body: &str) -> Self {
        log(body)
    }
}

impl ExpectedLog {
    /// Of this severity.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// With an attribute of this value, of this type.
    pub fn has(mut self, key: &str, value: impl Into<Expected>) -> Self {
        self.attributes.has(key, value.into());
        self
    }

    /// Without this attribute.
    pub fn has_no(mut self, key: &str) -> Self {
        self.attributes.has_no(key);
        self
    }

    /// Emitted in a captured span of this name.
    pub fn in_span(mut self, name: impl Into<String>) -> Self {
        self.in_span = Some(name.into());
        self
    }

    /// With this target of `tracing`, which OTLP sends as the name of the scope.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// With this event name.
    pub fn event_name(mut self, name: impl Into<String>) -> Self {
        self.event_name = Some(name.into());
        self
    }

    /// The message when not this many of the captured log records are like this.
    pub(super) fn miscount(&self, count: Count, captured: &Captured) -> Option<String> {
        let found: Vec<_> = captured.logs.iter().filter(|log| self.is_met_by(log, captured)).collect();
        let mismatch = count.mismatch("log record", found.len())?;
        let what = match count.is_above(found.len()) {
            true => self.describe_closest(captured, found.len()),
            false => closest::found(&found.iter().map(|log| line(log)).collect::<Vec<_>>()),
        };
        Some(format!("{mismatch}\n  {self}\n{what}"))
    }

    /// A body that is no text may be given as it is shown.
    fn has_body(&self, log: &ReceivedLog) -> bool {
        self.body.accepts(&log.body) || self.body.accepts(&log.message().into())
    }

    fn is_met_by(&self, log: &ReceivedLog, captured: &Captured) -> bool {
        self.differences(log, captured).is_empty()
    }

    /// Where some are as expected, another body is no near miss, but for a slip.
    fn describe_closest(&self, captured: &Captured, found: usize) -> String {
        let is_slip =
            |log: &ReceivedLog| self.body.text().is_some_and(|text| closest::is_slip(&log.message(), text));
        let may_be_meant = |log: &ReceivedLog| found == 0 || self.has_body(log) || is_slip(log);
        let nearest = closest::closest(
            captured.logs.iter().filter(|log| may_be_meant(log) && !self.is_met_by(log, captured)),
            |log| self.differences(log, captured),
            |log| match self.body.text() {
                Some(text) => closest::name_distance(&log.message(), text),
                None => usize::from(!self.has_body(log)),
            },
        );
        nearest.map_or_else(String::new, |(log, differences)| {
            format!("the closest is {:?}:\n{}", log.message(), closest::indented(&differences))
        })
    }

    fn differences(&self, log: &ReceivedLog, captured: &Captured) -> Vec<String> {
        let mut differences = Vec::new();
        if !self.has_body(log) {
            differences.push(format!("its body is {:?}, expected {}", log.message(), self.body));
        }
        if let Some(severity) = self.severity.filter(|severity| *severity as i32 != log.severity_number) {
            let (number, text) = (log.severity_number, &log.severity_text);
            differences.push(format!(
                "its severity is {number} ({text}), expected {} ({severity:?})",
                severity as i32
            ));
        }
        let texts =
            [("scope", &log.scope.name, &self.target), ("event name", &log.event_name, &self.event_name)];
        for (what, found, expected) in texts {
            if let Some(expected) = expected.as_ref().filter(|expected| *expected != found) {
                differences.push(format!("its {what} is {found:?}, expected {expected:?}"));
            }
        }
        if let Some(name) = &self.in_span {
            let span = captured.span_of(log);
            let found = match (span, &log.span_id) {
                (Some(span), _) => format!("of span {:?}", span.name),
                (None, Some(_)) => "of a span that was not captured".to_owned(),
                (None, None) => "of no span".to_owned(),
            };
            if span.is_none_or(|span| span.name != *name) {
                differences.push(format!("it is {found}, expected {name:?}"));
            }
        }
        self.attributes.differences(&log.attributes, &mut differences);
        differences
    }
}

/// `INFO "order placed" {items=3}`
pub(super) fn line(log: &ReceivedLog) -> String {
    format!("{} {:?} {}", log.severity_text, log.message(), log.attributes)
}

impl fmt::Display for ExpectedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![self.body.to_string()];
        parts.extend(self.severity.map(|severity| format!("severity {severity:?}")));
        parts.extend(self.in_span.iter().map(|name| format!("in span {name:?}")));
        parts.extend(self.target.iter().map(|target| format!("target {target:?}")));
        parts.extend(self.event_name.iter().map(|name| format!("event name {name:?}")));
        self.attributes.describe(&mut parts);
        f.write_str(&parts.join(", "))
    }
}
