//! Medians and ratios, as a table.

use std::fmt::Write;

use crate::Case;
use crate::server::is_bare;

/// What was measured of one server in one turn.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Requests a second.
    pub throughput: f64,
    /// Of the server's process, in microseconds for each request.
    pub cpu: f64,
    /// Latencies in microseconds.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// Resident at the end, in megabytes.
    pub memory: f64,
    /// The part of it that is not the program itself.
    pub heap: f64,
    pub bytes_per_span: f64,
    /// Spans at the sink, as a percentage of those that were sampled.
    pub arrived: f64,
}

/// `turns` have a row for each case. The first case is what the others are compared with.
pub fn table(cases: &[Case], turns: &[Vec<Row>]) -> String {
    let mut text = String::from(
        "| server | sampled | requests/s | CPU us/request | p50 us | p99 us | p999 us | resident MB | without code | bytes/span | spans that arrived |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (index, (name, sampled)) in cases.iter().enumerate() {
        let of = |value: fn(&Row) -> f64| median(turns.iter().map(|turn| value(&turn[index])));
        let with_ratio = |value: fn(&Row) -> f64, digits: usize| {
            let ratio = median(turns.iter().map(|turn| value(&turn[index]) / value(&turn[0])));
            format!("{:.digits$} ({ratio:.2}x)", of(value))
        };
        let sampled = if is_bare(name) { "-".to_owned() } else { format!("{} %", sampled * 100.0) };
        let with_difference = |value: fn(&Row) -> f64| {
            let more = median(turns.iter().map(|turn| value(&turn[index]) - value(&turn[0])));
            format!("{:.1} ({more:+.1})", of(value))
        };
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {name} | {sampled} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            with_ratio(|row| row.throughput, 0),
            with_ratio(|row| row.cpu, 2),
            with_ratio(|row| row.p50, 0),
            with_ratio(|row| row.p99, 0),
            with_ratio(|row| row.p999, 0),
            with_difference(|row| row.memory),
            with_difference(|row| row.heap),
            known(of(|row| row.bytes_per_span), ""),
            known(of(|row| row.arrived), " %"),
        );
    }
    text
}

fn known(value: f64, unit: &str) -> String {
    if value.is_finite() { format!("{value:.0}{unit}") } else { "-".to_owned() }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
