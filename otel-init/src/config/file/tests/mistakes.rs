//! What is wrong is told with its line and its keys, and without secrets.

use super::{parse, parse_with, wrong};

#[test]
fn a_mistake_is_named_with_its_line_and_its_keys() {
    let start = "file_format: '1.0'\n";
    for (text, expected) in [
        ("disabled: maybe", "line 2: disabled: expected true or false, found \"maybe\""),
        ("disabled: 'true'", "line 2: disabled: expected true or false, found the text \"true\""),
        ("disbled: true", "line 2: the key disbled is not known here"),
        ("log_level: loud", "line 2: log_level: expected a severity"),
        (
            "instrumentation/development:\n  rust:\n    http:\n      excluded_paths:\n        - /metrics\n        - health",
            "line 7: instrumentation/development.rust.http.excluded_paths[1]: expected a path that begins with / or *, \
             found \"health\"",
        ),
        ("resource: []", "line 2: resource: expected a map, found a list"),
        ("resource:\n  attributes:\n    - {value: x}", "line 4: resource.attributes[0]: name is missing"),
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
            "line 2: propagator.composite[0].pigeon: no propagator has the name pigeon: tracecontext, baggage, ",
        ),
        ("tracer_provider: {}", "line 2: tracer_provider: processors is missing"),
        (
            "tracer_provider:\n  sampler: {always_on: }\n  procesors: []",
            "line 4: tracer_provider: the key procesors is not known here; is processors meant?",
        ),
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
            "line 4: tracer_provider.processors[0].batch.exporter: expected exactly one key, found console, otlp_http",
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
            "line 4: tracer_provider.processors[0].batch.exporter.otlp_http.endpoint: expected a URL with http:// or https://",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {otlp_file/development: {output_stream: 'file:///t.jsonl'}}}",
            "line 4: tracer_provider.processors[0].batch.exporter.otlp_file/development.output_stream: expected stdout: files \
             are for a collector to write",
        ),
        (
            "tracer_provider:\n  processors:\n    - batch: {exporter: {otlp_http: {tls: {key_file: /k}}}}",
            "line 4: tracer_provider.processors[0].batch.exporter.otlp_http.tls: key_file and cert_file are needed together",
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
            "tracer_provider:\n  processors:\n    - batch: {exporter: {console: }}\n  sampler: {always_record: {root: {always_off: }}}",
            "tracer_provider.sampler.always_record: not supported: nothing here looks at spans that are not sampled",
        ),
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
            "line 5: meter_provider.views[0].stream.aggregation.explicit_bucket_histogram: Bucket boundaries must be sorted",
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
        (
            "resource:\n  attributes: []\n  attributes: []",
            "line 4: resource.attributes: the key is there twice",
        ),
        (
            "resource:\n  attributes:\n    - {name: '', value: a}",
            "resource.attributes[0].name: expected a name, found",
        ),
        (
            "resource:\n  attributes:\n    - {name: a, value: b, type: text}",
            "line 4: resource.attributes[0].type: expected string, bool, int, double, or one of them with _array, found \"text\"",
        ),
        (
            "resource: {attributes_list: 'a=b,c'}",
            "resource.attributes_list: expected key=value,key=value with values \
          percent-encoded, which its entry 2 is not",
        ),
        (
            "distribution: {otel-init: {disk_buffer: {directory: /x, max_size: 0}}}",
            "otel-init.disk_buffer.max_size: expected a whole number of bytes, 1 at least, found \"0\"",
        ),
        ("resource: {schema_url: ${URL}}", "line 2: resource: while parsing a flow mapping"),
        ("resource: {schema_url: ${URL}}", "; a ${..} inside of { } or [ ] is to be quoted"),
        ("log_level: ${A B}", "line 2: log_level: ${A..} is no reference to a variable"),
        ("disabled: [", "line 3: disabled: "),
        ("disabled: *nowhere", "line 2: disabled: "),
    ] {
        let message = wrong(&format!("{start}{text}\n"));
        assert!(message.contains(expected), "{text}\n  says {message}\n  not  {expected}");
    }
    for (text, expected) in [
        ("", "the file is empty"),
        ("a: b", "line 1: file_format is missing, as in file_format: \"1.0\""),
        ("fileformat: '1.0'", "line 1: the key fileformat is not known here; is file_format meant?"),
        ("file_format: 1.0", "line 1: file_format: expected a text, which is to be quoted"),
        ("file_format: '0.4'", "line 1: file_format: expected 1.0 to 1.2, found the text \"0.4\""),
        ("file_format: '2.0'", "line 1: file_format: expected 1.0 to 1.2, found the text \"2.0\""),
        ("- file_format", "line 1: expected a map, found a list"),
        ("file_format: '1.0'\n---\nfile_format: '1.0'", "line 2: there is a second document"),
    ] {
        let message = wrong(text);
        assert!(message.contains(expected), "{text}\n  says {message}\n  not  {expected}");
    }
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
        (
            "resource: {attributes: [{name: db.password, value: a7234, type: int}]}".to_owned(),
            "resource.attributes[0].value: expected a whole number, found what may be a secret",
        ),
        (
            "log_level: Bearer 7234-and-more".to_owned(),
            "log_level: expected a severity such as error, warn, info, debug, trace, found what may be a secret",
        ),
    ] {
        let error = wrong(&format!("file_format: '1.0'\n{text}"));
        assert!(error.contains(place) && !error.contains("7234"), "{error}");
    }
}

#[test]
fn the_value_of_a_variable_is_not_in_the_message() {
    let text = "file_format: '1.0'\ndisabled: ${TOKEN}\n";
    let error = parse_with(text, &[("TOKEN", "hunter2")]).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

/// The collector answers 401 then, and nobody knows why.
#[test]
fn a_header_whose_variable_is_not_set_is_a_warning() {
    let text = "file_format: '1.0'\ntracer_provider:\n  processors:\n    - batch:\n        exporter:\n          otlp_http:\n            \
                headers:\n              - name: api-key\n                value: ${TOKEN}\n";
    let told =
        "line 8: the header api-key has no value: a variable that should be there is not set, most likely";
    assert_eq!(parse(text).warnings, [told]);
    assert_eq!(parse(&text.replace("${TOKEN}", "'${TOKEN}'")).warnings, [told]);
    assert!(parse_with(text, &[("TOKEN", "hunter2")]).unwrap().config.warnings.is_empty());
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
