//! What arrives at the collector.

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::Telemetry;

use crate::child;
use crate::collector::Collector;

fn one_span() {
    let telemetry = Telemetry::builder().install().unwrap();
    global::tracer("delivery").start("the span").end();
    telemetry.shutdown_blocking().unwrap();
}

const TRACES_ALONE: [(&str, &str); 2] = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")];

#[test]
fn headers_and_compression_of_the_environment_are_sent() {
    if child::is_child() {
        return one_span();
    }
    let collector = Collector::start();
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token,x-team=shop"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    variables.extend(TRACES_ALONE);
    child::run("delivery::headers_and_compression_of_the_environment_are_sent", &variables);
    let received = collector.received();
    assert_eq!(received.len(), 1);
    for header in [
        "authorization:Bearer token",
        "x-team:shop",
        "content-encoding:gzip",
        "content-type:application/x-protobuf",
    ] {
        assert!(received[0].headers.iter().any(|sent| sent == header), "{header}: {:?}", received[0].headers);
    }
    assert_eq!(received[0].body[..2], [0x1f, 0x8b]);
}

#[test]
fn an_injected_environment_hides_that_of_the_process() {
    if child::is_child() {
        let collector = Collector::start();
        let endpoint = collector.endpoint.clone();
        let telemetry = Telemetry::builder()
            .with_environment(move |name| match name {
                "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
                "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
                _ => None,
            })
            .install()
            .unwrap();
        global::tracer("delivery").start("the span").end();
        telemetry.shutdown_blocking().unwrap();
        let received = collector.received_at("/v1/traces");
        assert_eq!(received.len(), 1);
        assert!(
            !received[0].headers.iter().any(|header| header.contains("process")),
            "{:?}",
            received[0].headers
        );
        let name = telemetry.resource().get(&"service.name".into()).unwrap();
        assert!(name.as_str().starts_with("unknown_service:"), "{name}");
        return;
    }
    child::run(
        "delivery::an_injected_environment_hides_that_of_the_process",
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-of=process"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_SERVICE_NAME", "process"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_SDK_DISABLED", "true"),
        ],
    );
}
