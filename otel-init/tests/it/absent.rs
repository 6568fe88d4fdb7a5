//! A collector that is not there, or is and says nothing.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::Signal;

use crate::{NOBODY, STALLED, child, patient, without_waiting};

/// Something of each signal.
fn work(rounds: u64) {
    let tracer = global::tracer("absent");
    let counter = global::meter("absent").u64_counter("rounds").build();
    without_waiting(rounds, || {
        tracer.start("round").end();
        counter.add(1, &[]);
        tracing::info!(target: "absent::silent", "round");
    });
}

#[test]
fn over_http_one_warning_tells_everything() {
    if child::is_child() {
        return work_without_a_collector();
    }
    expect_one_warning("absent::over_http_one_warning_tells_everything", "http/protobuf", "/v1/");
}

#[test]
fn over_grpc_one_warning_tells_everything() {
    if child::is_child() {
        return work_without_a_collector();
    }
    expect_one_warning("absent::over_grpc_one_warning_tells_everything", "grpc", "");
}

fn work_without_a_collector() {
    let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap();
    let telemetry = patient().install().unwrap();
    // Three failures of each signal and more: a flush each.
    for _ in 0..3 {
        work(100);
        let error = telemetry.flush_blocking().unwrap_err();
        assert_eq!(error.failures().len(), 3, "{error}");
    }
    work(1);
    let start = Instant::now();
    let error = telemetry.shutdown_blocking().unwrap_err();
    assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
    let signals: Vec<_> = error.failures().iter().map(|failure| failure.signal()).collect();
    assert_eq!(signals, [Signal::Traces, Signal::Metrics, Signal::Logs]);
    for failure in error.failures() {
        assert!(failure.endpoint().starts_with(&endpoint), "{failure}");
        assert!(failure.cause().contains("refused"), "{failure}");
    }
    assert!(error.to_string().contains(&endpoint), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string(), "`main` shows it so");
}

fn expect_one_warning(test: &str, protocol: &str, path: &str) {
    let endpoint = format!("http://{NOBODY}");
    let finished = child::run(
        test,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("RUST_LOG", "debug,absent::silent=off,h2=off,hyper_util=off,reqwest=off,tower=off,tonic=off"),
        ],
    );
    let warnings: Vec<_> =
        finished.console.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert_eq!(warnings.len(), 1, "{}", finished.console);
    let endpoint_of_signal = format!("{endpoint}{path}");
    for part in ["otel_init: cannot export", &endpoint_of_signal, "refused", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
        assert!(warnings[0].contains(part), "{part} is missing in {}", warnings[0]);
    }
    assert_eq!(finished.lines("otel_init: exporting traces, metrics, logs").len(), 1, "{}", finished.console);
}

/// Accepts connections, reads what comes and never answers.
fn silent_collector() -> String {
    fn swallow(mut connection: TcpStream) {
        let mut buffer = [0; 4096];
        while connection.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || swallow(connection));
        }
    });
    endpoint
}

#[test]
fn a_silent_collector_over_http_bounds_the_shutdown() {
    if child::is_child() {
        return shut_down_before_a_silent_collector();
    }
    expect_silence("absent::a_silent_collector_over_http_bounds_the_shutdown", "http/protobuf");
}

#[test]
fn a_silent_collector_over_grpc_bounds_the_shutdown() {
    if child::is_child() {
        return shut_down_before_a_silent_collector();
    }
    expect_silence("absent::a_silent_collector_over_grpc_bounds_the_shutdown", "grpc");
}

fn shut_down_before_a_silent_collector() {
    let bound = Duration::from_secs(4);
    let telemetry = patient().with_shutdown_timeout(bound).install().unwrap();
    work(10);
    let start = Instant::now();
    let error = telemetry.shutdown_blocking().unwrap_err();
    assert!(start.elapsed() >= bound, "{:?}", start.elapsed());
    assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
    assert_eq!(error.failures().len(), 3, "{error}");
    for failure in error.failures() {
        assert_eq!(failure.cause(), "the collector did not answer within 4s");
    }
    let start = Instant::now();
    drop(telemetry);
    assert!(start.elapsed() < bound, "it waited again: {:?}", start.elapsed());
}

fn expect_silence(test: &str, protocol: &str) {
    let endpoint = silent_collector();
    let finished = child::run(
        test,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)],
    );
    assert!(finished.elapsed < STALLED, "{:?}", finished.elapsed);
    assert_eq!(finished.lines("The service goes on"), Vec::<&str>::new(), "{}", finished.console);
}

#[test]
fn what_fails_while_the_service_shuts_down_is_told_as_lost() {
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        work(2);
        telemetry.shutdown_blocking().unwrap_err();
        return;
    }
    let test = "absent::what_fails_while_the_service_shuts_down_is_told_as_lost";
    // What has the queue of the SDK is kept at first.
    let lost = "The service is shutting down: 2 items are lost";
    let kept = "The service is shutting down: what is not sent within ";
    for (protocol, effect) in [("http/protobuf", lost), ("grpc", lost), ("http/json", kept)] {
        let endpoint = silent_collector();
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "300"),
        ];
        let finished = child::run(test, &variables);
        let warnings = finished.lines("cannot export");
        assert_eq!(warnings.len(), 1, "{}", finished.console);
        assert!(warnings[0].contains("did not answer within 300ms"), "{}", warnings[0]);
        assert!(warnings[0].contains(effect), "{protocol}: {}", warnings[0]);
    }
}

#[test]
fn an_export_that_is_not_answered_ends_with_its_own_timeout() {
    if child::is_child() {
        let telemetry = patient().install().unwrap();
        work(1);
        let start = Instant::now();
        let error = telemetry.flush_blocking().unwrap_err();
        assert!(start.elapsed() < STALLED, "{:?}", start.elapsed());
        assert!(error.to_string().contains("did not answer within 300ms"), "{error}");
        return;
    }
    let endpoint = silent_collector();
    let test = "absent::an_export_that_is_not_answered_ends_with_its_own_timeout";
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    child::run(test, &[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
    // Or with the bound on it.
    child::run(
        test,
        &[
            endpoint,
            ("OTEL_BSP_EXPORT_TIMEOUT", "300"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "300"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "300"),
        ],
    );
}
