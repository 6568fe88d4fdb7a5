//! Telemetry in a form that is the same on every run.

mod json;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::assert::list;
use crate::captured::Captured;
use crate::{AttributeValue, Attributes, PointValue};

/// Captured telemetry in normal form, for snapshot tests: ids are numbers in the order of appearance, times are left out,
/// metrics and their points are sorted, and of a histogram of durations only the count is shown.
///
/// Its [`Display`](fmt::Display) is text to read; [`Snapshot::to_json`] has everything but the
/// versions of scopes, the states of traces and exemplars, which change with each release or run.
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use otel_testing::{AssertTelemetry, TestTelemetry};
///
/// let telemetry = TestTelemetry::new();
/// telemetry.tracer_provider().tracer("shop").in_span("checkout", |_| ());
/// assert_eq!(telemetry.snapshot().to_string(), "trace 1\n  checkout internal\n");
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    captured: Captured,
}

impl Snapshot {
    pub(crate) fn new(mut captured: Captured) -> Self {
        for metric in &mut captured.metrics {
            for point in &mut metric.points {
                point.attributes = point.attributes.sorted();
                if matches!(metric.unit.as_str(), "s" | "ms" | "us" | "ns") {
                    point.value = without_durations(&point.value);
                }
            }
        }
        captured
            .metrics
            .sort_by(|left, right| (&left.scope.name, &left.name).cmp(&(&right.scope.name, &right.name)));
        captured.open_spans.sort_unstable();
        rewrite(&mut captured, |_, value| with_sorted_maps(value));
        sort_points(&mut captured);
        Self { captured }
    }

    /// Replaces the values of these attributes, such as ports and version numbers that differ between runs.
    #[must_use]
    pub fn redact<'a>(mut self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        let keys: BTreeSet<&str> = keys.into_iter().collect();
        rewrite(&mut self.captured, |key, value| match keys.contains(key) {
            true => "[redacted]".into(),
            false => value.clone(),
        });
        // What is not shown must not show by the order.
        sort_points(&mut self.captured);
        self
    }

    /// Everything as indented JSON with sorted keys.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::render(&self.captured)
    }
}

/// Spans as trees, then metrics, then log records.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.captured.tree())?;
        if !self.captured.metrics.is_empty() {
            f.write_str(&list(&self.captured.metrics))?;
        }
        for log in &self.captured.logs {
            write!(f, "log {} {:?} {}", log.severity_text, log.message(), log.attributes)?;
            match self.captured.span_of(log) {
                Some(span) => writeln!(f, " in {:?}", span.name)?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// Replaces the values of all attributes of spans, events, links, points, log records, scopes and resources.
fn rewrite(captured: &mut Captured, value: impl Fn(&str, &AttributeValue) -> AttributeValue) {
    let rewrite = |attributes: &mut Attributes| {
        *attributes = attributes.iter().map(|(key, old)| (key, value(key, old))).collect();
    };
    for span in &mut captured.spans {
        let span = Arc::make_mut(span);
        rewrite(&mut span.attributes);
        rewrite(&mut Arc::make_mut(&mut span.resource).attributes);
        rewrite(&mut Arc::make_mut(&mut span.scope).attributes);
        span.events.iter_mut().for_each(|event| rewrite(&mut event.attributes));
        span.links.iter_mut().for_each(|link| rewrite(&mut link.attributes));
    }
    for log in &mut captured.logs {
        let log = Arc::make_mut(log);
        rewrite(&mut log.attributes);
        rewrite(&mut Arc::make_mut(&mut log.resource).attributes);
        rewrite(&mut Arc::make_mut(&mut log.scope).attributes);
        log.body = value("", &log.body);
    }
    for metric in &mut captured.metrics {
        rewrite(&mut metric.scope.attributes);
        metric.points.iter_mut().for_each(|point| rewrite(&mut point.attributes));
    }
}

fn sort_points(captured: &mut Captured) {
    for metric in &mut captured.metrics {
        metric.points.sort_by_cached_key(|point| (point.attributes.to_string(), point.value.to_string()));
    }
}

/// Senders keep maps in hash maps.
fn with_sorted_maps(value: &AttributeValue) -> AttributeValue {
    match value {
        AttributeValue::Array(values) => AttributeValue::Array(values.iter().map(with_sorted_maps).collect()),
        AttributeValue::Map(entries) => {
            let mut entries: Vec<(String, AttributeValue)> =
                entries.iter().map(|(key, value)| (key.clone(), with_sorted_maps(value))).collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            AttributeValue::Map(entries)
        }
        other => other.clone(),
    }
}

fn without_durations(value: &PointValue) -> PointValue {
    match value {
        PointValue::Histogram(histogram) => {
            let (bounds, count) = (histogram.bounds.clone(), histogram.count);
            PointValue::Histogram(crate::HistogramPoint { count, bounds, ..Default::default() })
        }
        PointValue::ExponentialHistogram(histogram) => {
            let count = histogram.count;
            PointValue::ExponentialHistogram(crate::ExponentialHistogramPoint { count, ..Default::default() })
        }
        other => other.clone(),
    }
}
