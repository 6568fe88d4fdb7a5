//! The export never reports itself, however much is logged.

use std::collections::BTreeSet;

use opentelemetry::global;
use otel_init::LevelFilter;
use otel_testing::{OtlpReceiver, Signal};

use crate::child;
use crate::patient;

const ROUNDS: usize = 10;

/// Exports metrics again and again; each export would have the next one report it.
fn idle() {
    let telemetry = patient().with_telemetry_level(LevelFilter::TRACE).install().unwrap();
    global::meter("feedback").u64_counter("starts").build().add(1, &[]);
    let mut exported = vec![0];
    for _ in 0..ROUNDS {
        let report = telemetry.flush_blocking().unwrap();
        exported.push(report.health().signal(otel_init::Signal::Metrics).unwrap().exported);
    }
    let each: Vec<u64> = exported.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The same each time, as soon as every counter has been seen.
    assert!(each.iter().skip(3).all(|points| *points == each[3] && *points > 0), "{each:?}");
    telemetry.shutdown_blocking().unwrap();
}

fn expect_metrics_alone(test: &str, protocol: &str, endpoint: &str, receiver: &OtlpReceiver) {
    let finished = child::run(
        test,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("RUST_LOG", "trace"),
        ],
    );
    // The crates of the export did log, or the test would prove nothing.
    let crates: &[&str] = if protocol == "grpc" { &["hyper_util", "h2"] } else { &["hyper_util"] };
    for name in crates {
        assert!(!finished.lines(&format!(" {name}::")).is_empty(), "{name}: {}", finished.console);
    }
    let (metrics, others): (Vec<_>, Vec<_>) =
        receiver.requests().into_iter().partition(|request| request.signal == Signal::Metrics);
    assert_eq!(metrics.len(), ROUNDS + 1);
    let logs: BTreeSet<_> = receiver.logs().iter().map(|log| log.scope.name.clone()).collect();
    let spans: BTreeSet<_> = receiver.spans().iter().map(|span| span.name.clone()).collect();
    assert_eq!(others.len(), 0, "logs of {logs:?}, spans {spans:?}");
}

#[test]
fn an_idle_service_exports_nothing_about_the_export_over_http() {
    if child::is_child() {
        return idle();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let test = "feedback::an_idle_service_exports_nothing_about_the_export_over_http";
    expect_metrics_alone(test, "http/protobuf", &receiver.http_endpoint(), &receiver);
}

#[test]
fn an_idle_service_exports_nothing_about_the_export_over_grpc() {
    if child::is_child() {
        return idle();
    }
    let receiver = OtlpReceiver::start().unwrap();
    let test = "feedback::an_idle_service_exports_nothing_about_the_export_over_grpc";
    expect_metrics_alone(test, "grpc", &receiver.grpc_endpoint(), &receiver);
}
