//! The dashboard and the alerts of `examples/dashboards` ask for nothing that the shop does not send.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use otel_testing::{Captured, Metric, MetricKind};
use serde_json::Value;

use crate::process::{Folder, shop};

/// What Prometheus knows of a metric: the labels that its series have.
type Known = BTreeMap<String, BTreeSet<String>>;

/// These are there when something fails, and not otherwise.
const OF_FAILURES: [&str; 2] =
    ["db_client_connection_timeouts_total", "otel_sdk_processor_span_processed_total"];

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The names that Prometheus gives to a metric.
///
/// <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>
fn names(metric: &Metric) -> Vec<String> {
    let unit = match &*metric.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    let name = format!("{}{unit}", metric.name.replace('.', "_"));
    match metric.kind {
        MetricKind::Sum { monotonic: true } => vec![format!("{name}_total")],
        MetricKind::Histogram => ["bucket", "count", "sum"].map(|part| format!("{name}_{part}")).to_vec(),
        _ => vec![name],
    }
}

fn known(metrics: &[Metric]) -> Known {
    let mut known = Known::new();
    for metric in metrics {
        for name in names(metric) {
            let labels = known.entry(name).or_default();
            for point in &metric.points {
                labels.extend(point.attributes.keys().iter().map(|key| key.replace('.', "_")));
            }
        }
    }
    known
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The metrics that a query selects from, and the labels that it asks for.
fn asked(query: &str) -> (Vec<&str>, BTreeSet<&str>) {
    let (mut metrics, mut labels) = (Vec::new(), BTreeSet::new());
    for (position, _) in query.match_indices('{') {
        let (before, behind) = (&query[..position], &query[position + 1..]);
        metrics.push(&before[before.rfind(|character| !is_name(character)).map_or(0, |end| end + 1)..]);
        let inside = behind.split('}').next().unwrap();
        labels.extend(inside.split(", ").map(|condition| condition.split(['=', '!']).next().unwrap().trim()));
    }
    for by in query.split("by (").skip(1) {
        labels.extend(by.split(')').next().unwrap().split(',').map(str::trim));
    }
    // Prometheus makes these, and an error has its type only if there is one.
    labels.retain(|label| !["job", "le", "error_type", ""].contains(label));
    (metrics, labels)
}

fn check(query: &str, known: &Known) {
    let (metrics, labels) = asked(query);
    assert!(!metrics.is_empty(), "{query}");
    for metric in metrics.into_iter().filter(|metric| !OF_FAILURES.contains(metric)) {
        let series = known.get(metric);
        let series = series.unwrap_or_else(|| panic!("{metric} is not sent: {query}\n{:?}", known.keys()));
        for label in &labels {
            assert!(series.contains(*label), "{metric} has no {label}, but {series:?}: {query}");
        }
    }
}

#[test]
fn what_they_ask_for_is_sent() {
    let folder = Folder::create();
    let telemetry = folder.path.join("telemetry.json");
    let mut command = shop(["--orders", "3", "--json", telemetry.to_str().unwrap()]);
    for name in ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let json = std::fs::read_to_string(telemetry).unwrap();
    let known = known(&Captured::from_otlp_json(&json).unwrap().metrics);

    let dashboard: Value = serde_json::from_str(&file("services.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() > 30, "{queries:?}");
    queries.iter().for_each(|query| check(query, &known));

    let alerts = file("alerts.yaml");
    let rules: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert_eq!(rules.len(), alerts.matches("- alert: ").count());
    rules.iter().for_each(|query| check(query, &known));
}

#[test]
fn a_query_is_taken_apart() {
    let query =
        r#"sum by (job, http_route) (rate(a_count{job=~"x", error_type!=""}[5m])) / sum by (le) (b{c="d"})"#;
    let (metrics, labels) = asked(query);
    assert_eq!(metrics, ["a_count", "b"]);
    assert_eq!(labels, ["c", "http_route"].into());
}
