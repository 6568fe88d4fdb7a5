//! Telemetry is installed once per process, so a test that installs runs itself again as a process of its own.

#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod absent;
mod child;
mod config_file;
mod control;
mod delivery;
mod destinations;
mod disk;
mod faults;
mod feedback;
mod install;
mod load;
mod logs;
mod metrics;
mod safety;
mod scripted;
mod shutdown;
mod tls;
