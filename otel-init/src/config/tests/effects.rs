//! Each variable by itself: it changes the configuration, and the configuration says that it did.

use std::collections::BTreeSet;

use super::super::known::KNOWN;
use super::super::{Config, Settings};

/// What is in force, without the one value that is another one each time.
fn outcome(variables: &[(&str, &str)]) -> String {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let config = Config::resolve(&Settings::default(), &lookup, &[]).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new(), "{variables:?}");
    let shown = config.effective().to_string();
    shown.lines().filter(|line| !line.contains("service.instance.id")).collect::<Vec<_>>().join("\n")
}

const GRPC: Variable = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
const KEY: Variable = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/me.key");
const CERTIFICATE: Variable = ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/me.pem");
const HOST: Variable = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
const RATIO: Variable = ("OTEL_TRACES_SAMPLER", "traceidratio");
const PROMETHEUS: Variable = ("OTEL_METRICS_EXPORTER", "prometheus");
const DISK: Variable = ("OTEL_INIT_DISK_BUFFER_DIRECTORY", "/var/otel");

type Variable = (&'static str, &'static str);
/// A name, a value that is not the default, and what must be set besides.
type Row = (String, &'static str, &'static [Variable]);

fn rows(file: &'static str) -> Vec<Row> {
    let mut rows: Vec<Row> = [
        ("OTEL_CONFIG_FILE", file, &[][..]),
        ("OTEL_EXPERIMENTAL_CONFIG_FILE", file, &[]),
        ("OTEL_SDK_DISABLED", "true", &[]),
        ("OTEL_INIT_RESOURCE_DETECTORS", "none", &[]),
        ("OTEL_INIT_DISK_BUFFER_DIRECTORY", "/var/otel", &[]),
        ("OTEL_INIT_DISK_BUFFER_MAX_SIZE", "1000", &[DISK]),
        ("OTEL_SERVICE_NAME", "shop", &[]),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=a", &[]),
        ("OTEL_PROPAGATORS", "b3", &[]),
        ("OTEL_LOG_LEVEL", "debug", &[]),
        ("OTEL_INIT_TELEMETRY_LEVEL", "info,sqlx=warn", &[]),
        ("OTEL_INIT_CONSOLE_LOGS", "JSON", &[]),
        ("OTEL_TRACES_SAMPLER", "always_off", &[]),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5", &[RATIO]),
        ("OTEL_INIT_SAMPLER_FILE", "/run/sampler.json", &[]),
        ("OTEL_INIT_DEBUG_KEY", "a key of at least 32 characters..", &[]),
        ("OTEL_TRACES_EXPORTER", "console", &[]),
        ("OTEL_METRICS_EXPORTER", "console", &[]),
        ("OTEL_LOGS_EXPORTER", "console", &[]),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", &[]),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "base2_exponential_bucket_histogram",
            &[],
        ),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "always_off", &[]),
        ("OTEL_EXPORTER_PROMETHEUS_HOST", "0.0.0.0", &[PROMETHEUS]),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "9000", &[PROMETHEUS]),
        ("OTEL_METRIC_EXPORT_INTERVAL", "77", &[]),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "77", &[]),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "77", &[]),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "77", &[]),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "77", &[]),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "77", &[]),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "77", &[]),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "77", &[]),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "77", &[]),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "77", &[]),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "77", &[]),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "77", &[]),
    ]
    .map(|(name, value, besides)| (name.to_owned(), value, besides))
    .to_vec();
    for signal in ["", "TRACES_", "METRICS_", "LOGS_"] {
        for (setting, value, besides) in [
            ("PROTOCOL", "http/json", &[][..]),
            ("ENDPOINT", "http://collector:1/x", &[]),
            ("HEADERS", "x-key=secret", &[]),
            ("TIMEOUT", "77", &[]),
            ("COMPRESSION", "zstd", &[]),
            ("INSECURE", "true", &[GRPC, HOST]),
            ("CERTIFICATE", "/ca.pem", &[]),
            ("CLIENT_CERTIFICATE", "/me.pem", &[KEY, CERTIFICATE]),
            ("CLIENT_KEY", "/me.key", &[CERTIFICATE, KEY]),
        ] {
            // One of the pair is there in general, the signal has another.
            let value = if signal.is_empty() {
                value
            } else if setting.starts_with("CLIENT") {
                "/own"
            } else {
                value
            };
            let besides =
                if signal.is_empty() && setting.starts_with("CLIENT") { &besides[..1] } else { besides };
            rows.push((format!("OTEL_EXPORTER_OTLP_{signal}{setting}"), value, besides));
        }
    }
    for processor in ["BSP", "BLRP"] {
        for setting in ["MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT"] {
            let value = if setting == "MAX_QUEUE_SIZE" { "7777" } else { "77" };
            rows.push((format!("OTEL_{processor}_{setting}"), value, &[]));
        }
    }
    rows
}

#[test]
fn every_variable_changes_what_is_in_force_and_is_named_as_its_source() {
    let path = std::env::temp_dir().join(format!("otel-init-effects-{}.yaml", std::process::id()));
    std::fs::write(&path, "file_format: '1.0'").unwrap();
    // For as long as the test runs.
    let rows = rows(path.to_str().unwrap().to_owned().leak());
    let named: BTreeSet<&str> = rows.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(named, KNOWN.iter().copied().collect());
    assert_eq!(named.len(), rows.len());
    let is_built = |name: &str| cfg!(feature = "prometheus") || !name.contains("PROMETHEUS");
    for (name, value, besides) in rows.iter().filter(|(name, ..)| is_built(name)) {
        let without: Vec<_> = besides.iter().copied().filter(|(known, _)| known != name).collect();
        // A client needs both of its files.
        let is_half = name.ends_with("OTLP_CLIENT_KEY") || name.ends_with("OTLP_CLIENT_CERTIFICATE");
        let before = if is_half { outcome(&[]) } else { outcome(&without) };
        let after = outcome(&[&[(name.as_str(), *value)][..], &without].concat());
        assert_ne!(before, after, "{name}={value}");
        assert!(!after.contains("=secret"), "{name}");
        let of_this = after.lines().filter(|line| line.ends_with(&format!("  # {name}")));
        let values: Vec<_> = of_this.filter_map(|line| Some(line.split_once(" = ")?.1)).collect();
        assert!(!values.is_empty(), "{name}={value}\n{after}");
        assert!(values.iter().all(|value| !value.starts_with("  # ")), "{name}={value}\n{after}");
        assert!(!before.contains(&format!("  # {name}\n")), "{name}\n{before}");
    }
    std::fs::remove_file(path).unwrap();
}
