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

/// Longer than the timeouts of the tests, which are of a few seconds: a machine that is shared may stand still for some.
const STALLED: std::time::Duration = std::time::Duration::from_secs(20);
