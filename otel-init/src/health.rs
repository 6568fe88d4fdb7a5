//! How the export does: numbers for a readiness page, an alert, or the last line of a log.

use std::fmt;
use std::time::SystemTime;

use crate::Signal;
use crate::export::{CircuitState, Monitor};
use crate::pipeline::Pipeline;
use crate::sampling::SamplingHealth;

/// The state of the export at one moment; see [`Telemetry::health`](crate::Telemetry::health).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The signals that are exported: traces, metrics, logs; one entry for each destination.
    pub signals: Vec<SignalHealth>,
    /// Values that the redaction changed or removed, in all signals.
    pub redacted_values: u64,
    /// Metrics with more sets of attributes than their limit: what comes on top is counted in one set.
    pub overflowing_metrics: Vec<String>,
    /// Spans that were not recorded because their trace had too many in this process, or nested too deep.
    pub cut_spans: u64,
    /// Spans that an audit hook did not see, because it is too slow.
    pub unaudited_spans: u64,
    /// What became of spans before they were exported or not.
    pub sampling: SamplingHealth,
    /// Instrumentations that the configuration switched off: they make no spans and no metrics.
    pub disabled_instrumentations: Vec<String>,
}

/// What became of the items of one signal: spans, log records, or data points of metrics.
///
/// When nothing is moving, `created = exported + failed + rejected + dropped + filtered + queued + stored`. It is what the sender
/// knows: after a connection broke, an item may have been delivered and sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalHealth {
    /// The signal.
    pub signal: Signal,
    /// Where it goes, without credentials.
    pub endpoint: String,
    /// Items that were made.
    pub created: u64,
    /// Items that wait or are being sent, also those that could not be sent yet.
    pub queued: u64,
    /// Items that the collector took.
    pub exported: u64,
    /// Items that could not be sent, and are not tried again.
    pub failed: u64,
    /// Items of a request which the collector took without them: its partial success.
    pub rejected: u64,
    /// Items that did not fit in the queue, or were in it when the shutdown ended.
    pub dropped: u64,
    /// Items on disk, with a [`DiskBuffer`](crate::DiskBuffer): they are sent later, by this process or the next. Those that
    /// were there at the start count as created too.
    pub stored: u64,
    /// Items that a [`DropRule`](crate::DropRule) took.
    pub filtered: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// When the collector last took something.
    pub last_success: Option<SystemTime>,
    /// When something last could not be sent, and why.
    pub last_error: Option<(SystemTime, String)>,
    /// Whether the export is paused.
    pub circuit: CircuitState,
}

impl Health {
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        Self {
            signals: pipeline.outlets.iter().map(crate::pipeline::Outlet::health).collect(),
            redacted_values: pipeline.safety.as_ref().map_or(0, |safety| safety.redacted()),
            overflowing_metrics: pipeline.guard.overflowing(),
            cut_spans: pipeline
                .safety
                .as_ref()
                .and_then(|safety| safety.caps.as_ref())
                .map_or(0, |caps| caps.cut()),
            unaudited_spans: pipeline.safety.as_ref().map_or(0, |safety| safety.unaudited()),
            sampling: pipeline.sampling.health(),
            disabled_instrumentations: pipeline.disabled_instrumentations.clone(),
        }
    }

    /// The health of one signal, if it is exported; of several destinations, the first.
    #[must_use]
    pub fn signal(&self, signal: Signal) -> Option<&SignalHealth> {
        self.signals.iter().find(|health| health.signal == signal)
    }
}

impl SignalHealth {
    pub(crate) fn of(monitor: &Monitor) -> Self {
        let counts = monitor.tally.counts();
        Self {
            signal: monitor.signal(),
            endpoint: monitor.endpoint().to_owned(),
            created: counts.created,
            queued: counts.queued,
            exported: counts.exported,
            failed: counts.failed,
            rejected: counts.rejected,
            dropped: counts.dropped,
            stored: counts.stored,
            filtered: counts.filtered,
            retries: counts.retries,
            last_success: monitor.tally.last_success(),
            last_error: monitor.tally.last_error(),
            circuit: monitor.circuit(),
        }
    }

    /// Items that are lost: failed, rejected and dropped.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.failed + self.rejected + self.dropped
    }
}

impl fmt::Display for Health {
    /// The signals, and what explains that they have less than one expects.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signals.is_empty() {
            formatter
                .write_str("nothing was sent: every signal is switched off, or fetched by Prometheus")?;
        }
        for (index, signal) in self.signals.iter().enumerate() {
            write!(formatter, "{}{signal}", if index == 0 { "" } else { "; " })?;
        }
        if !self.disabled_instrumentations.is_empty() {
            write!(
                formatter,
                "; instrumentations that are off: {}",
                self.disabled_instrumentations.join(", ")
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for SignalHealth {
    /// `traces: 10 exported, 2 failed`; what is zero is left out, but for the first.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} exported", self.signal, self.exported)?;
        for (count, what) in [
            (self.failed, "failed"),
            (self.rejected, "rejected by the collector"),
            (self.dropped, "dropped"),
            (self.filtered, "filtered"),
            (self.queued, "queued"),
            (self.stored, "on disk"),
        ] {
            if count > 0 {
                write!(formatter, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
