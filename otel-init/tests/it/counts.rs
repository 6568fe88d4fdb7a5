//! The counts of a signal, which always add up.

use otel_init::{Signal, SignalHealth, Telemetry};

/// What became of all that was created.
pub(crate) fn known(health: &SignalHealth) -> u64 {
    health.exported
        + health.failed
        + health.rejected
        + health.dropped
        + health.filtered
        + health.queued
        + health.stored
}

#[track_caller]
pub(crate) fn health_of(telemetry: &Telemetry, signal: Signal) -> SignalHealth {
    let health = telemetry.health().signal(signal).unwrap().clone();
    assert_eq!(health.created, known(&health), "{health:?}");
    health
}
