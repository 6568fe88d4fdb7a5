//! The export never reports itself, however much is logged.

use std::time::{Duration, Instant};

use opentelemetry::global;
use otel_init::{LevelFilter, Telemetry};

use crate::child;
use crate::collector::Collector;

#[test]
fn an_idle_service_exports_its_metrics_and_nothing_about_them() {
    if child::is_child() {
        let collector = Collector::start();
        let telemetry = Telemetry::builder()
            .with_endpoint(&collector.endpoint)
            .with_metric_export_interval(Duration::from_millis(20))
            .with_telemetry_level(LevelFilter::TRACE)
            .install()
            .unwrap();
        global::meter("feedback").u64_counter("starts").build().add(1, &[]);
        let start = Instant::now();
        while collector.received_at("/v1/metrics").len() < 10 {
            assert!(start.elapsed() < Duration::from_secs(10), "metrics are not exported");
            std::thread::yield_now();
        }
        telemetry.shutdown_blocking().unwrap();
        let others: Vec<_> =
            collector.received().into_iter().filter(|request| request.path != "/v1/metrics").collect();
        assert!(others.is_empty(), "{others:?}");
        return;
    }
    let finished = child::run(
        "feedback::an_idle_service_exports_its_metrics_and_nothing_about_them",
        &[
            ("RUST_LOG", "trace"),
            // Whatever a batch waits for, it does not wait for long.
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "10"),
        ],
    );
    // The crates of the export did log, or the test would prove nothing.
    assert!(!finished.lines(" hyper_util::").is_empty(), "{}", finished.console);
}
