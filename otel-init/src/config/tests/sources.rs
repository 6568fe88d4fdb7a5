//! The code and the file as sources: whatever they say is shown, with them.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::metrics::Temporality;
use tracing_subscriber::filter::LevelFilter;

use super::super::file::FULL;
use super::super::{Config, Settings};
use super::{resolve, resolve_with};
use crate::metrics::MetricSettings;
use crate::sampling::{DebugHeader, Sampling};
use crate::{
    ConsoleLogs, DiskBuffer, DropRule, ExemplarFilter, OtlpDestination, Protocol, Queue, Redaction,
    SettingSource, Signal, SpanSelector, Telemetry, TelemetryBuilder, View,
};

type Change = fn(TelemetryBuilder) -> TelemetryBuilder;

/// What the code may say, and the setting that shows it.
const IN_CODE: &[(Change, &str, &str)] = &[
    (|builder| builder.with_service_name("shop"), "resource.attributes.service.name", "shop"),
    (|builder| builder.with_service_version("1"), "resource.attributes.service.version", "1"),
    (|builder| builder.with_resource_attribute("rack", 7), "resource.attributes.rack", "7"),
    (
        |builder| builder.with_endpoint("http://collector:1"),
        "tracer_provider.processors[0].batch.exporter.otlp_http.endpoint",
        "http://collector:1/v1/traces",
    ),
    (
        |builder| builder.with_protocol(Protocol::Grpc),
        "tracer_provider.processors[0].batch.exporter.otlp_grpc.protocol",
        "grpc",
    ),
    (
        |builder| builder.with_shutdown_timeout(Duration::from_secs(1)),
        "distribution.otel-init.shutdown_timeout",
        "1000",
    ),
    (
        |builder| builder.with_metric_export_interval(Duration::from_secs(1)),
        "meter_provider.readers[0].periodic.interval",
        "1000",
    ),
    (
        |builder| builder.with_console_logs(ConsoleLogs::Logfmt),
        "distribution.otel-init.console_logs",
        "logfmt",
    ),
    (
        |builder| builder.with_telemetry_level(LevelFilter::DEBUG),
        "distribution.otel-init.telemetry_level",
        "debug",
    ),
    (
        |builder| builder.with_target_level("sqlx", LevelFilter::WARN),
        "distribution.otel-init.telemetry_level",
        "info,sqlx=warn",
    ),
    (
        |builder| builder.without_tracing_subscriber(),
        "distribution.otel-init.console_logs",
        "left to the service",
    ),
    (
        |builder| builder.with_redaction(Redaction::new().with_personal_data().with_hash_key("hunter2")),
        "distribution.otel-init.redaction",
        "secrets, personal data, a hash key",
    ),
    (
        |builder| builder.with_drop_rule(DropRule::span_name("GET /health")),
        "distribution.otel-init.drop_rules",
        "1",
    ),
    (
        |builder| builder.with_baggage_attribute("tenant"),
        "distribution.otel-init.baggage_attributes",
        "tenant",
    ),
    (
        |builder| builder.with_audit_hook(SpanSelector::name("pay*"), |_| ()),
        "distribution.otel-init.audit_hooks",
        "1",
    ),
    (|builder| builder.with_max_spans_per_trace(9), "distribution.otel-init.max_spans_per_trace", "9"),
    (|builder| builder.with_max_span_depth(8), "distribution.otel-init.max_span_depth", "8"),
    (
        |builder| builder.with_open_spans(Duration::from_secs(30)),
        "distribution.otel-init.open_spans",
        "30000",
    ),
    (
        |builder| {
            let header = DebugHeader::new("hunter2 hunter2 hunter2 hunter2 ");
            builder.with_sampling(Sampling::probability(0.5).with_debug_header(header))
        },
        "distribution.otel-init.debug_key",
        "REDACTED",
    ),
    (
        |builder| builder.with_sampling(Sampling::probability(0.5)),
        "tracer_provider.sampler",
        "probability 50 %",
    ),
    (|builder| builder.with_console_on_stdout(), "distribution.otel-init.console_stream", "standard output"),
    (|builder| builder.with_panic_hook(), "distribution.otel-init.panic_hook", "true"),
    (
        |builder| builder.with_exporters(Signal::Logs, ["console"]),
        "logger_provider.processors[0].batch.exporter.console",
        "standard output",
    ),
    (
        |builder| {
            let destination = OtlpDestination::new("http://other:1").with_header("x-key", "hunter2");
            builder.with_destination(destination)
        },
        "logger_provider.processors[1].batch.exporter.otlp_http.headers",
        "x-key=REDACTED",
    ),
    (
        |builder| builder.with_header_provider(Vec::new),
        "logger_provider.processors[0].batch.exporter.otlp_http.header_provider",
        "a function",
    ),
    (
        |builder| builder.with_temporality(Temporality::Delta),
        "meter_provider.readers[0].periodic.exporter.otlp_http.temporality_preference",
        "delta",
    ),
    (
        |builder| builder.with_exponential_histograms(),
        "meter_provider.readers[0].periodic.exporter.otlp_http.default_histogram_aggregation",
        "base2_exponential_bucket_histogram",
    ),
    (|builder| builder.with_view(View::new("a").dropped()), "meter_provider.views", "1"),
    (
        |builder| builder.with_cardinality_limit(7),
        "meter_provider.readers[0].periodic.cardinality_limits.default",
        "7",
    ),
    (
        |builder| builder.with_exemplar_filter(ExemplarFilter::AlwaysOn),
        "meter_provider.exemplar_filter",
        "always_on",
    ),
    (|builder| builder.with_code_locations(), "distribution.otel-init.code_locations", "true"),
    (|builder| builder.with_process_metrics(), "distribution.otel-init.process_metrics", "true"),
    (
        |builder| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            builder.with_tokio_metrics(runtime.handle().clone())
        },
        "distribution.otel-init.tokio_metrics",
        "true",
    ),
    (|builder| builder.without_span_fields_on_logs(), "distribution.otel-init.span_fields_on_logs", "false"),
    (
        |builder| builder.with_disk_buffer(DiskBuffer::new("/var/otel")),
        "distribution.otel-init.disk_buffer.directory",
        "/var/otel",
    ),
    (|builder| builder.with_queue(Queue::Sdk), "distribution.otel-init.queue", "of the SDK"),
    (|builder| builder.with_resource_detectors(["os"]), "resource.detection.detectors", "os"),
    (
        |builder| builder.without_resource_detector("os"),
        "resource.detection.detectors",
        "container,host,k8s,process,service",
    ),
];

#[test]
fn whatever_the_code_says_is_shown_as_said_by_the_code() {
    for (change, name, value) in IN_CODE {
        let settings = change(Telemetry::builder()).into_settings();
        let config = resolve_with(&settings, &[]).effective();
        let setting = config.setting(name).unwrap_or_else(|| panic!("{name} is missing in\n{config}"));
        assert_eq!((setting.value(), setting.source()), (*value, &SettingSource::Code), "{name}");
        assert!(!config.to_string().contains("hunter2"), "{config}");
        // Without the code it is not the code's.
        let without = resolve(&[]).effective();
        assert!(
            without.setting(name).is_none_or(|setting| *setting.source() != SettingSource::Code),
            "{name}"
        );
    }
}

/// Fails to compile when a setting is added, and is then to be looked for above.
#[test]
fn every_setting_of_the_code_is_in_the_table() {
    let Settings {
        service_name: _,
        service_version: _,
        resource_attributes: _,
        endpoint: _,
        protocol: _,
        shutdown_timeout: _,
        metric_export_interval: _,
        console_logs: _,
        console_on_stdout: _,
        telemetry_levels: _,
        without_tracing_subscriber: _,
        safety: _,
        sampling: _,
        panic_hook: _,
        exporters: _,
        destinations: _,
        header_provider: _,
        temporality: _,
        metrics:
            MetricSettings {
                exponential_histograms: _,
                views: _,
                cardinality: _,
                exemplar_filter: _,
                process_metrics: _,
                tokio_metrics: _,
            },
        code_locations: _,
        without_span_fields: _,
        disk: _,
        queue: _,
        detectors: _,
        without_detectors: _,
        // A time that is over when anybody can ask.
        detection_timeout: _,
        // Shown as `config_file`, below.
        config_file: _,
        // Names that others choose by.
        propagators: _,
        registry: _,
    } = Settings::default();
    let mut names: Vec<_> = IN_CODE.iter().map(|(_, name, _)| *name).collect();
    names.dedup();
    // One for each setting of the first part, and more for those of `safety`.
    assert!(names.len() >= 28, "{names:?}");
}

#[test]
fn a_preset_in_code_is_not_the_source_of_what_a_variable_chose() {
    let settings = Settings { sampling: Some(Sampling::production()), ..Settings::default() };
    let source = |variables: &[(&str, &str)]| {
        let config = resolve_with(&settings, variables).effective();
        config.setting("tracer_provider.sampler").unwrap().source().clone()
    };
    assert_eq!(source(&[]), SettingSource::Code);
    let variable = "OTEL_TRACES_SAMPLER";
    assert_eq!(source(&[(variable, "always_on")]), SettingSource::Variable(variable.to_owned()));
}

/// What only leads to other keys, or is one of two that say the same.
const LEADING: [&str; 23] = [
    "file_format",
    "attribute_limits",
    "resource",
    "resource.attributes",
    "resource.attributes_list",
    "detection",
    "detection.attributes",
    "detection.attributes.excluded",
    "processors",
    "propagator",
    "composite_list",
    "exporter",
    "readers",
    "cardinality_limits.counter",
    "_provider",
    "batch",
    "instrumentation.general",
    "rust.grpc",
    "rust.grpc.enabled",
    "distribution.another",
    "distribution",
    "instrumentation",
    "headers_list",
];

#[test]
fn a_value_of_several_lines_is_shown_in_one() {
    let config = resolve(&[("OTEL_SERVICE_NAME", "a\nb = c")]).effective().to_string();
    assert!(
        config.contains("resource.attributes.service.name = \"a\\nb = c\"  # OTEL_SERVICE_NAME\n"),
        "{config}"
    );
}

#[test]
fn whatever_a_file_says_is_shown_with_its_line() {
    let path = std::env::temp_dir().join(format!("otel-init-sources-{}.yaml", std::process::id()));
    std::fs::write(&path, FULL).unwrap();
    let mut settings =
        Settings { config_file: Some(path.to_str().unwrap().to_owned()), ..Settings::default() };
    settings
        .registry
        .detectors
        .insert("rack".to_owned(), Arc::new(|| vec![KeyValue::new(Key::from_static_str("rack"), 7)]));
    let lookup = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
    let resolved = Config::resolve(&settings, &lookup, &[]).unwrap();
    std::fs::remove_file(path).unwrap();
    let config = resolved.effective();
    assert_eq!(config.setting("config_file").unwrap().source(), &SettingSource::Code);
    let shown: Vec<usize> = config
        .settings()
        .iter()
        .filter_map(|setting| match setting.source() {
            SettingSource::File { line } => Some(*line),
            _ => None,
        })
        .collect();
    let file = resolved.origins.file.as_ref().unwrap();
    let is_passed_over = |key: &str| {
        let inside = [
            "resource.attributes[",
            "views[",
            "drop_rules[",
            "redaction.",
            "headers[",
            "detectors[",
            "java",
            "sampler.parent_based",
        ];
        inside.iter().any(|part| key.contains(part)) || LEADING.iter().any(|end| key.ends_with(end))
    };
    let forgotten: Vec<_> =
        file.lines.iter().filter(|(key, line)| !shown.contains(line) && !is_passed_over(key)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?} is not shown in\n{config}");
    for (name, value) in [
        ("resource.attributes.team", "a b"),
        ("resource.attributes.zone", "7"),
        ("resource.attributes.service.name", "orders"),
        ("resource.detection.detectors", "process,host"),
        ("propagator.composite", "tracecontext,b3,baggage"),
        ("tracer_provider.limits.attribute_value_length_limit", "1024"),
        ("tracer_provider.processors[0].batch.export_timeout", "700"),
        ("tracer_provider.processors[0].batch.exporter.otlp_http.protocol", "http/json"),
        (
            "tracer_provider.processors[0].batch.exporter.otlp_http.headers",
            "authorization=REDACTED,x-team=REDACTED",
        ),
        ("tracer_provider.processors[1].simple.exporter.console", "standard output"),
        ("logger_provider.processors[0].batch.exporter.otlp_grpc.tls.insecure", "true"),
        ("logger_provider.limits.attribute_count_limit", "64"),
        ("meter_provider.readers[0].periodic.cardinality_limits.default", "100"),
        ("meter_provider.exemplar_filter", "always_off"),
        ("meter_provider.views", "2"),
        ("instrumentation.rust.otel-db.enabled", "false"),
        ("instrumentation.general.http.server.request_captured_headers", "x-tenant,!x-noise"),
        ("distribution.otel-init.redaction", "secrets, personal data, 2 rules"),
        ("distribution.otel-init.drop_rules", "2"),
        ("distribution.otel-init.max_span_depth", "40"),
        ("distribution.otel-init.open_spans", "30000"),
        ("distribution.otel-init.console_logs", "logfmt"),
        ("distribution.otel-init.panic_hook", "true"),
        ("distribution.otel-init.code_locations", "true"),
        ("distribution.otel-init.process_metrics", "true"),
    ] {
        let setting = config.setting(name).unwrap_or_else(|| panic!("{name} is missing in\n{config}"));
        assert_eq!(setting.value(), value, "{name}");
        assert!(matches!(setting.source(), SettingSource::File { .. }), "{name}: {}", setting.source());
    }
    assert!(!config.to_string().contains("hunter2"), "{config}");
}

#[test]
fn what_the_code_says_of_the_same_wins_over_the_file_and_what_both_list_adds_up() {
    let path = std::env::temp_dir().join(format!("otel-init-{}-both.yaml", std::process::id()));
    let disk = "    disk_buffer: {directory: /of/the/file, max_size: 7}\n    sampler_file";
    std::fs::write(&path, FULL.replace("    sampler_file", disk)).unwrap();
    let builder = Telemetry::builder()
        .with_config_file(path.to_str().unwrap())
        .with_exemplar_filter(ExemplarFilter::AlwaysOn)
        .with_cardinality_limit(9)
        .with_disk_buffer(DiskBuffer::new("/of/the/code"))
        .with_shutdown_timeout(Duration::from_millis(20))
        .with_telemetry_level(LevelFilter::ERROR)
        .with_target_level("sqlx", LevelFilter::TRACE)
        .with_sampling(Sampling::probability(0.5))
        .with_console_logs(ConsoleLogs::Json)
        .with_view(View::new("a").dropped())
        .with_drop_rule(DropRule::span_name("b"));
    let config = resolve_with(&builder.into_settings(), &[]);
    std::fs::remove_file(path).unwrap();
    let metrics = &config.metrics;
    assert_eq!(metrics.exemplar_filter, Some(ExemplarFilter::AlwaysOn));
    assert_eq!(metrics.cardinality.default_limit(), Some(9));
    assert_eq!(config.disk, Some(DiskBuffer::new("/of/the/code")));
    assert_eq!(config.shutdown_timeout, Duration::from_millis(20));
    assert_eq!(config.telemetry_levels.to_string(), "error,sqlx=trace");
    assert_eq!(config.sampler.to_string(), "probability 50 %");
    assert_eq!(config.subscriber.unwrap().console, ConsoleLogs::Json);
    assert_eq!((metrics.views.len(), config.safety.drop_rules.len()), (3, 3));
    assert!(metrics.exponential_histograms && metrics.process_metrics, "of the file");
}
