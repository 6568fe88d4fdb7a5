//! The text of the file: its forms, its variables, its size.

use std::time::Duration;

use super::{otlp, parse, parse_with, wrong};
use crate::Signal;

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
    let count = |value: &str| parse_with(&file(value), &variables).map(|file| file.config.limits.span.count);
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
    let config = parse_with(headers, &variables).unwrap().config;
    assert_eq!(otlp(&config, Signal::Traces).headers["key"], "7");
    assert!(otlp(&config, Signal::Traces).headers["key"].is_sensitive());
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
fn the_form_of_the_text_is_of_no_matter() {
    let plain = "file_format: '1.0'\ndisabled: true\nresource:\n  attributes:\n    - {name: a, value: b}\n";
    for text in [
        plain.to_owned(),
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        format!("%YAML 1.2\n---\n{plain}...\n"),
        plain.trim_end().to_owned(),
        plain.replace("true", "TRUE # as YAML has it, too"),
    ] {
        let file = parse_with(&text, &[]).unwrap();
        let is_read = file.config.is_disabled && file.resource.len() == 1;
        assert!(is_read && file.config.warnings.is_empty(), "{text:?}");
    }
}

#[test]
fn what_is_null_is_as_if_it_were_missing() {
    let text = "file_format: '1.0'\ndisabled:\nlog_level: ~\nresource: {attributes: null}\n\
                tracer_provider: ${NOT_SET}\nlogger_provider:\n";
    let file = parse_with(text, &[]).unwrap();
    let config = &file.config;
    assert!(!config.is_disabled && file.own_level.is_none() && file.resource.is_empty());
    assert_eq!((config.destinations.exporters().count(), config.warnings.len()), (0, 0));
}

/// Comparing each key with each other would take a minute.
#[test]
fn many_keys_are_read_at_once() {
    let keys: String = (0..60_000).map(|number| format!("key{number}: 1\n")).collect();
    assert!(wrong(&format!("file_format: '1.0'\n{keys}")).ends_with("the key key0 is not known here"));
    assert!(wrong(&format!("file_format: '1.0'\nlog_level: {}\n", "x".repeat(500_000))).len() < 300);
}
