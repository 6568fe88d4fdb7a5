//! What wins over what, variable by variable, with an injected environment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::metrics::Temporality;
use otel_core::propagation::PropagatorRegistry;
use tracing_subscriber::filter::LevelFilter;

use super::known::KNOWN;
use super::unsupported::UNSUPPORTED;
use super::{Compression, Config, ExporterConfig, OtlpConfig, Settings, TlsConfig};
use crate::sampling::{DebugHeader, Sampling};
use crate::{Protocol, SettingSource, Signal};

fn resolve(variables: &[(&str, &str)]) -> Config {
    resolve_with(&Settings::default(), variables)
}

fn resolve_with(settings: &Settings, variables: &[(&str, &str)]) -> Config {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::resolve(settings, &lookup, &[]).unwrap()
}

fn attribute(config: &Config, key: &'static str) -> Option<String> {
    config.resource.get(&key.into()).map(|value| value.to_string())
}

fn endpoints(config: &Config) -> Vec<String> {
    config.destinations.otlp().map(|exporter| exporter.endpoint.url().to_owned()).collect()
}

/// The one OTLP destination of a signal.
fn otlp(config: &Config, signal: Signal) -> Option<&OtlpConfig> {
    config.destinations.otlp().find(|exporter| exporter.signal == signal)
}

fn is_on_console(config: &Config, signal: Signal) -> bool {
    config
        .destinations
        .exporters()
        .any(|(of, exporter)| of == signal && matches!(exporter, ExporterConfig::Console))
}

#[test]
fn without_variables_the_defaults_of_the_specification_hold() {
    let config = resolve(&[]);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert!(!config.is_disabled);
    assert_eq!(
        endpoints(&config),
        ["traces", "metrics", "logs"].map(|signal| format!("http://localhost:4318/v1/{signal}"))
    );
    let traces = otlp(&config, Signal::Traces).unwrap();
    assert_eq!(traces.protocol, Protocol::HttpProtobuf);
    assert_eq!(traces.timeout, Duration::from_secs(10));
    assert_eq!(traces.compression, None);
    assert_eq!(traces.tls, TlsConfig::default());
    assert!(traces.headers.is_empty());
    assert_eq!(config.sampler.to_string(), "parentbased_always_on");
    assert_eq!(config.propagators.names, ["tracecontext", "baggage"]);
    assert_eq!(config.destinations.metrics[0].interval, Duration::from_secs(60));
    assert_eq!(config.destinations.metrics[0].temporality, Temporality::Cumulative);
    assert_eq!(
        (
            config.destinations.traces[0].batch.max_queue_size,
            config.destinations.traces[0].batch.max_export_batch_size
        ),
        (2048, 512)
    );
    assert_eq!(config.destinations.traces[0].batch.schedule_delay, Duration::from_secs(5));
    assert_eq!(config.destinations.logs[0].batch.schedule_delay, Duration::from_secs(1));
    assert_eq!(config.span_limits.max_attributes_per_span, 128);
    assert_eq!(config.shutdown_timeout, Duration::from_secs(5));
    assert!(attribute(&config, "service.name").unwrap().starts_with("unknown_service:otel_init"));
    assert!(attribute(&config, "service.instance.id").is_some());
    assert_eq!(attribute(&config, "service.version"), None);
    assert_eq!(attribute(&config, "telemetry.distro.name").as_deref(), Some("otel-init"));
    assert_eq!(attribute(&config, "process.pid").unwrap(), std::process::id().to_string());
}

#[test]
fn the_service_name_comes_from_code_then_its_variable_then_the_attributes() {
    let both = [
        ("OTEL_SERVICE_NAME", "from-name"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-attributes,team=a%20b"),
    ];
    let settings = Settings { service_name: Some("from-code".to_owned()), ..Settings::default() };
    assert_eq!(attribute(&resolve_with(&settings, &both), "service.name").unwrap(), "from-code");
    assert_eq!(attribute(&resolve(&both), "service.name").unwrap(), "from-name");
    assert_eq!(attribute(&resolve(&both[1..]), "service.name").unwrap(), "from-attributes");
    assert_eq!(attribute(&resolve(&both), "team").unwrap(), "a b");
}

#[test]
fn attributes_from_code_win_and_a_malformed_variable_is_dropped_as_a_whole() {
    let settings = Settings {
        resource_attributes: vec![KeyValue::new("team", "code")],
        service_version: Some("1.2.3".to_owned()),
        ..Settings::default()
    };
    let config = resolve_with(&settings, &[("OTEL_RESOURCE_ATTRIBUTES", "team=env,zone=b")]);
    assert_eq!(attribute(&config, "team").unwrap(), "code");
    assert_eq!(attribute(&config, "zone").unwrap(), "b");
    assert_eq!(attribute(&config, "service.version").unwrap(), "1.2.3");

    let config = resolve(&[("OTEL_RESOURCE_ATTRIBUTES", "zone=b,team=%zz")]);
    assert_eq!(attribute(&config, "zone"), None);
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].starts_with("OTEL_RESOURCE_ATTRIBUTES "), "{:?}", config.warnings);
}

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
        "the endpoint is \"collector:4318\": a URL with http:// or https:// is expected"
    );
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
        (3000, 4000, 1500)
    );
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
fn samplers_are_named_by_two_variables() {
    for (name, argument, sampler) in [
        ("always_on", "", "always_on"),
        ("always_off", "", "always_off"),
        ("traceidratio", "0.25", "traceidratio 0.25"),
        ("parentbased_always_on", "", "parentbased_always_on"),
        ("parentbased_always_off", "", "parentbased_always_off"),
        ("parentbased_traceidratio", "0.1", "parentbased_traceidratio 0.1"),
        ("ParentBased_TraceIdRatio", "", "parentbased_traceidratio 1"),
    ] {
        let config = resolve(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]);
        assert_eq!(config.sampler.to_string(), sampler);
        assert_eq!(config.warnings, Vec::<String>::new());
    }
}

#[test]
fn propagators_are_kept_once_each() {
    for (names, expected) in [
        ("baggage", &["baggage"][..]),
        ("baggage, tracecontext,baggage", &["baggage", "tracecontext"]),
        ("None", &[]),
        ("b3,B3Multi,jaeger,xray,ottrace", &["b3", "b3multi", "jaeger", "xray", "ottrace"]),
    ] {
        let config = resolve(&[("OTEL_PROPAGATORS", names)]);
        assert_eq!(config.propagators.names, expected, "{names}");
        assert_eq!(config.warnings, Vec::<String>::new());
    }
    let fields = |names| {
        let composed = resolve(&[("OTEL_PROPAGATORS", names)]).propagators.compose();
        composed.fields().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(fields("b3").contains(&"b3".to_owned()));
    assert!(fields("jaeger").contains(&"uber-trace-id".to_owned()));
    let config = resolve(&[("OTEL_PROPAGATORS", "zipkin,tracecontext")]);
    assert_eq!(config.propagators.names, ["tracecontext"]);
    assert!(config.warnings[0].contains("OTEL_PROPAGATORS names \"zipkin\""), "{:?}", config.warnings);

    let own = || Box::new(opentelemetry_sdk::propagation::TraceContextPropagator::new()) as _;
    let settings =
        Settings { propagators: PropagatorRegistry::new().with("house", own), ..Settings::default() };
    let config = resolve_with(&settings, &[("OTEL_PROPAGATORS", "house")]);
    assert_eq!(config.propagators.names, ["house"]);
    assert_eq!(config.warnings, Vec::<String>::new());
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
    let batch = |batch: super::BatchConfig| {
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
fn attribute_limits_are_those_of_the_kind_then_the_general_ones() {
    let limits = resolve(&[]).limits;
    for kind in [limits.span, limits.event, limits.link, limits.log] {
        assert_eq!((kind.count, kind.value_length), (128, None));
    }
    let general = [("OTEL_ATTRIBUTE_COUNT_LIMIT", "7"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50")];
    let limits = resolve(&general).limits;
    assert_eq!(
        (limits.span.count, limits.event.count, limits.link.count, limits.log.count),
        (7, 128, 128, 7)
    );
    for kind in [limits.span, limits.event, limits.link, limits.log] {
        assert_eq!(kind.value_length, Some(50));
    }
    let config = resolve(&[
        general[0],
        general[1],
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "4"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0"),
    ]);
    let limits = config.limits;
    assert_eq!((limits.span.count, limits.event.count, limits.link.count, limits.log.count), (1, 2, 3, 4));
    assert_eq!((limits.span.value_length, limits.event.value_length), (Some(5), Some(5)));
    assert_eq!((limits.link.value_length, limits.log.value_length), (Some(5), Some(0)));
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn a_bad_value_warns_once_by_name_and_the_default_holds() {
    let defaults = resolve(&[]);
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
        ("OTEL_TRACES_EXPORTER", "file"),
        ("OTEL_METRICS_EXPORTER", "statsd"),
        ("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "never"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "many"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-5"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "long"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1k"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "sparse"),
        ("OTEL_LOG_LEVEL", "loud"),
        ("OTEL_SDK_DISABLED", "yes"),
    ] {
        let config = resolve(&[(name, value)]);
        assert_eq!(config.warnings.len(), 1, "{name}: {:?}", config.warnings);
        assert!(config.warnings[0].starts_with(&format!("{name} is ")), "{:?}", config.warnings);
        let without_identity = |config: Config| {
            let Config { resource: _, warnings: _, .. } = &config;
            format!(
                "{:?} {:?} {:?} {:?} {}",
                config.destinations, config.sampler, config.span_limits, config.limits, config.is_disabled
            )
        };
        assert_eq!(without_identity(config), without_identity(resolve(&[])), "{name}");
    }
    assert_eq!(defaults.warnings, Vec::<String>::new());
}

#[test]
fn a_bad_ratio_samples_everything_and_a_batch_fits_its_queue() {
    let config = resolve(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "7.0")]);
    assert_eq!(config.sampler.to_string(), "traceidratio 1");
    assert!(config.warnings[0].starts_with("OTEL_TRACES_SAMPLER_ARG is \"7.0\""));

    let config = resolve(&[("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20")]);
    assert_eq!(config.destinations.traces[0].batch.max_export_batch_size, 10);
    assert!(config.warnings[0].starts_with("OTEL_BSP_MAX_EXPORT_BATCH_SIZE is 20"));
}

#[test]
fn a_set_variable_without_effect_is_named() {
    let config =
        resolve(&[("OTEL_ENTITIES", "service{}"), ("OTEL_SERVICE_VERSION", "1"), ("OTEL_LOG_LEVEL", "")]);
    assert_eq!(
        config.warnings,
        [
            "OTEL_ENTITIES is set but not supported, it has no effect",
            "OTEL_SERVICE_VERSION is set but not supported, it has no effect; set service.version in \
             OTEL_RESOURCE_ATTRIBUTES instead",
        ]
    );
}

#[test]
fn the_summary_says_what_goes_where() {
    let shop = ("OTEL_SERVICE_NAME", "shop");
    for (variables, expected) in [
        (
            &[shop][..],
            "exporting traces, metrics, logs by http/protobuf to http://localhost:4318; sampler \
             parentbased_always_on; service shop",
        ),
        (
            &[
                shop,
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://u:p@logs/in?key=1"),
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
            ],
            "exporting traces by grpc to http://localhost:4317 and logs by http/protobuf to https://logs/in; sampler \
             parentbased_always_on; service shop",
        ),
        (&[shop, ("OTEL_SDK_DISABLED", "true")], "telemetry is disabled by OTEL_SDK_DISABLED; service shop"),
    ] {
        assert_eq!(resolve(variables).summary(), expected);
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
    assert_eq!(
        config.warnings,
        [
            "OTEL_TRACES_EXPORTER is \"jaeger\": write otlp, and let the collector convert; Jaeger takes OTLP itself"
        ]
    );
}

#[test]
fn histograms_and_the_level_of_the_sdk_are_chosen() {
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    for (value, is_exponential) in
        [("", false), ("explicit_bucket_histogram", false), ("BASE2_exponential_bucket_histogram", true)]
    {
        assert_eq!(resolve(&[(name, value)]).exponential_histograms, is_exponential, "{value}");
    }
    for (value, level) in
        [("none", LevelFilter::OFF), ("WARN", LevelFilter::WARN), ("all", LevelFilter::TRACE)]
    {
        assert_eq!(resolve(&[("OTEL_LOG_LEVEL", value)]).subscriber.unwrap().own_level, Some(level));
    }
}

#[test]
fn names_of_older_texts_are_answered_with_todays() {
    let config =
        resolve(&[("OTEL_RESOURCE_ATTRIBUTES", "environment=prod,deployment.environment=prod,zone=a")]);
    assert_eq!(
        config.warnings,
        ["environment", "deployment.environment"].map(|key| format!(
            "OTEL_RESOURCE_ATTRIBUTES has {key}=..: write deployment.environment.name=.. instead"
        ))
    );
}

#[test]
fn every_variable_that_is_read_is_in_the_list_and_the_reverse() {
    let read = std::cell::RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        // The argument is read for this sampler alone, the address for this exporter.
        match name {
            "OTEL_TRACES_SAMPLER" => Some("traceidratio".to_owned()),
            "OTEL_METRICS_EXPORTER" if cfg!(feature = "prometheus") => Some("otlp,prometheus".to_owned()),
            _ => None,
        }
    };
    Config::resolve(&Settings::default(), &lookup, &[]).unwrap();
    // Those of instrumentations have names of their own.
    let is_listed = |name: &String| name.starts_with("OTEL_") && !name.starts_with("OTEL_INSTRUMENTATION_");
    let read: BTreeSet<String> = read.into_inner().into_iter().filter(is_listed).collect();
    let listed: BTreeSet<String> =
        KNOWN.iter().copied().chain(UNSUPPORTED.iter().map(|(name, _)| *name)).map(str::to_owned).collect();
    let is_built = |name: &String| cfg!(feature = "prometheus") || !name.contains("PROMETHEUS");
    assert_eq!(read, listed.into_iter().filter(is_built).collect());
}

#[test]
fn the_table_of_the_page_has_every_variable_once() {
    let page = include_str!("../docs/variables.md");
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let of_otel: Vec<&str> = rows.iter().copied().filter(|name| name.starts_with("OTEL_")).collect();
    let listed: BTreeSet<&str> = of_otel.iter().copied().collect();
    assert_eq!(of_otel.len(), listed.len());
    assert_eq!(listed, KNOWN.iter().copied().collect());
    for (name, _) in UNSUPPORTED {
        assert!(page.contains(name), "{name} is missing below the table");
    }
}

#[test]
fn a_misspelt_variable_of_the_process_is_named() {
    let names = [
        "OTEL_SERVICE_NAMES",
        "OTEL_SERVICE_NAME",
        "OTEL_INSTRUMENTATION_HTTP_ENABLED",
        "OTEL_INSTRUMENTATION_GRPC_EXCLUDED_PATHS",
        "OTEL_INSTRUMENTATION_DB_EXCLUDED_URLS",
        "PATH",
        "OTEL_EMPTY",
    ]
    .map(str::to_owned);
    let lookup = |name: &str| {
        let value = match name {
            "OTEL_EMPTY" => "",
            "OTEL_INSTRUMENTATION_HTTP_ENABLED" => "False",
            "OTEL_INSTRUMENTATION_GRPC_EXCLUDED_PATHS" => {
                " /grpc.health.v1.Health/*, *Reflection/*,,https://x/y"
            }
            _ => "x",
        };
        Some(value.to_owned()).filter(|_| names.contains(&name.to_owned()))
    };
    let config = Config::resolve(&Settings::default(), &lookup, &names).unwrap();
    assert_eq!(config.instrumentations.disabled, ["http"]);
    let excluded = ["/grpc.health.v1.Health/*", "*Reflection/*"].map(str::to_owned).to_vec();
    assert_eq!(config.instrumentations.excluded_paths, [("grpc".to_owned(), excluded)]);
    // Without the names those of this family are found all the same.
    let config_without = Config::resolve(&Settings::default(), &lookup, &[]).unwrap();
    assert_eq!(config_without.instrumentations, config.instrumentations);
    assert_eq!(
        config.warnings,
        [
            "OTEL_INSTRUMENTATION_DB_EXCLUDED_URLS is set but not supported, it has no effect; set \
             OTEL_INSTRUMENTATION_DB_EXCLUDED_PATHS instead, to paths such as /health*",
            "OTEL_INSTRUMENTATION_GRPC_EXCLUDED_PATHS has \"https://x/y\", which no path is like: one begins with / or *, as in /health*",
            "OTEL_SERVICE_NAMES is set but not known, it has no effect; is it misspelt?"
        ]
    );
}

#[test]
fn the_argument_of_the_sampler_belongs_to_whoever_was_chosen() {
    let production = || Settings { sampling: Some(Sampling::production()), ..Settings::default() };
    let in_code = || Settings { sampling: Some(Sampling::probability(0.5)), ..Settings::default() };
    let mut added = Settings::default();
    let make = |argument: Option<&str>| {
        Sampling::probability(argument.and_then(|argument| argument.parse().ok()).unwrap_or(0.75))
    };
    added.registry.add_sampler("mine", Arc::new(make));
    let (name, argument) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
    for (settings, variables, expected, warning) in [
        (production(), &[(argument, "0.2")][..], "production: probability 5 %", Some("it needs a sampler")),
        (production(), &[(name, "staging"), (argument, "0.2")], "staging: probability 20 %", None),
        (production(), &[(name, "production"), (argument, "0.2")], "production: probability 20 %, at", None),
        (in_code(), &[(argument, "0.2")], "probability 50 %", Some("the code says what is sampled")),
        (Settings::default(), &[(argument, "0.2")], "parentbased_always_on", Some("it needs a sampler")),
        (Settings::default(), &[(name, "always_off"), (argument, "0.2")], "always_off", Some("takes none")),
        (added.clone(), &[(name, "MINE")], "probability 75 %", None),
        (added.clone(), &[(name, "mine"), (argument, "0.2")], "probability 20 %", None),
        (added, &[(name, "yours")], "parentbased_always_on", Some("production or emergency, mine")),
    ] {
        let config = resolve_with(&settings, variables);
        assert!(config.sampler.to_string().starts_with(expected), "{variables:?}: {}", config.sampler);
        assert_eq!(
            config.warnings.len(),
            usize::from(warning.is_some()),
            "{variables:?}: {:?}",
            config.warnings
        );
        for (said, expected) in config.warnings.iter().zip(warning) {
            assert!(said.starts_with("OTEL_TRACES_SAMPLER") && said.contains(expected), "{said}");
        }
    }
}

#[test]
fn what_has_no_key_in_the_schema_is_shown_too_and_secrets_are_not() {
    let variables = [
        ("OTEL_INIT_DEBUG_KEY", "hunter2 hunter2 hunter2 hunter2 "),
        ("OTEL_INIT_SAMPLER_FILE", "/run/sampler.json"),
        ("OTEL_INIT_DISK_BUFFER_DIRECTORY", "/var/otel"),
        ("OTEL_INSTRUMENTATION_DB_ENABLED", "false"),
        ("OTEL_INSTRUMENTATION_HTTP_EXCLUDED_PATHS", "/a,/b"),
    ];
    let config = resolve(&variables).effective();
    let own = |key: &str| format!("distribution.otel-init.{key}");
    for (name, value, variable) in [
        (own("debug_key"), "REDACTED", "OTEL_INIT_DEBUG_KEY"),
        (own("sampler_file"), "/run/sampler.json", "OTEL_INIT_SAMPLER_FILE"),
        (own("disk_buffer.directory"), "/var/otel", "OTEL_INIT_DISK_BUFFER_DIRECTORY"),
        ("instrumentation.rust.db.enabled".to_owned(), "false", "OTEL_INSTRUMENTATION_DB_ENABLED"),
        (
            "instrumentation.rust.http.excluded_paths".to_owned(),
            "/a,/b",
            "OTEL_INSTRUMENTATION_HTTP_EXCLUDED_PATHS",
        ),
    ] {
        let setting = config.setting(&name).unwrap_or_else(|| panic!("{name} is missing in\n{config}"));
        let source = SettingSource::Variable(variable.to_owned());
        assert_eq!((setting.value(), setting.source()), (value, &source), "{name}");
    }
    assert!(!config.to_string().contains("hunter2"));
    let in_code =
        Sampling::development().with_debug_header(DebugHeader::new("a key of at least 32 characters.."));
    let settings = Settings { sampling: Some(in_code), ..Settings::default() };
    let config = resolve_with(&settings, &variables[..1]).effective();
    assert_eq!(config.setting(&own("debug_key")).unwrap().source(), &SettingSource::Code);
}
