//! Waiting for what is to be received.

use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use super::{OtlpReceiver, ReceivedTrace};
use crate::deadline::deadline;
use crate::tree::{self, Node};

/// So that a message stays readable when much has arrived.
const TRACES_SHOWN: usize = 10;

/// The condition did not hold in time. Its text says what had arrived instead.
#[derive(Clone)]
pub struct WaitTimeout {
    message: String,
}

impl WaitTimeout {
    fn new(receiver: &OtlpReceiver, timeout: Duration) -> Self {
        let (traces, logs, metrics) = (receiver.traces(), receiver.logs(), receiver.metrics());
        let mut message = format!(
            "the condition did not hold within {timeout:?}; {} requests had arrived with {} spans in {} traces, {} log \
             records and {} metrics; {} items were dropped\n",
            receiver.request_count(),
            receiver.spans().len(),
            traces.len(),
            logs.len(),
            metrics.len(),
            receiver.dropped(),
        );
        if let Some(first) = receiver.not_understood().first() {
            let _ = writeln!(message, "what is no OTLP came too, the first one: {first}");
        }
        let shown: Vec<Node> = traces.iter().take(TRACES_SHOWN).flat_map(ReceivedTrace::nodes).collect();
        message.push_str(&tree::render(&shown));
        if traces.len() > TRACES_SHOWN {
            let _ = writeln!(message, "and {} traces more", traces.len() - TRACES_SHOWN);
        }
        Self { message }
    }
}

impl fmt::Display for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The text itself, because `unwrap` shows this and not `Display`.
impl fmt::Debug for WaitTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WaitTimeout {}

impl OtlpReceiver {
    /// Waits until `condition` holds, on any executor; it is looked at again after each request that arrives.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use otel_testing::{AssertTelemetry, OtlpReceiver, span};
    ///
    /// let receiver = OtlpReceiver::start()?;
    /// // Something sends to `receiver.grpc_endpoint()`.
    /// receiver.wait_for(Duration::from_secs(5), |received| received.spans().len() == 2).await?;
    /// receiver.assert_span(span("charge").child_of("checkout"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it does not hold by the end of `timeout`. The error says what had arrived.
    pub async fn wait_for(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), WaitTimeout> {
        let mut arrivals = self.store().subscribe();
        // The timer runs on the receiver's runtime: the caller's may have its clock paused, or be none of tokio's.
        let mut timer = self.runtime().spawn(async move { tokio::time::sleep(timeout).await });
        let result = loop {
            arrivals.mark_unchanged();
            if condition(self) {
                break Ok(());
            }
            tokio::select! {
                _ = arrivals.changed() => {}
                _ = &mut timer => {
                    break if condition(self) { Ok(()) } else { Err(WaitTimeout::new(self, timeout)) };
                }
            }
        };
        timer.abort();
        result
    }

    /// As [`wait_for`](Self::wait_for), for code that is not async: it blocks this thread.
    ///
    /// # Errors
    ///
    /// When it does not hold by the end of `timeout`. The error says what had arrived.
    pub fn wait_for_blocking(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), WaitTimeout> {
        let deadline = deadline(timeout);
        loop {
            // Read before the condition is looked at, so that an arrival meanwhile is not slept through.
            let seen = self.store().changes();
            if condition(self) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(WaitTimeout::new(self, timeout));
            }
            self.store().wait_for_change(seen, deadline);
        }
    }
}
