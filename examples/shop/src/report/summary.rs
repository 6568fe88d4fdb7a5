//! The summary: how every route did, what went wrong, and the business figures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use super::figure::Figure;
use super::trace::{Kind, Span, Trace};
use super::tree::milliseconds;

/// Writes the summary.
pub(crate) fn summary(traces: &[Trace], figures: &[Figure]) -> String {
    let mut out = String::new();
    routes(&mut out, traces);
    errors(&mut out, traces);
    business(&mut out, figures);
    out
}

/// Per service and route: how many requests, how many failed, how long they took.
fn routes(out: &mut String, traces: &[Trace]) {
    let mut routes: BTreeMap<(&str, &str), Vec<&Span>> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans) {
        if matches!(span.kind, Kind::Server | Kind::Consumer) {
            routes.entry((&span.service, &span.name)).or_default().push(span);
        }
    }
    let _ = writeln!(
        out,
        "\n{:<14} {:<36} {:>8} {:>7} {:>11} {:>11} {:>11}",
        "service", "route", "requests", "errors", "P50", "P95", "P99"
    );
    for ((service, route), spans) in routes {
        let failed = spans.iter().filter(|span| span.failed).count();
        let rate = format!("{:.0} %", 100.0 * failed as f64 / spans.len() as f64);
        let mut durations: Vec<Duration> = spans.iter().map(|span| span.duration()).collect();
        durations.sort();
        let [p50, p95, p99] = [50, 95, 99].map(|percent| milliseconds(percentile(&durations, percent)));
        let _ = writeln!(
            out,
            "{service:<14} {route:<36} {:>8} {rate:>7} {p50:>11} {p95:>11} {p99:>11}",
            spans.len()
        );
    }
}

/// The value that `percent` of all are not above: the nearest rank. `sorted` is not empty.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[derive(Default)]
struct ErrorGroup<'t> {
    count: usize,
    retryable: &'t str,
    services: BTreeSet<&'t str>,
    example: &'t str,
}

/// Errors by type, as the services have logged them.
fn errors(out: &mut String, traces: &[Trace]) {
    let mut groups: BTreeMap<&str, ErrorGroup<'_>> = BTreeMap::new();
    for trace in traces {
        for log in &trace.logs {
            let Some(kind) = log.attributes.get("error.type") else { continue };
            let group = groups.entry(kind).or_default();
            group.count += 1;
            group.retryable = if log.attributes.get("app.error.retryable").is_some_and(|flag| flag == "true")
            {
                "yes"
            } else {
                "no"
            };
            group.services.insert(&log.service);
            group.example = &log.message;
        }
    }
    let _ = writeln!(out, "\n{:<22} {:>5} {:>9}  {:<14} example", "error", "count", "retryable", "service");
    for (kind, group) in groups {
        let services = group.services.into_iter().collect::<Vec<_>>().join(" ");
        let ErrorGroup { count, retryable, example, .. } = group;
        let _ = writeln!(out, "{kind:<22} {count:>5} {retryable:>9}  {services:<14} {example}");
    }
}

/// What the shop sold, how its visitors behaved, and how its pools of connections did.
fn business(out: &mut String, figures: &[Figure]) {
    let attributes = |figure: &Figure| {
        let attributes = figure.attributes.iter().map(|(key, value)| format!("{key}={value}"));
        attributes.collect::<Vec<_>>().join(" ")
    };
    let name_width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or_default();
    let width = figures.iter().map(|figure| attributes(figure).len()).max().unwrap_or_default();
    let _ = writeln!(out, "\n{:<name_width$} {:<width$} value", "figure", "attributes");
    for figure in figures {
        let _ = writeln!(out, "{:<name_width$} {:<width$} {figure}", figure.name, attributes(figure));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let sorted: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_millis(10));
        assert_eq!(percentile(&sorted, 95), Duration::from_millis(19));
        assert_eq!(percentile(&sorted, 99), Duration::from_millis(20));
        assert_eq!(percentile(&sorted[..1], 50), Duration::from_millis(1));
    }
}
