//! Presets, changes and the debug header as a service uses them.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{Span, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use otel_core::Providers;
use otel_core::propagation::{InboundTrust, receive};
use otel_init::opentelemetry;
use otel_init::sampling::{DebugHeader, Sampling, SamplingChange};
use otel_testing::{OtlpReceiver, eventually_blocking};

use crate::{PATIENCE, child, patient};

const QUIET: (&str, &str) = ("RUST_LOG", "otel_init=info,off");

/// A request with something below it; both may fail.
fn request(parent: &Context, has_failed: bool) {
    let tracer = global::tracer("service");
    let span = parent.with_span(tracer.start_with_context("request", parent));
    tracer.start_with_context("below", &span).end();
    if has_failed {
        span.span().set_status(Status::error("no"));
    }
    span.span().end();
}

#[test]
fn production_keeps_every_error_and_tells_what_each_stands_for() {
    let name = "sampling::production_keeps_every_error_and_tells_what_each_stands_for";
    if !child::is_child() {
        let variables = [QUIET, ("OTEL_TRACES_SAMPLER", "production"), ("OTEL_TRACES_SAMPLER_ARG", "0")];
        let finished = child::run(name, &variables);
        let installed =
            finished.lines("sampler production: probability 0 %, at most 1000/min for each route");
        assert_eq!(installed.len(), 1, "{}", finished.console);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = patient().with_endpoint(receiver.http_endpoint()).install().unwrap();
    assert!(otel_core::sampler_reads_attributes(), "the limit is for each route");
    for index in 0..20 {
        request(&Context::new(), index % 5 == 0);
    }
    telemetry.flush_blocking().unwrap();
    let spans = receiver.spans();
    assert_eq!(spans.len(), 8);
    for span in &spans {
        assert_eq!(span.trace_state, "ot=th:0", "{span:?}");
        // Sampled and random; the other bits are those of the parent's place.
        assert_eq!(span.flags & 0xff, 3, "{span:?}");
    }
    let health = telemetry.health();
    assert_eq!(health.sampling.kept_traces, 4);
    assert_eq!((health.sampling.waiting_spans, health.sampling.dropped_spans), (0, 0));
    telemetry.shutdown_blocking().unwrap();
    let kept = receiver.metrics().into_iter().find(|metric| metric.name() == "otel_init.sampling.kept");
    assert!(kept.is_some());
}

#[test]
fn a_preset_in_code_is_a_default_and_other_samplers_are_not() {
    let name = "sampling::a_preset_in_code_is_a_default_and_other_samplers_are_not";
    if child::is_child() {
        let receiver = OtlpReceiver::start().unwrap();
        let telemetry = patient()
            .with_sampling(if std::env::var("OWN").is_ok() {
                Sampling::probability(0.25)
            } else {
                Sampling::emergency()
            })
            .with_endpoint(receiver.http_endpoint())
            .install()
            .unwrap();
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let sampler = |variables: &[(&str, &str)]| {
        let finished = child::run(name, &[&[QUIET], variables].concat());
        let line = finished.lines("exporting traces")[0].to_owned();
        line.split_once("sampler ").unwrap().1.split_once(';').unwrap().0.to_owned()
    };
    let variable = ("OTEL_TRACES_SAMPLER", "always_on");
    assert_eq!(sampler(&[]), "emergency: probability 10 %, at most 100/s");
    assert_eq!(sampler(&[variable]), "always_on");
    assert_eq!(sampler(&[variable, ("OWN", "1")]), "probability 25 %");
}

#[test]
fn changes_are_lines_on_the_console_and_a_file_makes_them_too() {
    let name = "sampling::changes_are_lines_on_the_console_and_a_file_makes_them_too";
    let path = std::env::temp_dir().join(format!("otel-init-it-sampler-{}.json", std::process::id()));
    if !child::is_child() {
        let finished = child::run(name, &[QUIET, ("OTEL_INIT_SAMPLER_FILE", &path.to_string_lossy())]);
        for (line, count) in [
            ("the sampler was changed by the program: probability 5 %; now holds: probability 5 %", 1),
            ("route /checkout: probability 100 %, for 1 s", 1),
            ("a change to the sampler has expired; now holds what is configured: parentbased_always_on", 1),
            ("the sampler was changed by its file: probability 12.5 %", 1),
            ("the sampler was changed by its file: the change is taken back", 1),
        ] {
            assert_eq!(finished.lines(line).len(), count, "{line}\n{}", finished.console);
        }
        return;
    }
    let telemetry = patient().with_environment(|name| {
        let own = (name == "OTEL_INIT_SAMPLER_FILE" || name == "RUST_LOG")
            .then(|| std::env::var(name).ok())
            .flatten();
        own.or_else(|| name.ends_with("_EXPORTER").then(|| "none".to_owned()))
    });
    let telemetry = telemetry.install().unwrap();
    let sampler = telemetry.sampler();
    assert!(!otel_core::sampler_reads_attributes());
    sampler.set_ratio(0.05);
    let (start, expiry) = (Instant::now(), Duration::from_millis(300));
    sampler.set(SamplingChange::new().with_route("/checkout", 1.0).with_expiry(expiry));
    let reads_attributes = otel_core::sampler_reads_attributes();
    assert!(reads_attributes || start.elapsed() >= expiry, "a rule by route looks at them");
    eventually_blocking(PATIENCE, || sampler.description() == "parentbased_always_on");
    assert!(!otel_core::sampler_reads_attributes());
    let path = std::env::var("OTEL_INIT_SAMPLER_FILE").unwrap();
    std::fs::write(&path, r#"{"ratio": 0.125}"#).unwrap();
    eventually_blocking(PATIENCE, || sampler.description() == "probability 12.5 %");
    std::fs::remove_file(&path).unwrap();
    eventually_blocking(PATIENCE, || sampler.description() == "parentbased_always_on");
    // A change is told when it holds already: with the next one, the line of this one is there.
    std::fs::write(&path, r#"{"ratio": 0.25}"#).unwrap();
    eventually_blocking(PATIENCE, || sampler.description() == "probability 25 %");
    std::fs::remove_file(&path).unwrap();
    telemetry.shutdown_blocking().unwrap();
}

#[test]
fn what_a_file_does_at_the_start_is_told() {
    let name = "sampling::what_a_file_does_at_the_start_is_told";
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        let is_there = !std::env::var("OTEL_INIT_SAMPLER_FILE").unwrap().starts_with("/no/");
        assert_eq!(otel_core::sampler_reads_attributes(), is_there, "a rule by route looks at them");
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let path = std::env::temp_dir().join(format!("otel-init-it-sampler-early-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"rules": [{"route": "/checkout", "ratio": 1}]}"#).unwrap();
    let none = ["TRACES", "METRICS", "LOGS"].map(|signal| format!("OTEL_{signal}_EXPORTER"));
    let mut variables: Vec<(&str, &str)> = none.iter().map(|name| (name.as_str(), "none")).collect();
    let file = path.to_string_lossy();
    variables.push(("OTEL_INIT_SAMPLER_FILE", &file));
    let finished = child::run(name, &variables);
    std::fs::remove_file(&path).unwrap();
    let told = finished.lines("the sampler was changed by its file: route /checkout: probability 100 %");
    assert_eq!(told.len(), 1, "{}", finished.console);

    // A warning is a line like others.
    variables.pop();
    variables.push(("OTEL_INIT_SAMPLER_FILE", "/no/such/folder/sampler.json"));
    let told = child::run(name, &variables);
    let told =
        told.lines(" WARN otel_init: the sampler's file /no/such/folder/sampler.json cannot be used: ");
    assert_eq!(told.len(), 1);
}

#[test]
fn the_key_of_a_variable_signs_for_a_trace() {
    const KEY: &str = "a key that is long enough";
    const DEBUG_HEADER: http::HeaderName = http::HeaderName::from_static("x-debug-trace");
    let name = "sampling::the_key_of_a_variable_signs_for_a_trace";
    if !child::is_child() {
        let variables =
            [QUIET, ("OTEL_INIT_DEBUG_KEY", KEY), ("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
        let finished = child::run(name, &variables);
        assert!(!finished.console.contains(KEY));
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = patient().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let value = DebugHeader::new(KEY).sign(SystemTime::now() + Duration::from_secs(60));
    for value in ["9999999999:00".to_owned(), value] {
        // As a layer reads a request, and with nothing of W3C's in it.
        let headers = http::HeaderMap::from_iter([(DEBUG_HEADER, value.parse().unwrap())]);
        let (parent, _) = receive(&Providers::global(), Context::new(), &headers, InboundTrust::Full);
        request(&parent, false);
    }
    telemetry.flush_blocking().unwrap();
    let spans = receiver.spans();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.trace_state.is_empty()));
    telemetry.shutdown_blocking().unwrap();
}

/// What marks a span until its end is an attribute, which must not be one too many.
#[test]
fn spans_without_room_for_attributes_are_random_as_their_callers_said() {
    let name = "sampling::spans_without_room_for_attributes_are_random_as_their_callers_said";
    if !child::is_child() {
        child::run(name, &[QUIET, ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = patient().with_endpoint(receiver.http_endpoint()).install().unwrap();
    for flags in ["01", "03"] {
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let headers = HashMap::from([("traceparent".to_owned(), parent)]);
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
        request(&parent, false);
    }
    telemetry.flush_blocking().unwrap();
    let mut found: Vec<_> = receiver
        .spans()
        .iter()
        .map(|span| (span.flags & 0xff, span.attributes.len(), span.dropped_attributes))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(1, 0, 0), (1, 0, 0), (3, 0, 0), (3, 0, 0)]);
    telemetry.shutdown_blocking().unwrap();
}
