//! Telemetry is installed once per process, so a test that installs runs itself again as a process of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a process that is a test tells the other one what it counted")]

mod absent;
mod answers;
mod auto_traits;
mod child;
mod config_file;
mod console;
mod control;
mod counts;
mod delivery;
mod destinations;
mod disk;
mod exemplars;
mod fault_counts;
mod faults;
mod feedback;
mod install;
mod instrumentations;
mod json;
mod load;
mod logs;
mod metrics;
mod panics;
#[cfg(feature = "prometheus")]
mod prometheus;
mod protocols;
mod runbook;
mod safety;
mod sampling;
mod scripted;
mod shutdown;
mod tls;
mod unsent;

use std::time::Duration;

/// Longer than a machine that is shared stands still, and than the timeouts that tests wait for.
const STALLED: Duration = Duration::from_secs(30);

/// The time for what has to work, however slow the machine is. Nobody waits as long as this unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where nobody listens, nor is given this port by the system.
const NOBODY: &str = "127.0.0.1:1";

/// Does this so often, and expects that the application did not wait for anything meanwhile. A machine that is shared may
/// stop a thread now and then, but not each time.
fn without_waiting(times: u64, mut action: impl FnMut()) {
    let is_slow = |_: &u64| {
        let start = std::time::Instant::now();
        action();
        start.elapsed() > Duration::from_millis(200)
    };
    let slow = (0..times).filter(is_slow).count() as u64;
    assert!(slow <= times / 20 + 1, "the application waited {slow} times of {times}");
}

/// A builder whose flushes, shutdowns and detectors have that time, and not some seconds.
fn patient() -> otel_init::TelemetryBuilder {
    otel_init::Telemetry::builder().with_shutdown_timeout(PATIENCE).with_detection_timeout(PATIENCE)
}
