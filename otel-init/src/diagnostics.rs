//! What this crate tells the operator.
//!
//! Everything goes through `tracing` under the target `otel_init`, which the OpenTelemetry layers leave out: a message
//! about a failed export must not be exported. Without any `tracing` subscriber it goes to standard error.

use std::io::Write;

/// The target of every message of this crate.
pub(crate) const TARGET: &str = "otel_init";

pub(crate) fn warn(message: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: TARGET, "{message}");
    } else {
        to_stderr("warning", message);
    }
}

/// Reports that a trouble warned about is over, and says at start what goes where.
pub(crate) fn info(message: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::info!(target: TARGET, "{message}");
    }
}

/// For whoever looks for a mistake.
pub(crate) fn debug(message: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::debug!(target: TARGET, "{message}");
    }
}

fn to_stderr(level: &str, message: &str) {
    // Nothing more can be done for the operator if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{TARGET}: {level}: {message}");
}
