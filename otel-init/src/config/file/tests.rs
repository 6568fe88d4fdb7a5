//! What a file says arrives in the configuration; what it must not say is an error with its line.

use std::time::Duration;

use opentelemetry::{Key, Value};
use opentelemetry_sdk::metrics::Temporality;
use tracing_subscriber::filter::LevelFilter;

use super::{Config, FileConfig, FileError, read};
use crate::config::{Compression, ExporterConfig, Instrumentations, LONGEST_WAIT, OtlpConfig, Settings};
use crate::{ConsoleLogs, ExemplarFilter, Protocol, Signal};

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<FileConfig, FileError> {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    read(text, &Settings::default(), &lookup)
}

fn parse(text: &str) -> Config {
    parse_with(text, &[]).unwrap().config
}

/// The message of a file that is wrong.
fn wrong(text: &str) -> String {
    parse_with(text, &[]).unwrap_err().to_string()
}

fn otlp(config: &Config, signal: Signal) -> &OtlpConfig {
    config.destinations.otlp().find(|otlp| otlp.signal == signal).unwrap()
}

mod mistakes;
mod samplers;
mod yaml;

pub(in crate::config) const FULL: &str = r#"
file_format: "1.0"
disabled: ${OTEL_SDK_DISABLED:-false}
log_level: warn
attribute_limits: {attribute_count_limit: 64, attribute_value_length_limit: 1024}
resource:
  attributes_list: "team=a%20b,zone=1"
  attributes:
    - {name: service.name, value: orders}
    - {name: zone, value: 7, type: int}
    - {name: ports, value: [1, 2], type: int_array}
    - {name: unset, value: }
  schema_url: https://opentelemetry.io/schemas/1.40.0
  detection/development:
    attributes: {excluded: [process.command*]}
    detectors:
      - process:
      - host: {}
propagator:
  composite: [{tracecontext: }, {b3: }]
  composite_list: ${PROPAGATORS:-baggage,b3}
tracer_provider:
  limits: {attribute_count_limit: 10, event_count_limit: 5}
  sampler:
    parent_based:
      root: {trace_id_ratio_based: {ratio: 0.25}}
      remote_parent_not_sampled: {always_off: }
  processors:
    - batch:
        schedule_delay: 100
        max_queue_size: 300
        max_export_batch_size: 30
        export_timeout: 700
        exporter:
          otlp_http:
            endpoint: https://collector:4318/v1/traces
            compression: zstd
            encoding: json
            timeout: 2000
            headers_list: authorization=old,x-team=a
            headers:
              - {name: authorization, value: "Bearer ${TOKEN}"}
              - {name: x-none, value: }
            tls: {ca_file: /ca.pem, cert_file: /me.pem, key_file: /me.key}
    - simple: {exporter: {console: }}
logger_provider:
  processors:
    - batch: {exporter: {otlp_grpc: {endpoint: "collector:4317", tls: {insecure: true}}}}
meter_provider:
  exemplar_filter: always_off
  readers:
    - periodic:
        interval: 1000
        cardinality_limits: {default: 100, counter: 7}
        exporter:
          otlp_grpc:
            temporality_preference: delta
            default_histogram_aggregation: base2_exponential_bucket_histogram
  views:
    - selector: {instrument_name: "http.*", instrument_type: histogram, unit: s, meter_name: shop}
      stream:
        name: other
        aggregation: {explicit_bucket_histogram: {boundaries: [0.1, 1, 10]}}
        attribute_keys: {included: [route]}
        aggregation_cardinality_limit: 50
    - selector: {meter_name: chatty}
      stream: {aggregation: {drop: }}
instrumentation/development:
  general:
    http:
      server: {request_captured_headers: [x-tenant, "!x-noise"]}
      client: {response_captured_headers: ["x-shop-*"]}
  java: {anything: {at: all}}
  rust:
    http: {excluded_paths: ["/health*", /metrics]}
    otel-db: {enabled: false}
    grpc: {enabled: true}
distribution:
  otel-init:
    sampler_file: /run/sampler.json
    debug_key: a key of at least 32 characters..
    shutdown_timeout: 1500
    telemetry_level: debug,sqlx=warn
    console_logs: logfmt
    panic_hook: true
    process_metrics: true
    code_locations: true
    baggage_attributes: [tenant]
    max_spans_per_trace: 5000
    max_span_depth: 40
    open_spans: 30000
    drop_rules: [{attribute: {key: url.path, value: "/health*"}}, {span_name: "GET /ready"}]
    redaction:
      personal_data: true
      keys: [{key: shop.coupon, action: keep_last_4}]
      values: [{pattern: "CUST-\\d+", replacement: CUST}]
  another: {anything: 1}
"#;

#[test]
fn everything_that_is_supported_arrives() {
    let file = parse_with(FULL, &[("TOKEN", "t0p")]).unwrap();
    let config = &file.config;
    let [told] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    assert!(told.contains("the header x-none has no value") && !config.is_disabled, "{told}");
    assert_eq!(file.own_level, Some(LevelFilter::WARN));
    let attribute = |key: &'static str| {
        file.resource.iter().rfind(|(known, _)| *known == Key::from(key)).map(|(_, value)| value.clone())
    };
    assert_eq!(attribute("team"), Some(Value::from("a b")));
    assert_eq!(attribute("zone"), Some(Value::I64(7)), "the list loses");
    assert_eq!(attribute("ports"), Some(Value::Array(vec![1_i64, 2].into())));
    assert_eq!(attribute("unset"), None);
    assert_eq!(file.schema_url.as_deref(), Some("https://opentelemetry.io/schemas/1.40.0"));
    assert_eq!(config.detectors, ["process", "host"]);
    assert_eq!(file.detected.excluded, ["process.command*"]);
    assert_eq!(config.propagators.names, ["tracecontext", "b3", "baggage"]);

    let spans = &config.destinations.traces;
    assert_eq!(spans.len(), 2);
    assert!(matches!(spans[1].exporter, ExporterConfig::Console));
    assert_eq!(spans[1].batch.max_export_batch_size, 1);
    assert_eq!((spans[0].batch.max_queue_size, spans[0].batch.max_export_batch_size), (300, 30));
    assert_eq!(spans[0].batch.schedule_delay, Duration::from_millis(100));
    let traces = otlp(config, Signal::Traces);
    assert_eq!((traces.protocol, traces.compression), (Protocol::HttpJson, Some(Compression::Zstd)));
    assert_eq!(traces.timeout, Duration::from_millis(2000));
    let bound = config.destinations.traces[0].batch.export_timeout;
    assert_eq!(bound, Some(Duration::from_millis(700)));
    let caps = (config.safety.max_spans_per_trace, config.safety.max_span_depth);
    assert_eq!(caps, (Some(5000), Some(40)));
    assert_eq!(file.console_logs, Some(ConsoleLogs::Logfmt));
    assert!(config.panic_hook && config.metrics.process_metrics && config.has_code_locations);
    assert_eq!(traces.headers["authorization"], "Bearer t0p");
    assert_eq!((traces.headers["x-team"].to_str().unwrap(), traces.headers.len()), ("a", 2));
    assert_eq!(traces.tls.client_key.as_deref(), Some(std::path::Path::new("/me.key")));
    assert_eq!(otlp(config, Signal::Logs).endpoint.url(), "http://collector:4317");
    let metrics = &config.destinations.metrics[0];
    assert_eq!((metrics.interval, metrics.temporality), (Duration::from_secs(1), Temporality::Delta));
    assert_eq!(otlp(config, Signal::Metrics).endpoint.url(), "http://localhost:4317");

    assert_eq!(config.sampler.to_string(), "parentbased_traceidratio 0.25");
    assert_eq!((config.limits.span.count, config.limits.span.value_length), (10, Some(1024)));
    assert_eq!((config.limits.log.count, config.limits.event.count), (64, 128));
    assert_eq!(config.span_limits.max_events_per_span, 5);
    assert!(config.metrics.exponential_histograms);
    assert_eq!(config.metrics.views.len(), 2);
    assert_eq!(config.shutdown_timeout, Duration::from_millis(1500));
    assert_eq!(config.telemetry_levels.to_string(), "debug,sqlx=warn");
    assert_eq!(config.safety.baggage_attributes, ["tenant"]);
    assert_eq!(config.safety.drop_rules.len(), 2);
    assert_eq!(file.lines["tracer_provider.sampler"], 25);
    assert_eq!(config.sampler.file.as_deref(), Some(std::path::Path::new("/run/sampler.json")));
    assert_eq!(file.debug_key.as_deref(), Some("a key of at least 32 characters.."));
    let excluded = vec!["/health*".to_owned(), "/metrics".to_owned()];
    assert_eq!(
        config.instrumentations,
        Instrumentations {
            disabled: vec!["otel-db".to_owned()],
            excluded_paths: vec![("http".to_owned(), excluded)],
            captured_headers: [
                vec!["x-tenant".into(), "!x-noise".into()],
                vec![],
                vec![],
                vec!["x-shop-*".into()]
            ],
        }
    );
}

#[test]
fn little_is_enough_and_says_nothing_more() {
    let config = parse("file_format: \"1.0\"\n");
    assert_eq!(config.destinations.exporters().count(), 0);
    assert!(config.propagators.names.is_empty() && config.detectors.is_empty());
    assert_eq!(config.sampler.to_string(), "parentbased_always_on");
    assert_eq!((config.limits.span.count, config.limits.span.value_length), (128, None));
    for text in
        ["file_format: \"1.1\"\nstability: development\n", "file_format: '1.0-rc.2'", "file_format: \"1\""]
    {
        assert!(parse(text).warnings.is_empty(), "{text}");
    }
    let newer = parse("file_format: \"1.9\"").warnings;
    assert!(newer.len() == 1 && newer[0].contains("read as far as it is known"), "{newer:?}");
}

#[test]
fn a_queue_that_is_not_counted_holds_any_batch_and_zero_is_no_limit() {
    let batch = "batch: {schedule_delay: 0, export_timeout: 0, max_export_batch_size: 5000, exporter: {otlp_http: {timeout: 0}}}";
    let config = parse(&format!("file_format: '1.0'\ntracer_provider: {{processors: [{{{batch}}}]}}"));
    let traces = &config.destinations.traces[0].batch;
    assert_eq!((traces.max_export_batch_size, traces.schedule_delay.as_millis()), (5000, 1));
    assert_eq!(traces.export_timeout, Some(LONGEST_WAIT));
    assert_eq!(otlp(&config, Signal::Traces).timeout, LONGEST_WAIT);
}

/// As those of exporters and samplers.
#[test]
fn names_of_propagators_and_detectors_have_no_case() {
    let builder = crate::Telemetry::builder().with_resource_detector("Mine", Vec::new);
    let settings = builder
        .with_propagator("Own", || Box::new(opentelemetry_sdk::propagation::TraceContextPropagator::new()))
        .into_settings();
    let text = "file_format: '1.0'\nresource: {detection/development: {detectors: [{Mine: }]}}\n\
                propagator: {composite: [{Own: }], composite_list: TraceContext}\n";
    let config = read(text, &settings, &|_| None).unwrap().config;
    assert_eq!(config.propagators.names, ["own", "tracecontext"]);
    assert_eq!(config.detectors, ["mine"]);
}

#[test]
fn an_exemplar_filter_is_read_and_what_is_null_is_unset() {
    let config = parse(
        "file_format: '1.0'\nmeter_provider:\n  readers: [{periodic: {exporter: {console: }}}]\n  exemplar_filter: always_on\n\
         instrumentation/development: {general: {stability_opt_in_list: }}\n",
    );
    assert_eq!(config.metrics.exemplar_filter, Some(ExemplarFilter::AlwaysOn));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(parse("file_format: '1.0'\n").metrics.exemplar_filter, None);
}

#[test]
fn the_examples_of_the_guide_are_read() {
    // The book is not a part of the package.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/guide/configuration.md");
    let Ok(guide) = std::fs::read_to_string(path) else { return };
    let example = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config =
        parse_with(example, &[("TOKEN", "t0p"), ("COLLECTOR", "http://collector:4318")]).unwrap().config;
    assert_eq!(otlp(&config, Signal::Logs).endpoint.url(), "http://collector:4318/v1/logs");
    assert_eq!(otlp(&config, Signal::Traces).headers["authorization"], "Bearer t0p");
    assert_eq!(config.sampler.to_string(), "parentbased_traceidratio 0.1");
    assert_eq!((config.detectors.len(), config.safety.drop_rules.len()), (3, 1));
    let sampler = guide.split("```yaml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let text =
        format!("file_format: '1.0'\n{sampler}  processors: [{{simple: {{exporter: {{console: }}}}}}]\n");
    let config = parse(&text);
    assert_eq!(
        config.sampler.to_string(),
        "url.path /health*: always_off; kind Server or Consumer: probability 10 %; otherwise: probability 1 %"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse_with(&text, &[]);
    }

    #[test]
    fn no_damaged_file_panics(at in 0..2_600_usize, with in "[ \\n:{}\\[\\]$*&'\"0-9a-z-]{0,4}") {
        let mut text = FULL.to_owned();
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.insert_str(at, &with);
        let _ = parse_with(&text, &[]);
    }
}

/// One file may be there for services in several languages.
#[test]
fn a_file_may_ask_for_the_conventions_that_are_emitted() {
    let config = parse(
        "file_format: '1.0'\ninstrumentation/development:\n  general:\n    stability_opt_in_list: http, database,rpc,k8s\n    \
         http: {semconv: {version: 1, experimental: false, dual_emit: false}}\n    db: {semconv: {version: }}\n    rpc:\n",
    );
    assert_eq!((config.instrumentations, config.warnings), Default::default());
}
