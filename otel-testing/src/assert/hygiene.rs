//! What no test should leave behind, whatever it is about. Each returns what is wrong, one line each.

use super::looks_like_id;
use crate::MetricKind;
use crate::captured::Captured;

pub(super) fn open_spans(captured: &Captured) -> Vec<String> {
    captured.open_spans.iter().map(|name| format!("{name:?} was started and has not ended")).collect()
}

/// Spans whose parent is neither here nor in another process, and spans that end before they start.
pub(super) fn orphans(captured: &Captured) -> Vec<String> {
    let mut lines = Vec::new();
    let family = captured.family();
    for span in &captured.spans {
        if span.parent_span_id.is_some() && !span.parent_is_remote() && !family.has_parent(span) {
            lines.push(match captured.open_parent(span) {
                Some(parent) => format!("the parent of {:?}, {parent:?}, has not ended", span.name),
                None => format!("the parent of {:?} is missing", span.name),
            });
        }
        if span.parent_span_id.as_ref() == Some(&span.span_id) {
            lines.push(format!("{:?} is its own parent", span.name));
        }
        if span.end_unix_nanos < span.start_unix_nanos {
            lines.push(format!("{:?} ends before it starts", span.name));
        }
    }
    lines
}

/// Up-down counters that count what is under way.
pub(super) fn in_flight(captured: &Captured) -> Vec<String> {
    const WORDS: [&str; 6] = ["active", "in_flight", "inflight", "in_progress", "pending", "ongoing"];
    let counts_what_is_under_way = |name: &str| {
        let name = format!("_{}_", name.replace('.', "_"));
        WORDS.iter().any(|word| name.contains(&format!("_{word}_")))
    };
    let mut lines = Vec::new();
    for metric in &captured.metrics {
        if metric.kind != (MetricKind::Sum { monotonic: false }) || !counts_what_is_under_way(&metric.name) {
            continue;
        }
        for point in &metric.points {
            if let Some(number) = point.number().filter(|number| number.as_f64() != 0.0) {
                lines.push(format!("{} {} is {number}, expected 0", metric.name, point.attributes.sorted()));
            }
        }
    }
    lines
}

pub(super) fn ids_in_metrics(captured: &Captured) -> Vec<String> {
    let mut lines = Vec::new();
    for metric in captured.metrics_and_exports() {
        for point in &metric.points {
            for (key, value) in point.attributes.iter() {
                if let Some(reason) = looks_like_id::reason(key, value) {
                    lines.push(format!("{}: {key} = {value} looks like {reason}", metric.name));
                }
            }
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}
