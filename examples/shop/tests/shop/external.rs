//! With `OTEL_EXPORTER_OTLP_ENDPOINT` set, everything goes there.

use std::collections::BTreeSet;

use opentelemetry::trace::SpanKind;
use otel_testing::{OtlpReceiver, Signal};

use crate::process::shop;

fn everything_arrives(protocol: &str, endpoint: impl Fn(&OtlpReceiver) -> String) {
    let receiver = OtlpReceiver::start().unwrap();
    let output = shop(["--orders", "3"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint(&receiver))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));

    // The process has ended, so all of it must be here.
    let mut orders = 0;
    for trace_id in stdout.lines().filter_map(|line| line.split_once("(trace ")?.1.strip_suffix(')')) {
        let trace = receiver.trace(trace_id).expect("the trace has arrived");
        assert!(trace.is_complete(), "{}", trace.tree());
        assert!(trace.services().len() >= 3, "{}", trace.tree());
        orders += 1;
    }
    assert_eq!(orders, 3);
    let notifications = receiver
        .spans()
        .iter()
        .filter(|span| span.kind == SpanKind::Consumer && span.links.len() == 1)
        .count();
    assert_eq!(notifications, 2, "order 3 is declined");
    let of = |signal: Signal| receiver.requests().iter().any(|request| request.signal == signal);
    assert!(of(Signal::Traces) && of(Signal::Logs) && of(Signal::Metrics));
    let metrics = receiver.metrics();
    let senders: BTreeSet<&str> = metrics.iter().map(|metric| metric.service()).collect();
    assert_eq!(
        Vec::from_iter(senders),
        ["assistant", "gateway", "inventory", "notifications", "orders", "payments", "users"]
    );
}

#[test]
fn everything_arrives_over_http() {
    everything_arrives("http/protobuf", OtlpReceiver::http_endpoint);
}

#[test]
fn everything_arrives_over_grpc() {
    everything_arrives("grpc", OtlpReceiver::grpc_endpoint);
}

#[test]
fn a_collector_that_is_not_there_is_a_failure_that_says_so() {
    let output =
        shop(["--orders", "1"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("order 1: 201 success"), "the shop itself works: {stdout}");
    assert!(stdout.contains("PROBLEM  gateway: telemetry was not delivered at shutdown: "), "{stdout}");
}

#[test]
fn json_of_an_external_endpoint_is_a_usage_error() {
    let output = shop(["--orders", "1", "--json", "never-written.json"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{stderr}");
}
