//! The SDK's ends: what is handed over is encoded, and forgotten.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::SpanData;

use super::buffers::{Buffers, Pushed};
use super::delivery::Destination;
use super::envelope::ScopeKey;
use super::worker::{Schedule, Worker};

/// What happens to an entry that is not taken.
pub(crate) type Lost = Box<dyn Fn(Refused) + Send + Sync>;

/// Why an entry is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no room.
    Full,
    /// What sends has ended.
    Ended,
}

/// Encodes ended spans.
#[derive(Debug)]
pub(crate) struct WireSpanProcessor(Wire);

/// Encodes log records.
#[derive(Debug)]
pub(crate) struct WireLogProcessor(Wire);

struct Wire {
    buffers: Arc<Buffers>,
    worker: Worker,
    lost: Lost,
}

impl WireSpanProcessor {
    /// At most `max_bytes` wait. Somebody has to poll the future: it sends.
    pub(crate) fn new(
        resource: &Resource,
        max_bytes: usize,
        schedule: Schedule,
        destination: impl Destination,
        lost: Lost,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (wire, sending) = Wire::new(resource, max_bytes, schedule, destination, lost);
        (Self(wire), sending)
    }

    pub(crate) fn on_end(&self, span: &SpanData) {
        self.takes(span, usize::MAX);
    }

    /// The same, unless it is larger than that.
    pub(crate) fn takes(&self, span: &SpanData, most: usize) -> bool {
        self.0.takes((&span.instrumentation_scope, None), most, |out| super::span::span(out, span))
    }

    pub(crate) fn force_flush(&self) -> OTelSdkResult {
        self.0.worker.flush()
    }

    pub(crate) fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.worker.shutdown(timeout)
    }
}

impl WireLogProcessor {
    /// At most `max_bytes` wait. Somebody has to poll the future: it sends.
    pub(crate) fn new(
        resource: &Resource,
        max_bytes: usize,
        schedule: Schedule,
        destination: impl Destination,
        lost: Lost,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (wire, sending) = Wire::new(resource, max_bytes, schedule, destination, lost);
        (Self(wire), sending)
    }

    /// Takes a record, its values cut, unless it is larger than that.
    pub(crate) fn takes(
        &self,
        record: &SdkLogRecord,
        scope: &InstrumentationScope,
        most: usize,
        cut: impl Fn(&AnyValue) -> Option<AnyValue>,
    ) -> bool {
        let target = record.target().map(|target| &**target);
        self.0.takes((scope, target), most, |out| super::log::log(out, record, cut))
    }
}

impl LogProcessor for WireLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.takes(record, scope, usize::MAX, |_| None);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.worker.flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.worker.shutdown(timeout)
    }
}

impl Wire {
    fn new(
        resource: &Resource,
        max_bytes: usize,
        schedule: Schedule,
        destination: impl Destination,
        lost: Lost,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let buffers = Arc::new(Buffers::new(max_bytes, schedule.batch.entries, schedule.batch.bytes));
        let (worker, sending) = Worker::new(Arc::clone(&buffers), resource, schedule, destination);
        (Self { buffers, worker, lost }, sending)
    }

    /// Whether it was not too large.
    fn takes(&self, key: ScopeKey<'_>, most: usize, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        match self.buffers.push(key, most, encode) {
            Pushed::Kept => {}
            Pushed::TooLarge => return false,
            // A thread that is woken for nothing takes time from this one.
            Pushed::KeptAndDue if self.buffers.has_a_batch() => self.worker.call(),
            Pushed::KeptAndDue => {}
            Pushed::Full => (self.lost)(Refused::Full),
            Pushed::Ended => (self.lost)(Refused::Ended),
        }
        true
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("worker", &self.worker).finish_non_exhaustive()
    }
}
