//! What a flush and a shutdown tell that delivered everything.

use std::fmt;
use std::time::Duration;

use crate::{Health, Signal};

/// A flush that delivered everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlushReport {
    pub(crate) health: Health,
    pub(crate) elapsed: Duration,
}

impl FlushReport {
    /// What was delivered and what was lost, signal by signal, since the installation.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// How long it took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for FlushReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "telemetry was flushed in {:.1?}: {}", self.elapsed, self.health)
    }
}

/// A shutdown that delivered everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownReport {
    pub(crate) signals: Vec<Signal>,
    pub(crate) health: Health,
    pub(crate) elapsed: Duration,
}

impl ShutdownReport {
    /// The signals that were exported; those switched off are not among them.
    #[must_use]
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// What was delivered and what was lost, signal by signal, since the installation.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// How long flushing and shutting down took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signals.is_empty() {
            return self.health.fmt(formatter);
        }
        write!(formatter, "telemetry was shut down in {:.1?}: {}", self.elapsed, self.health)
    }
}
