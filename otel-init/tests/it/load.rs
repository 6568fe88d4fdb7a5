//! Many spans at once, and more and more of them: the counts stay exact, memory bounded, the application unhindered.
//!
//! A test build on a busy machine is slow, so the numbers are those of the issue where they say something about counts, and
//! the latencies are bounds against blocking, not benchmarks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::{Health, Signal, SignalHealth, Telemetry, opentelemetry};
use otel_testing::OtlpReceiver;

use crate::child;
use crate::counts::known;
use crate::patient;

/// Runs the load in a process of its own, so that its memory is the sender's alone, and compares what it counted with what
/// arrived here.
fn against_a_receiver(test: &str, load: impl Fn(&Telemetry) -> (u64, u64)) {
    const ENDPOINT: &str = "TEST_ENDPOINT";
    if child::is_child() {
        let telemetry = install(&std::env::var(ENDPOINT).unwrap());
        let (traces, logs) = load(&telemetry);
        let report = telemetry.shutdown_blocking().unwrap();
        let traces = exact(report.health(), Signal::Traces, traces).exported;
        let logs = exact(report.health(), Signal::Logs, logs).exported;
        eprintln!("exported {traces} {logs}");
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let finished = child::run(test, &[(ENDPOINT, &receiver.grpc_endpoint()), ("RUST_LOG", "off")]);
    let counted = finished.lines("exported")[0].to_owned();
    assert_eq!(counted, format!("exported {} {}", receiver.spans().len(), receiver.logs().len()));
    assert!(!receiver.spans().is_empty());
}

fn install(endpoint: &str) -> Telemetry {
    let endpoint = endpoint.to_owned();
    patient()
        .with_exporters(Signal::Metrics, ["none"])
        .with_environment(move |name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some("grpc".to_owned()),
            _ => None,
        })
        .install()
        .unwrap()
}

fn exact(health: &Health, signal: Signal, created: u64) -> SignalHealth {
    let health = health.signal(signal).unwrap().clone();
    assert_eq!((health.created, known(&health)), (created, created), "{health:?}");
    health
}

/// Resident memory in MiB, on Linux.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

#[test]
fn a_hundred_tasks_with_thousands_of_spans_each() {
    against_a_receiver("load::a_hundred_tasks_with_thousands_of_spans_each", |_| {
        const TASKS: u64 = 100;
        const SPANS: u64 = 4000;
        let before = memory();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let slow = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let slow = Arc::clone(&slow);
                runtime.spawn(async move {
                    let tracer = global::tracer("load");
                    for round in 0..SPANS {
                        let start = Instant::now();
                        tracer.start("span").end();
                        let is_slow = start.elapsed() > Duration::from_millis(100);
                        slow.fetch_add(u64::from(is_slow), Ordering::Relaxed);
                        if round % 100 == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        let grown = memory().saturating_sub(before);
        let slow = slow.load(Ordering::Relaxed);
        // A machine that is shared stops a thread now and then; a wait for the export would be one for each batch of 512.
        assert!(slow < TASKS * SPANS / 1000, "{slow} spans took long");
        // The room of 64 MiB and what is under way, not all spans as objects, which would be hundreds.
        assert!(grown < 64 + 24, "{grown} MiB");
        eprintln!("{slow} slow ones, grown {grown} MiB");
        (TASKS * SPANS, 0)
    });
}

#[test]
fn steps_of_traffic_change_nothing_but_the_counts() {
    against_a_receiver("load::steps_of_traffic_change_nothing_but_the_counts", |_| {
        let tracer = global::tracer("load");
        // Requests of a service: each with a span, its logs and its own work.
        let requests = |count: u64, spans: u64, logs: u64| {
            let mut times: Vec<Duration> = (0..count)
                .map(|_| {
                    let start = Instant::now();
                    (0..spans).for_each(|_| tracer.start("span").end());
                    (0..logs).for_each(|_| tracing::info!("record"));
                    start.elapsed() / u32::try_from(spans + logs).unwrap()
                })
                .collect();
            times.sort();
            times[times.len() / 2]
        };
        let memory_before = memory();
        let calm = requests(1000, 1, 1);
        let (more_traffic, more_spans, more_logs) =
            (requests(10_000, 1, 1), requests(1000, 50, 1), requests(1000, 1, 20));
        let grown = memory().saturating_sub(memory_before);
        // The median item costs about the same in each step; a wait for the queue or the network would be a thousand times
        // as long.
        let bound = calm * 20 + Duration::from_micros(200);
        for (step, median) in [("traffic", more_traffic), ("spans", more_spans), ("logs", more_logs)] {
            assert!(median < bound, "{step}: {median:?} after {calm:?}");
        }
        assert!(grown < 64, "{grown} MiB");
        eprintln!(
            "calm {calm:?}, traffic {more_traffic:?}, spans {more_spans:?}, logs {more_logs:?}, grown {grown} MiB"
        );
        (1000 + 10_000 + 50_000 + 1000, 1000 + 10_000 + 1000 + 20_000)
    });
}
