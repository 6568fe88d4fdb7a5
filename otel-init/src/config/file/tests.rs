//! What a file says arrives in the configuration; what it must not say is an error with its line.

use std::time::Duration;

use opentelemetry::{Key, Value};
use opentelemetry_sdk::metrics::Temporality;
use tracing_subscriber::filter::LevelFilter;

use super::{FileConfig, FileError, read};
use crate::config::{Compression, ExporterConfig, Instrumentations, LONGEST_WAIT, OtlpConfig, Settings};
use crate::{ConsoleLogs, ExemplarFilter, Protocol, Signal};

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<FileConfig, FileError> {
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    read(text, &Settings::default(), &lookup)
}

fn parse(text: &str) -> FileConfig {
    parse_with(text, &[]).unwrap()
}

/// The message of a file that is wrong.
fn wrong(text: &str) -> String {
    parse_with(text, &[]).unwrap_err().to_string()
}

fn otlp(config: &FileConfig, signal: Signal) -> &OtlpConfig {
    config.destinations.otlp().find(|otlp| otlp.signal == signal).unwrap()
}

mod samplers;

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
    let config = parse_with(FULL, &[("TOKEN", "t0p")]).unwrap();
    assert!(!config.is_disabled && config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(config.own_level, Some(LevelFilter::WARN));
    let attribute = |key: &'static str| {
        config.resource.iter().rfind(|(known, _)| *known == Key::from(key)).map(|(_, value)| value.clone())
    };
    assert_eq!(attribute("team"), Some(Value::from("a b")));
    assert_eq!(attribute("zone"), Some(Value::I64(7)), "the list loses");
    assert_eq!(attribute("ports"), Some(Value::Array(vec![1_i64, 2].into())));
    assert_eq!(attribute("unset"), None);
    assert_eq!(config.schema_url.as_deref(), Some("https://opentelemetry.io/schemas/1.40.0"));
    assert_eq!(config.detectors, ["process", "host"]);
    assert_eq!(config.detected.excluded, ["process.command*"]);
    assert_eq!(config.propagators, ["tracecontext", "b3", "baggage"]);

    let spans = &config.destinations.traces;
    assert_eq!(spans.len(), 2);
    assert!(matches!(spans[1].exporter, ExporterConfig::Console));
    assert_eq!(spans[1].batch.max_export_batch_size, 1);
    assert_eq!((spans[0].batch.max_queue_size, spans[0].batch.max_export_batch_size), (300, 30));
    assert_eq!(spans[0].batch.schedule_delay, Duration::from_millis(100));
    let traces = otlp(&config, Signal::Traces);
    assert_eq!((traces.protocol, traces.compression), (Protocol::HttpJson, Some(Compression::Zstd)));
    assert_eq!(traces.timeout, Duration::from_millis(2000));
    let bound = config.destinations.traces[0].batch.export_timeout;
    assert_eq!(bound, Some(Duration::from_millis(700)));
    let caps = (config.safety.max_spans_per_trace, config.safety.max_span_depth);
    assert_eq!(caps, (Some(5000), Some(40)));
    assert_eq!(config.console_logs, Some(ConsoleLogs::Logfmt));
    assert!(config.panic_hook && config.process_metrics && config.code_locations);
    assert_eq!(traces.headers["authorization"], "Bearer t0p");
    assert_eq!((traces.headers["x-team"].to_str().unwrap(), traces.headers.len()), ("a", 2));
    assert_eq!(traces.tls.client_key.as_deref(), Some(std::path::Path::new("/me.key")));
    assert_eq!(otlp(&config, Signal::Logs).endpoint.url(), "http://collector:4317");
    let metrics = &config.destinations.metrics[0];
    assert_eq!((metrics.interval, metrics.temporality), (Duration::from_secs(1), Temporality::Delta));
    assert_eq!(otlp(&config, Signal::Metrics).endpoint.url(), "http://localhost:4317");

    assert_eq!(config.sampler.to_string(), "parentbased_traceidratio 0.25");
    assert_eq!((config.limits.span.count, config.limits.span.value_length), (10, Some(1024)));
    assert_eq!((config.limits.log.count, config.limits.event.count), (64, 128));
    assert_eq!(config.span_limits.max_events_per_span, 5);
    assert!(config.exponential_histograms);
    assert_eq!(config.views.len(), 2);
    assert_eq!(config.shutdown_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(config.telemetry_levels.to_string(), "debug,sqlx=warn");
    assert_eq!(config.safety.baggage_attributes, ["tenant"]);
    assert_eq!(config.safety.drop_rules.len(), 2);
    assert_eq!(config.lines["tracer_provider.sampler"], 25);
    assert_eq!(config.sampler.file.as_deref(), Some(std::path::Path::new("/run/sampler.json")));
    assert_eq!(config.debug_key.as_deref(), Some("a key of at least 32 characters.."));
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
    assert!(config.propagators.is_empty() && config.detectors.is_empty());
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

#[test]
fn anchors_are_expanded_and_merged() {
    let config = parse(
        "file_format: '1.0'\n\
         tracer_provider:\n  processors:\n    - batch:\n        exporter: &way\n          otlp_http: &http {endpoint: http://c/v1/traces, timeout: 5}\n\
         logger_provider:\n  processors:\n    - batch: {exporter: {otlp_http: {<<: *http, endpoint: http://c/v1/logs}}}\n    - batch: {exporter: *way}\n",
    );
    assert_eq!(otlp(&config, Signal::Logs).endpoint.url(), "http://c/v1/logs");
    assert_eq!(otlp(&config, Signal::Logs).timeout, Duration::from_millis(5));
    assert_eq!(config.destinations.logs.len(), 2);
}

#[test]
fn variables_have_the_type_of_their_text_and_no_structure() {
    let file =
        |value: &str| format!("file_format: '1.0'\nattribute_limits: \n  attribute_count_limit: {value}\n");
    let variables = [("COUNT", "7"), ("HEX", "0x10"), ("MAP", "7\nextra: 1"), ("WORD", "many")];
    let count = |value: &str| parse_with(&file(value), &variables).map(|config| config.limits.span.count);
    assert_eq!(count("${COUNT}"), Ok(7));
    assert_eq!(count("${HEX}"), Ok(16));
    assert_eq!(count("${NONE}"), Ok(128), "an empty value is null, and null is the default");
    assert_eq!(count("${NONE:-9}"), Ok(9));
    for value in ["${MAP}", "${WORD}", "'${COUNT}'", "\"7\"", "${COUNT:?no}"] {
        let error = count(value).unwrap_err();
        assert_eq!(error.line, 3, "{error}");
    }
    // A token of digits alone is a text where a text is expected: nobody can quote a variable.
    let headers = "file_format: '1.0'\n\
                   tracer_provider:\n  processors:\n    - batch:\n        exporter:\n          otlp_http:\n            \
                   headers:\n              - name: key\n                value: ${COUNT}\n";
    let config = parse_with(headers, &variables).unwrap();
    assert_eq!(otlp(&config, Signal::Traces).headers["key"], "7");
    assert!(otlp(&config, Signal::Traces).headers["key"].is_sensitive());
}

#[test]
fn a_secret_that_is_written_in_another_form_is_not_shown() {
    let otlp = |settings: &str| {
        format!(
            "tracer_provider:\n  processors:\n    - batch:\n        exporter:\n          otlp_http:\n            {settings}"
        )
    };
    for (text, place) in [
        (otlp("headers: api-key=7234"), "otlp_http.headers: expected a list"),
        (otlp("headers: [api-key=7234]"), "otlp_http.headers[0]: expected a map"),
        (otlp("headers: [{name: api-key, value: 7234}]"), "otlp_http.headers[0].value: expected a text"),
        (otlp("headers_list: 7234"), "otlp_http.headers_list: expected a text"),
        (
            otlp("tls: {key_file: '-----BEGIN KEY-----7234'}"),
            "otlp_http.tls.key_file: expected the path of a file",
        ),
        ("distribution: {otel-init: {debug_key: 7234}}".to_owned(), "otel-init.debug_key: expected a text"),
        ("distribution: {otel-init: {redaction: {hash_key: 7234}}}".to_owned(), "hash_key: expected a text"),
    ] {
        let error = wrong(&format!("file_format: '1.0'\n{text}"));
        assert!(error.contains(place) && !error.contains("7234"), "{error}");
    }
}

#[test]
fn a_mistake_is_named_with_its_line_and_its_keys() {
    let start = "file_format: '1.0'\n";
    for (text, expected) in [
        ("disabled: maybe", "line 2: disabled: expected true or false, found \"maybe\""),
        ("disabled: 'true'", "line 2: disabled: expected true or false, found \"true\""),
        ("disbled: true", "line 2: the key disbled is not known here"),
        ("log_level: loud", "line 2: log_level: expected a severity"),
        (
            "instrumentation/development:\n  rust:\n    http:\n      excluded_paths:\n        - /metrics\n        - health",
            "line 7: instrumentation/development.rust.http.excluded_paths[1]: expected a path that begins with / or *, \
             found \"health\"",
        ),
        ("resource: []", "line 2: resource: expected a map, found a list"),
        ("resource:\n  attributes:\n    - {nam: x}", "line 4: resource.attributes[0]: name is missing"),
        (
            "resource:\n  attributes:\n    - {name: x, value: y, type: int}",
            "line 4: resource.attributes[0].value: expected a whole number, found \"y\"",
        ),
        (
            "resource:\n  attributes:\n    - {name: x, value: 1}",
            "line 4: resource.attributes[0].value: expected a text, which is to be quoted if it looks like a number, \
             found \"1\"",
        ),
        ("resource: {detection/development: {detectors: [{moon: }]}}", "no detector has this name: service,"),
        (
            "propagator: {composite: [{pigeon: }]}",
            "line 2: propagator.composite[0].pigeon: pigeon is not supported",
        ),
        ("tracer_provider: {}", "line 2: tracer_provider: processors is missing"),
        (
            "tracer_provider: {processors: []}",
            "line 2: tracer_provider.processors: expected a list of at least one item",
        ),
        (
            "instrumentation/development:\n  rust:\n    http: {excluded: [a]}",
            "line 4: instrumentation/development.rust.http: the key excluded is not known here",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch:\n        exporter: {zipkin: }",
            "line 5: tracer_provider.processors[0].batch.exporter.zipkin: not supported: it is deprecated",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {console: , otlp_http: }}",
            "line 4: tracer_provider.processors[0].batch.exporter: exactly one key is expected, console, otlp_http",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {max_queue_size: 0, exporter: {console: }}",
            "line 4: tracer_provider.processors[0].batch.max_queue_size: expected a whole number from 1",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {max_queue_size: 5, max_export_batch_size: 6, exporter: {console: }}",
            "a batch is not larger than the queue",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {otlp_http: {endpoint: 'collector:4318'}}}",
            "line 4: tracer_provider.processors[0].batch.exporter.otlp_http.endpoint: a URL with http:// or https://",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {otlp_http: {tls: {key_file: /k}}}}",
            "key_file and cert_file are needed together",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {console: }}\n  sampler:\n    trace_id_ratio_based:\n      ratio: 2",
            "line 7: tracer_provider.sampler.trace_id_ratio_based.ratio: expected a number from 0 to 1",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {console: }}\n  sampler: {jaeger_remote/development: {endpoint: x}}",
            "line 5: tracer_provider.sampler.jaeger_remote/development: not supported: write probability/development",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {console: }}\n  sampler: {always_record: {root: {always_off: }}}",
            "tracer_provider.sampler.always_record: not supported: nothing here looks at spans that are not sampled",
        ),
        (
            "logger_provider:\n  processors:\n    - batch: {exporter: {console: }}\n  logger_configurator/development: {default_config: {disabled: true}}",
            "line 5: logger_provider.logger_configurator/development: not supported",
        ),
        (
            "instrumentation/development: {general: {http: {client: {known_methods: [GET]}}}}",
            "general.http.client.known_methods: not supported: set OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
        ),
        (
            "instrumentation/development: {general: {stability_opt_in_list: 'rpc,http/dup'}}",
            "stability_opt_in_list: expected stable conventions, without /dup",
        ),
        (
            "instrumentation/development: {general: {stability_opt_in_list: gen_ai_latest_experimental}}",
            "chosen by OTEL_SEMCONV_STABILITY_OPT_IN",
        ),
        (
            "instrumentation/development: {general: {http: {semconv: {dual_emit: true}}}}",
            "general.http.semconv.dual_emit: expected false: stable conventions",
        ),
        (
            "instrumentation/development: {general: {db: {semconv: {version: 2}}}}",
            "general.db.semconv.version: expected 1: stable conventions",
        ),
        ("instrumentation/development: {general: {rpc: {other: 1}}}", "general.rpc.other: not supported"),
        (
            "instrumentation/development:\n  general:\n    http:\n      server: {request_captured_headers: [x tenant]}",
            "line 5: instrumentation/development.general.http.server.request_captured_headers[0]: expected a header's name \
             like x-tenant or x-shop-*, found \"x tenant\"",
        ),
        (
            "meter_provider:\n  readers: [{periodic: {exporter: {console: }}}]\n  views:\n    - {selector: {}, stream: {attribute_keys: {excluded: [a]}}}",
            "line 5: meter_provider.views[0].stream.attribute_keys: not supported: excluded",
        ),
        (
            "meter_provider:\n  readers: [{periodic: {exporter: {console: }}}]\n  views:\n    - {selector: {}, stream: {aggregation: {explicit_bucket_histogram: {boundaries: [2, 1]}}}}",
            "must be sorted",
        ),
        (
            "meter_provider:\n  readers:\n    - periodic: {exporter: {otlp_http: {default_histogram_aggregation: base2_exponential_bucket_histogram}}}\n    - periodic: {exporter: {otlp_http: }}",
            "must be the same for all readers",
        ),
        (
            "distribution: {otel-init: {debug_key: short}}",
            "line 2: distribution.otel-init.debug_key: a key has at least 16 bytes",
        ),
        (
            "distribution:\n  otel-init:\n    redaction: {values: [{pattern: 'a(b'}]}",
            "line 4: distribution.otel-init.redaction.values[0].pattern: not a pattern",
        ),
        ("disabled: true\ndisabled: false", "line 3: disabled: the key is there twice"),
        ("disabled: [", "line 3"),
        ("disabled: *nowhere", "line 2"),
    ] {
        let message = wrong(&format!("{start}{text}\n"));
        assert!(message.contains(expected), "{text}\n  says {message}\n  not  {expected}");
    }
    for (text, expected) in [
        ("", "the file is empty"),
        ("a: b", "line 1: file_format is missing"),
        ("file_format: 1.0", "line 1: file_format: expected a text, which is to be quoted"),
        ("file_format: '0.4'", "line 1: file_format: \"0.4\" is not supported"),
        ("file_format: '2.0'", "line 1: file_format: \"2.0\" is not supported"),
        ("- file_format", "line 1: expected a map, found a list"),
        ("file_format: '1.0'\n---\nfile_format: '1.0'", "line 2: there is a second document"),
    ] {
        let message = wrong(text);
        assert!(message.contains(expected), "{text}\n  says {message}\n  not  {expected}");
    }
}

#[test]
fn the_value_of_a_variable_is_not_in_the_message() {
    let text = "file_format: '1.0'\ndisabled: ${TOKEN}\n";
    let error = parse_with(text, &[("TOKEN", "hunter2")]).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_variable_that_leaves_a_hole_is_a_warning() {
    let text = "file_format: '1.0'\nresource:\n  attributes:\n    - {name: a, value: 'Bearer ${TOKEN}'}\n    \
                - {name: b, value: '${B:-}c${OTHER:-d}'}\n    - {name: c, value: \"${NOTHING}\"}\n";
    assert_eq!(
        parse(text).warnings,
        ["line 4: TOKEN is not set, and nothing stands in its place; write ${TOKEN:-} if it should"]
    );
}

#[test]
fn an_exemplar_filter_is_read_and_what_is_null_is_unset() {
    let config = parse(
        "file_format: '1.0'\nmeter_provider:\n  readers: [{periodic: {exporter: {console: }}}]\n  exemplar_filter: always_on\n\
         instrumentation/development: {general: {stability_opt_in_list: }}\n",
    );
    assert_eq!(config.exemplar_filter, ExemplarFilter::AlwaysOn);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(parse("file_format: '1.0'\n").exemplar_filter, ExemplarFilter::TraceBased);
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

#[test]
fn a_small_file_cannot_become_a_large_tree() {
    let mut text = String::from("file_format: '1.0'\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let one = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", [one.as_str(); 10].join(", ")));
    }
    assert!(wrong(&text).contains("too large"));
    let deep = format!("file_format: '1.0'\na: {}{}\n", "[".repeat(200), "]".repeat(200));
    assert!(wrong(&deep).contains("nested too deeply"), "{}", wrong(&deep));
}

#[test]
fn the_examples_of_the_guide_are_read() {
    // The book is not a part of the package.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/guide/configuration.md");
    let Ok(guide) = std::fs::read_to_string(path) else { return };
    let example = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = parse_with(example, &[("TOKEN", "t0p"), ("COLLECTOR", "http://collector:4318")]).unwrap();
    assert_eq!(otlp(&config, Signal::Logs).endpoint.url(), "http://collector:4318/v1/logs");
    assert_eq!(otlp(&config, Signal::Traces).headers["authorization"], "Bearer t0p");
    assert_eq!(config.sampler.to_string(), "parentbased_traceidratio 0.1");
    assert_eq!((config.detectors.len(), config.safety.drop_rules.len()), (3, 1));
    let sampler = guide.split("```yaml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    let text =
        format!("file_format: '1.0'\n{sampler}  processors: [{{simple: {{exporter: {{console: }}}}}}]\n");
    let config = parse_with(&text, &[]).unwrap();
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
