//! What wins over what, variable by variable, with an injected environment.

mod edges;
mod effects;
mod exporters;
mod names;
mod samplers;
mod sources;
mod told;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::metrics::Temporality;
use otel_core::propagation::PropagatorRegistry;

use super::{Config, ExporterConfig, OtlpConfig, Settings, TlsConfig};
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
        ("OTEL_METRICS_EXEMPLAR_FILTER", "all"),
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
        let verb = if name.ends_with("S_EXPORTER") { "names" } else { "is" };
        assert!(config.warnings[0].starts_with(&format!("{name} {verb} ")), "{:?}", config.warnings);
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
fn what_has_no_key_in_the_schema_is_shown_too_and_secrets_are_not() {
    let variables = [
        ("OTEL_INIT_DEBUG_KEY", "hunter2 hunter2 hunter2 hunter2 "),
        ("OTEL_INIT_SAMPLER_FILE", "/run/sampler.json"),
        ("OTEL_INIT_DISK_BUFFER_DIRECTORY", "/var/otel"),
        ("OTEL_INSTRUMENTATION_DB_ENABLED", "false"),
        ("OTEL_INSTRUMENTATION_HTTP_EXCLUDED_PATHS", "/a,/b"),
        ("OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS", " x-shop-*,!x-shop-noise, x tenant,("),
    ];
    let config = resolve(&variables);
    let bad = |warning: &&String| {
        warning.ends_with(", expected a header's name like x-tenant or x-shop-*; it records no header")
    };
    assert_eq!(config.warnings.iter().filter(bad).count(), 2, "{:?}", config.warnings);
    let config = config.effective();
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
        (
            "instrumentation.general.http.client.response_captured_headers".to_owned(),
            "x-shop-*,!x-shop-noise",
            "OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS",
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
