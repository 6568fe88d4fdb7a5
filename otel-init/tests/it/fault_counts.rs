//! Whatever is wrong with the collector, and whenever the shutdown comes: what eight threads made is counted, each span and
//! each log record once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::{Signal, SignalHealth, Telemetry};
use otel_testing::{OtlpReceiver, Reply};

use crate::child;
use crate::{PATIENCE, STALLED, patient};

const THREADS: usize = 8;
/// Of each signal, before the shutdown comes.
const ENOUGH: u64 = 2000;
const PROTOCOL: &str = "TEST_PROTOCOL";
const FAULT: &str = "TEST_FAULT";

/// Answers, and whether anything arrives.
const FAULTS: [(&str, Reply, bool); 10] = [
    ("none", Reply::Accept, true),
    ("slow", Reply::Slow(Duration::from_millis(50)), true),
    ("unavailable", Reply::Unavailable, false),
    ("unavailable for a while", Reply::UnavailableFor(Duration::from_secs(5)), false),
    ("throttled", Reply::Throttle(Duration::from_secs(5)), false),
    ("refused for good", Reply::InvalidArgument, false),
    ("silent", Reply::Hang, false),
    ("cut", Reply::Cut, false),
    ("connections refused", Reply::Refuse, false),
    ("garbage", Reply::Garbage, false),
];

fn install(receiver: &OtlpReceiver, protocol: &str, arrives: bool) -> Telemetry {
    let endpoint = if protocol == "grpc" { receiver.grpc_endpoint() } else { receiver.http_endpoint() };
    let protocol = protocol.to_owned();
    // The threads that work leave little of a busy machine to what answers.
    let timeout = if arrives { "60000" } else { "500" };
    Telemetry::builder()
        .with_shutdown_timeout(Duration::from_millis(300))
        .with_environment(move |name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some(protocol.clone()),
            "OTEL_EXPORTER_OTLP_TIMEOUT" => Some(timeout.to_owned()),
            "OTEL_BSP_SCHEDULE_DELAY" | "OTEL_BLRP_SCHEDULE_DELAY" => Some("5".to_owned()),
            "OTEL_METRICS_EXPORTER" => Some("none".to_owned()),
            _ => None,
        })
        .install()
        .unwrap()
}

fn health(telemetry: &Telemetry, signal: Signal) -> SignalHealth {
    telemetry.health().signal(signal).unwrap().clone()
}

/// Installs, works, shuts down in the midst of it, and compares.
fn lifetime(protocol: &str, reply: Reply, arrives: bool) {
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(reply);
    let telemetry = install(&receiver, protocol, arrives);
    let is_over = AtomicBool::new(false);
    let elapsed = std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let tracer = global::tracer("faults");
                while !is_over.load(Ordering::Relaxed) {
                    tracer.start("span").end();
                    tracing::info!("record");
                }
            });
        }
        let signals = [Signal::Traces, Signal::Logs];
        let is_early = |signal: &Signal| {
            let health = health(&telemetry, *signal);
            // On a busy machine nothing may have arrived yet of what will.
            health.created < ENOUGH || arrives && health.exported == 0
        };
        while signals.iter().any(is_early) {
            std::thread::yield_now();
        }
        let start = Instant::now();
        // That something was lost is what most of the faults are about.
        let _ = telemetry.shutdown_blocking();
        is_over.store(true, Ordering::Relaxed);
        start.elapsed()
    });
    assert!(elapsed < STALLED, "{elapsed:?}");
    for (signal, arrived) in [(Signal::Traces, receiver.spans().len()), (Signal::Logs, receiver.logs().len())]
    {
        let health = health(&telemetry, signal);
        let known = health.exported + health.failed + health.dropped;
        assert!(health.created >= ENOUGH);
        assert_eq!((known, health.queued, health.rejected), (health.created, 0, 0), "{signal}: {health:?}");
        // The answer to what arrived may have come too late to be counted as exported.
        assert!(health.exported <= arrived as u64, "{signal}: {arrived} arrived, {health:?}");
        assert_eq!(health.exported > 0, arrives, "{signal}: {health:?}");
    }
}

fn all_faults(test: &str, protocol: &str) {
    if child::is_child() {
        let fault = std::env::var(FAULT).unwrap();
        let (_, reply, arrives) = FAULTS.into_iter().find(|(name, ..)| *name == fault).unwrap();
        return lifetime(&std::env::var(PROTOCOL).unwrap(), reply, arrives);
    }
    for (fault, ..) in FAULTS {
        child::run(test, &[(PROTOCOL, protocol), (FAULT, fault), ("RUST_LOG", "off")]);
    }
}

#[test]
fn over_grpc() {
    all_faults("fault_counts::over_grpc", "grpc");
}

#[test]
fn over_http_with_protobuf() {
    all_faults("fault_counts::over_http_with_protobuf", "http/protobuf");
}

#[test]
fn over_http_with_json() {
    all_faults("fault_counts::over_http_with_json", "http/json");
}

#[test]
fn queues_and_what_is_on_its_way_are_metrics() {
    if !child::is_child() {
        child::run("fault_counts::queues_and_what_is_on_its_way_are_metrics", &[("RUST_LOG", "off")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let endpoint = receiver.http_endpoint();
    let telemetry = patient()
        .with_environment(move |name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_BSP_MAX_QUEUE_SIZE" => Some("50".to_owned()),
            "OTEL_BSP_SCHEDULE_DELAY" | "OTEL_BLRP_SCHEDULE_DELAY" => Some("600000".to_owned()),
            "OTEL_METRIC_EXPORT_INTERVAL" => Some("20".to_owned()),
            _ => None,
        })
        .install()
        .unwrap();
    let tracer = global::tracer("faults");
    (0..7).for_each(|_| tracer.start("span").end());
    let latest = |name: &str| {
        let metrics = receiver.metrics();
        let last = metrics.iter().rev().find(|metric| metric.name() == name)?;
        last.points().last()?.number().map(otel_testing::Number::as_f64)
    };
    otel_testing::eventually_blocking(PATIENCE, || latest("otel.sdk.processor.span.queue.size") == Some(7.0));
    assert_eq!(latest("otel.sdk.processor.span.queue.capacity"), Some(50.0));
    // That of logs is bounded by its bytes.
    assert_eq!(latest("otel.sdk.processor.log.queue.capacity"), None);
    assert_eq!(latest("otel.sdk.exporter.span.inflight"), Some(0.0));
    assert!(latest("otel.sdk.exporter.metric_data_point.inflight").is_some());
    telemetry.shutdown_blocking().unwrap();
    assert_eq!(latest("otel.sdk.processor.span.queue.size"), Some(0.0));
}
