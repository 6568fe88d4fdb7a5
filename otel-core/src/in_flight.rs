//! Operations that have started and not ended.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::UpDownCounter;

/// Counts one operation as in flight for as long as it lives.
///
/// Whatever ends the operation drops the guard, so the counter returns to rest on every way out. The same attributes
/// serve both sides, as the metric specification asks for up-down counters.
///
/// ```
/// # use opentelemetry::{global, KeyValue};
/// use otel_core::InFlight;
///
/// let active = global::meter("docs").i64_up_down_counter("http.server.active_requests").build();
/// let guard = InFlight::start(active, vec![KeyValue::new("http.request.method", "GET")]);
/// drop(guard); // -1, here or while unwinding
/// ```
#[must_use = "the operation counts as in flight only while the guard lives"]
pub struct InFlight {
    counter: UpDownCounter<i64>,
    attributes: Vec<KeyValue>,
}

impl InFlight {
    /// Adds one to `counter` now and takes it away when the guard is dropped.
    pub fn start(counter: UpDownCounter<i64>, attributes: Vec<KeyValue>) -> Self {
        counter.add(1, &attributes);
        Self { counter, attributes }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counter.add(-1, &self.attributes);
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}
