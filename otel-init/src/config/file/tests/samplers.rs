//! The samplers of a file, those of the schema and others.

use std::sync::Arc;
use std::time::Duration;

use super::{parse, parse_with, read};
use crate::config::Settings;
use crate::sampling::Sampling;

fn file(sampler: &str) -> String {
    format!(
        "file_format: '1.0'\ntracer_provider:\n  processors: [{{batch: {{exporter: {{otlp_http: }}}}}}]\n  sampler: {sampler}\n"
    )
}

fn sampler(text: &str) -> Result<String, String> {
    let read = parse_with(&file(text), &[]).map_err(|error| error.to_string())?;
    Ok(read.config.sampler.sampling.to_string())
}

#[test]
fn each_sampler_of_the_schema_is_read() {
    for (text, expected) in [
        ("{always_on: }", "always_on"),
        ("{always_off: {}}", "always_off"),
        ("{trace_id_ratio_based: }", "traceidratio 1"),
        ("{trace_id_ratio_based: {ratio: 0.5}}", "traceidratio 0.5"),
        ("{probability/development: {ratio: 0.5}}", "probability 50 %, whatever the parent"),
        ("{parent_based: }", "parentbased_always_on"),
        ("{parent_based: {root: {probability/development: {ratio: 0.01}}}}", "probability 1 %"),
        // What a child does anyway needs no word.
        (
            "{parent_based: {remote_parent_sampled: {always_on: }, local_parent_not_sampled: {always_off: }}}",
            "parentbased_always_on",
        ),
        (
            "{parent_based: {root: {always_off: }, remote_parent_sampled: {trace_id_ratio_based: {ratio: 0.5}}, \
              remote_parent_not_sampled: {always_on: }, local_parent_sampled: {always_off: }, \
              local_parent_not_sampled: {composite/development: {probability: {ratio: 0.25}}}}}",
            "parentbased_always_off, remote parent sampled: traceidratio 0.5, remote parent not sampled: always_on, \
             local parent sampled: always_off, local parent not sampled: probability 25 %",
        ),
        // A child that looks at the parent again finds it where it is.
        (
            "{parent_based: {root: {parent_based: {root: {always_off: }, remote_parent_sampled: {always_off: }}}, \
              remote_parent_not_sampled: {parent_based: {remote_parent_not_sampled: {always_on: }}}}}",
            "parentbased_always_off, remote parent not sampled: always_on",
        ),
        ("{composite/development: {always_on: }}", "always_on, whatever the parent"),
        (
            "{composite/development: {parent_threshold: {root: {probability: {ratio: 0.1}}}}}",
            "parent_threshold, root probability 10 %, whatever the parent",
        ),
        ("{composite/development: {rule_based: }}", "no rules, whatever the parent"),
        (
            "{parent_based: {root: {composite/development: {rule_based: {rules: [\
               {attribute_values: {key: http.route, values: [/a*, /b]}, sampler: {always_off: }}, \
               {attribute_patterns: {key: url.path, included: [/api/*], excluded: [/api/x]}, span_kinds: [server, client], sampler: {always_on: }}, \
               {parent: [none, remote], sampler: {probability: }}, {sampler: {always_off: }}]}}}}}",
            "http.route /a* or /b: always_off; url.path /api/* but not /api/x and kind Server or Client: always_on; \
             root or remote parent: probability 100 %; otherwise: always_off",
        ),
    ] {
        assert_eq!(sampler(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_a_sampler_must_not_say_is_named() {
    for (text, expected) in [
        (
            "{always_on: {ratio: 1}}",
            "line 4: tracer_provider.sampler.always_on: the key ratio is not known here",
        ),
        (
            "{sometimes: }",
            "line 4: tracer_provider.sampler.sometimes: no sampler has this name here: always_on, ",
        ),
        (
            "{parent_based: {root: {production: }}}",
            "tracer_provider.sampler.parent_based.root.production: no sampler has",
        ),
        (
            "{parent_based: {other: {always_on: }}}",
            "tracer_provider.sampler.parent_based: the key other is not known",
        ),
        (
            "{composite/development: {parent_based: }}",
            "no composable sampler has this name: always_on, always_off,",
        ),
        ("{composite/development: {parent_threshold: }}", "root is missing"),
        (
            "{composite/development: {rule_based: {rules: [{parent: [none]}]}}}",
            "rules[0]: sampler is missing",
        ),
        (
            "{composite/development: {rule_based: {rules: [{span_kinds: [], sampler: {always_on: }}]}}}",
            "rules[0].span_kinds: expected a list of at least one item",
        ),
        (
            "{composite/development: {rule_based: {rules: [{span_kinds: [servers], sampler: {always_on: }}]}}}",
            "span_kinds[0]: expected internal, server, client, producer or consumer, found \"servers\"",
        ),
        (
            "{composite/development: {rule_based: {rules: [{parent: [both], sampler: {always_on: }}]}}}",
            "parent[0]: expected none, remote or local, found \"both\"",
        ),
        (
            "{composite/development: {rule_based: {rules: [{attribute_values: {key: a}, sampler: {always_on: }}]}}}",
            "rules[0].attribute_values: values is missing",
        ),
        (
            "{adaptive: {traces_per_second: 1, spans_per_second: 1}}",
            "only one of traces_per_second, spans_per_second",
        ),
        ("{rate_limiting: {traces_per_second: -1}}", "expected a number from 0"),
        (
            "{production: {ratio: 7}}",
            "tracer_provider.sampler.production.ratio: expected a number from 0 to 1",
        ),
    ] {
        let error = sampler(text).unwrap_err();
        assert!(error.starts_with("line 4: tracer_provider.sampler"), "{error}");
        assert!(error.contains(expected), "{text}\n  says {error}\n  not  {expected}");
    }
}

#[test]
fn presets_and_limits_have_the_names_of_the_variable() {
    for (text, expected) in [
        ("{staging: }", "staging: probability 50 %"),
        ("{production: {ratio: 0.2}}", "production: probability 20 %, at most"),
        ("{rate_limiting: {traces_per_second: 50}}", "probability 100 %, at most 50/s"),
        ("{rate_limiting: }", "probability 100 %, at most 100/s"),
        ("{adaptive: {spans_per_second: 7}}", "adaptive, 7 spans/s"),
        ("{adaptive: }", "adaptive, 100 traces/s"),
    ] {
        let read = sampler(text).unwrap();
        assert!(read.starts_with(expected), "{text}: {read}");
    }
    let config = parse(&file("{emergency: }"));
    let batch = config.destinations.traces[0].batch;
    assert_eq!(batch.schedule_delay, Duration::from_secs(1));
    assert_eq!(batch.export_timeout, Some(Duration::from_secs(1)));
    assert_eq!((batch.is_queue_size_given, batch.max_queue_size), (true, 2048));
    let metrics = "meter_provider: {readers: [{periodic: {exporter: {console: }}}]}";
    let config = parse(&format!("{}\n{metrics}", file("{development: }")));
    assert_eq!(config.destinations.metrics[0].interval, Duration::from_secs(5));
}

#[test]
fn a_sampler_of_the_code_is_chosen_by_its_name() {
    let mut settings = Settings::default();
    let make = |argument: Option<&str>| {
        Sampling::probability(argument.and_then(|argument| argument.parse().ok()).unwrap_or(0.75))
    };
    settings.registry.add_sampler("Mine", Arc::new(make));
    settings.registry.add_sampler("broken", Arc::new(|_| panic!("no good")));
    let of = |text: &str| {
        read(&file(text), &settings, &|_| None).map(|read| read.config.sampler.sampling.to_string())
    };
    assert_eq!(of("{mine: }").as_deref(), Ok("probability 75 %"));
    assert_eq!(of("{mine: {argument: '0.5'}}").as_deref(), Ok("probability 50 %"));
    assert!(of("{mine: {ratio: 1}}").unwrap_err().to_string().contains("the key ratio is not known here"));
    assert!(of("{others: }").unwrap_err().to_string().ends_with(", emergency, broken, mine"));
    assert_eq!(
        of("{broken: }").unwrap_err().to_string(),
        "line 4: tracer_provider.sampler.broken: the function that makes this sampler panicked"
    );
}
