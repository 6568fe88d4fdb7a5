//! Times that are the same on every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_sdk::trace::SpanData;

/// 2000-01-01T00:00:00Z
const FIRST: Duration = Duration::from_secs(946_684_800);
const TICK: Duration = Duration::from_millis(1);
const BETWEEN_EVENTS: Duration = Duration::from_micros(1);

/// A clock that goes on by one millisecond each time it is read. The SDK has no way to give it a clock, so the recorders
/// put its times in place of the real ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct CountingClock(Arc<AtomicU32>);

impl CountingClock {
    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + FIRST + TICK * self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends the span now. Its events are not seen when they happen: they follow its start, in their order.
    pub(crate) fn end(&self, span: &mut SpanData, started: SystemTime) {
        let mut time = started;
        for event in &mut span.events.events {
            time += BETWEEN_EVENTS;
            event.timestamp = time;
        }
        span.start_time = started;
        span.end_time = self.now();
    }
}
