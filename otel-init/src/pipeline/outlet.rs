//! The end of a signal's way through the process, as a flush and a shutdown see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::LogProcessor;
use opentelemetry_sdk::metrics::PeriodicReader;
use opentelemetry_sdk::metrics::reader::MetricReader;

use super::queue::{LogQueue, SpanQueue};
use crate::Signal;
use crate::error::SignalFailure;
use crate::export::{Monitor, SignalExporter};
use crate::health::SignalHealth;
use crate::metrics::callback_under_way;

/// A signal on its way to one destination.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    pub(crate) way: Way,
    pub(crate) monitor: Arc<Monitor>,
}

#[derive(Debug, Clone)]
pub(crate) enum Way {
    Spans(Arc<SpanQueue>),
    Metrics(PeriodicReader<SignalExporter>),
    Logs(Arc<LogQueue>),
}

impl Outlet {
    pub(crate) fn signal(&self) -> Signal {
        self.monitor.signal()
    }

    /// Sends what is queued. Blocks, for `timeout` and not longer than upstream takes to give up, 5 seconds, on top of it.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), SignalFailure> {
        let deadline = Instant::now() + timeout;
        self.attempt(|way| {
            loop {
                let flushed = match way {
                    Way::Spans(spans) => spans.force_flush(),
                    Way::Metrics(metrics) => metrics.force_flush(),
                    Way::Logs(logs) => logs.force_flush(),
                };
                // Upstream waits for 5 seconds, whoever asks.
                let is_early = Instant::now() < deadline;
                match &flushed {
                    Err(error) if is_early && matches!(Refusal::of(error), Refusal::Timeout) => {}
                    _ => return flushed,
                }
            }
        })
    }

    /// Sends what is queued and stops. Blocks, for metrics at most 5 seconds whatever `timeout` says: upstream ignores it.
    pub(crate) fn shutdown(&self, timeout: Duration) -> Result<(), SignalFailure> {
        self.attempt(|way| match way {
            Way::Spans(spans) => spans.shutdown_with_timeout(timeout),
            Way::Metrics(metrics) => metrics.shutdown_with_timeout(timeout),
            Way::Logs(logs) => logs.shutdown_with_timeout(timeout),
        })
    }

    /// The shutdown is over: what is still queued is lost.
    pub(crate) fn close(&self) {
        self.monitor.tally.close();
    }

    /// What other threads queued while the shutdown was under way.
    pub(crate) fn left_behind(&self) -> Option<SignalFailure> {
        let tally = &self.monitor.tally;
        let late = tally.counts().queued + tally.too_late();
        (late > 0).then(|| self.monitor.failure(&format!("{late} came after the shutdown had begun")))
    }

    pub(crate) fn health(&self) -> SignalHealth {
        SignalHealth::of(&self.monitor)
    }

    pub(crate) fn failure(&self, cause: &str) -> SignalFailure {
        self.monitor.failure(cause)
    }

    /// There was no outcome `in_time`: "within 10s", say.
    pub(crate) fn unanswered(&self, in_time: &str) -> SignalFailure {
        let stuck = callback_under_way().filter(|_| self.signal() == Signal::Metrics);
        self.failure(&match stuck {
            Some(name) => format!("a callback of the instrument {name} has not returned {in_time}"),
            None => format!("the collector did not answer {in_time}"),
        })
    }

    /// What upstream answers is not enough: its batch processors report the last of several batches on a flush, and
    /// success on a shutdown whatever happened. So the exports counted meanwhile decide first.
    fn attempt(&self, action: impl FnOnce(&Way) -> OTelSdkResult) -> Result<(), SignalFailure> {
        let failed_before = self.monitor.failed_exports();
        let result = self.monitor.urgency.during(|| {
            // First, because a processor that is shut down has no exporter any more.
            self.monitor.drain();
            action(&self.way)
        });
        if self.monitor.failed_exports() != failed_before {
            return Err(self.monitor.failure("an export failed"));
        }
        match result {
            Ok(()) => Ok(()),
            Err(error) => match Refusal::of(&error) {
                Refusal::AlreadyShutdown => Ok(()),
                Refusal::Timeout => Err(self.unanswered("in time")),
                Refusal::Other => Err(self.monitor.failure(&error.to_string())),
            },
        }
    }
}

/// Why upstream did not flush or shut down.
enum Refusal {
    /// Somebody else shuts the provider down, and that flushes it.
    AlreadyShutdown,
    Timeout,
    Other,
}

impl Refusal {
    /// Providers wrap the errors of their processors as text: `errs: [Err(Timeout(5s))]`.
    fn of(error: &OTelSdkError) -> Self {
        match error {
            OTelSdkError::AlreadyShutdown => Self::AlreadyShutdown,
            OTelSdkError::Timeout(_) => Self::Timeout,
            OTelSdkError::InternalFailure(text) if text.contains("AlreadyShutdown") => Self::AlreadyShutdown,
            OTelSdkError::InternalFailure(text) if text.contains("Timeout(") => Self::Timeout,
            OTelSdkError::InternalFailure(_) => Self::Other,
        }
    }
}
