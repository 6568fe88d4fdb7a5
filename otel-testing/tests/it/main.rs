//! The tests of the crate, in one binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed helper is a failed test")]

mod assert_hygiene;
mod assert_metrics_and_logs;
mod assert_spans;
mod conventions;
mod conventions_registry;
mod eventually;
mod expectations;
mod faults;
mod globals;
mod json;
mod messages;
mod metrics;
mod receiver;
mod receiver_bounds;
mod receiver_http;
#[cfg(feature = "receiver")]
mod receiver_program;
mod require;
mod sender;
mod snapshot;
mod spans;
mod strict;
#[cfg(feature = "tls")]
mod tls;
mod traces;
mod tracing_subscriber;
#[cfg(feature = "zstd")]
mod zstd;
