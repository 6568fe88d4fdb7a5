//! Where telemetry goes, and how.

use std::time::{Duration, Instant};

use opentelemetry_sdk::metrics::Temporality;
use tracing_subscriber::filter::LevelFilter;

use super::super::{Compression, Config, ExporterConfig, OtlpConfig, Settings, TlsConfig};
use super::{attribute, endpoints, is_on_console, otlp, resolve, resolve_with};
use crate::{OtlpDestination, Protocol, Signal, Telemetry};
#[test]
fn endpoints_are_resolved_for_each_signal() {
    for (variables, expected) in [
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/")][..],
            ["http://c:4318/v1/traces", "http://c:4318/v1/metrics", "http://c:4318/v1/logs"],
        ),
        (
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/custom"),
            ],
            ["http://t:1/custom", "http://c:4318/v1/metrics", "http://c:4318/v1/logs"],
        ),
        (
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "gRPC")],
            ["http://localhost:4317", "http://localhost:4317", "http://localhost:4317"],
        ),
        (
            &[
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:9"),
                ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
                ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "false"),
                ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:1/v1/logs"),
            ],
            ["http://c:9", "https://c:9", "http://l:1/v1/logs"],
        ),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "  ")],
            [
                "http://localhost:4318/v1/traces",
                "http://localhost:4318/v1/metrics",
                "http://localhost:4318/v1/logs",
            ],
        ),
    ] {
        let config = resolve(variables);
        assert_eq!(endpoints(&config), expected, "{variables:?}");
        assert_eq!(config.warnings, Vec::<String>::new(), "{variables:?}");
    }
}

#[test]
fn code_wins_over_every_variable_of_the_exporter() {
    let settings = Settings {
        endpoint: Some("http://code:4317".to_owned()),
        protocol: Some(Protocol::Grpc),
        metric_export_interval: Some(Duration::from_secs(1)),
        ..Settings::default()
    };
    let config = resolve_with(
        &settings,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://env:1"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ],
    );
    assert_eq!(endpoints(&config), ["http://code:4317"; 3]);
    assert_eq!(config.destinations.metrics[0].interval, Duration::from_secs(1));
}

#[test]
fn an_endpoint_in_code_that_is_no_url_is_an_error() {
    let settings = Settings { endpoint: Some("collector:4318".to_owned()), ..Settings::default() };
    let error = Config::resolve(&settings, &|_| None, &[]).unwrap_err();
    assert!(error.is_invalid_configuration());
    assert_eq!(
        error.to_string(),
        "the endpoint is \"collector:4318\": expected a URL with http:// or https://"
    );
}

#[test]
fn a_timeout_without_end_is_a_time_that_comes() {
    let endless = OtlpDestination::new("http://collector").with_timeout(Duration::MAX);
    let settings = Settings { destinations: vec![endless], ..Settings::default() };
    let config = resolve_with(&settings, &[]);
    let timeouts: Vec<_> = config.destinations.otlp().map(|otlp| otlp.timeout).collect();
    assert!(timeouts.iter().all(|timeout| Instant::now().checked_add(*timeout).is_some()), "{timeouts:?}");
    let settings = Telemetry::builder().with_detection_timeout(Duration::MAX).into_settings();
    assert_eq!(attribute(&resolve_with(&settings, &[]), "telemetry.sdk.language").unwrap(), "rust");
}

#[test]
fn headers_are_decoded_and_never_shown() {
    let config = resolve(&[
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20hunter2, x-team = a"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-team=logs"),
    ]);
    let traces = otlp(&config, Signal::Traces).unwrap();
    assert_eq!(traces.headers["authorization"], "Bearer hunter2");
    assert_eq!(traces.headers["x-team"], "a");
    let logs = otlp(&config, Signal::Logs).unwrap();
    assert_eq!((logs.headers.len(), &logs.headers["x-team"]), (1, &"logs".parse().unwrap()));
    assert!(!format!("{config:?}").contains("hunter2"));

    let config = resolve(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization:hunter2")]);
    assert!(otlp(&config, Signal::Traces).unwrap().headers.is_empty());
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("OTEL_EXPORTER_OTLP_HEADERS"));
    assert!(!config.warnings[0].contains("hunter2"));
}

#[test]
fn timeouts_and_compression_are_those_of_the_signal() {
    let config = resolve(&[
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "4000"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1500"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "3000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "30000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd"),
    ]);
    let timeout = |exporter: Option<&OtlpConfig>| exporter.unwrap().timeout.as_millis();
    assert_eq!(
        (
            timeout(otlp(&config, Signal::Traces)),
            timeout(otlp(&config, Signal::Metrics)),
            timeout(otlp(&config, Signal::Logs))
        ),
        (4000, 4000, 1500)
    );
    let bounds =
        (config.destinations.traces[0].batch.export_timeout, config.destinations.metrics[0].export_timeout);
    assert_eq!(bounds, (Some(Duration::from_secs(3)), Some(Duration::from_secs(30))));
    assert_eq!(config.destinations.logs[0].batch.export_timeout, None);
    let compression = |exporter: Option<&OtlpConfig>| exporter.unwrap().compression;
    assert_eq!(compression(otlp(&config, Signal::Traces)), Some(Compression::Gzip));
    assert_eq!(compression(otlp(&config, Signal::Metrics)), Some(Compression::Zstd));
    assert_eq!(compression(otlp(&config, Signal::Logs)), None);
}

#[test]
fn certificates_are_those_of_the_signal_and_a_client_needs_both_files() {
    let config = resolve(&[
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/client.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/client.key"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/traces.key"),
    ]);
    let tls = |exporter: Option<&OtlpConfig>| exporter.unwrap().tls.clone();
    let expected = |authority: &str, key: &str| TlsConfig {
        authority: Some(authority.into()),
        client_certificate: Some("/client.pem".into()),
        client_key: Some(key.into()),
    };
    assert_eq!(tls(otlp(&config, Signal::Traces)), expected("/ca.pem", "/traces.key"));
    assert_eq!(tls(otlp(&config, Signal::Metrics)), expected("/ca.pem", "/client.key"));
    assert_eq!(tls(otlp(&config, Signal::Logs)), expected("/logs.pem", "/client.key"));
    assert_eq!(config.warnings, Vec::<String>::new());

    let config = resolve(&[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/client.key")]);
    assert_eq!(tls(otlp(&config, Signal::Traces)), TlsConfig::default());
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].starts_with("OTEL_EXPORTER_OTLP_CLIENT_"), "{:?}", config.warnings);
}

#[test]
fn signals_and_the_whole_sdk_can_be_switched_off() {
    let config = resolve(&[("OTEL_TRACES_EXPORTER", "NONE"), ("OTEL_LOGS_EXPORTER", "OTLP")]);
    assert!(otlp(&config, Signal::Traces).is_none() && otlp(&config, Signal::Logs).is_some());
    for (value, is_disabled) in [("true", true), ("TRUE", true), ("false", false), ("1", false), ("", false)]
    {
        assert_eq!(resolve(&[("OTEL_SDK_DISABLED", value)]).is_disabled, is_disabled, "{value}");
    }
}

#[test]
fn several_exporters_can_be_named_and_unknown_ones_are_told() {
    for (value, is_otlp, is_console) in [
        ("otlp", true, false),
        ("console", false, true),
        ("otlp, Console", true, true),
        ("none", false, false),
        ("none,console", false, true),
        ("", true, false),
    ] {
        let config = resolve(&[("OTEL_LOGS_EXPORTER", value)]);
        assert_eq!(otlp(&config, Signal::Logs).is_some(), is_otlp, "{value}");
        assert_eq!(is_on_console(&config, Signal::Logs), is_console, "{value}");
        assert!(otlp(&config, Signal::Traces).is_some() && !is_on_console(&config, Signal::Traces));
        assert_eq!(config.warnings, Vec::<String>::new());
    }
    let config = resolve(&[("OTEL_TRACES_EXPORTER", "jaeger,console")]);
    assert!(otlp(&config, Signal::Traces).is_none() && is_on_console(&config, Signal::Traces));
    let jaeger = "otlp, which a collector converts, and Jaeger takes itself";
    assert_eq!(
        config.warnings,
        [format!("OTEL_TRACES_EXPORTER names \"jaeger\", expected {jaeger}; console is used")]
    );
    let config = resolve(&[("OTEL_TRACES_EXPORTER", "OTLP/stdout")]);
    assert!(matches!(config.destinations.traces[0].exporter, ExporterConfig::OtlpStdout));
    assert!(config.summary().contains("traces as OTLP/JSON to standard output"), "{}", config.summary());
    let config = resolve(&[("OTEL_TRACES_EXPORTER", "otpl")]);
    assert!(otlp(&config, Signal::Traces).is_some() && !is_on_console(&config, Signal::Traces));
    assert_eq!(
        config.warnings,
        ["OTEL_TRACES_EXPORTER names \"otpl\", expected otlp, otlp/stdout, console or none; otlp is used"]
    );
}

#[test]
fn batches_limits_and_metrics_follow_their_variables() {
    let config = resolve(&[
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "300"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "30"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "400"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "8"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "0"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "9"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "11"),
    ]);
    let batch = |batch: super::super::BatchConfig| {
        (batch.max_queue_size, batch.max_export_batch_size, batch.schedule_delay.as_millis())
    };
    assert_eq!(batch(config.destinations.traces[0].batch), (100, 10, 200));
    assert_eq!(batch(config.destinations.logs[0].batch), (300, 30, 400));
    assert_eq!(config.destinations.metrics[0].interval, Duration::from_millis(500));
    assert_eq!(config.destinations.metrics[0].temporality, Temporality::Delta);
    let limits = config.span_limits;
    assert_eq!(
        (limits.max_attributes_per_span, limits.max_events_per_span, limits.max_links_per_span),
        (7, 8, 0)
    );
    assert_eq!((limits.max_attributes_per_event, limits.max_attributes_per_link), (9, 11));
    assert_eq!(config.warnings, Vec::<String>::new());
    let own = [("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "6")];
    assert_eq!(resolve(&own).span_limits.max_attributes_per_span, 6);
}

#[test]
fn histograms_and_the_level_of_the_sdk_are_chosen() {
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    for (value, is_exponential) in
        [("", false), ("explicit_bucket_histogram", false), ("BASE2_exponential_bucket_histogram", true)]
    {
        assert_eq!(resolve(&[(name, value)]).metrics.exponential_histograms, is_exponential, "{value}");
    }
    for (value, level) in
        [("none", LevelFilter::OFF), ("WARN", LevelFilter::WARN), ("all", LevelFilter::TRACE)]
    {
        assert_eq!(resolve(&[("OTEL_LOG_LEVEL", value)]).subscriber.unwrap().own_level, Some(level));
    }
}
