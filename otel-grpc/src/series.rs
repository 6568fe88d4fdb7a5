//! The durations of calls, by what few values they have.
//!
//! The series of a service are few and come again, so each thread keeps them: as lists that need not be made again, and, where
//! the SDK is known to be able to, as instruments that are bound to them.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{BoundHistogram, Histogram};
use opentelemetry::{Key, KeyValue, Value};
use otel_core::{SeriesCache, extend_series};
use tonic::Code;

use crate::code;
use crate::method::SYSTEM;

/// A duration, and the attributes that all of its series have.
#[derive(Debug)]
pub(crate) struct DurationSeries {
    /// Tells this instrument from others in what a thread keeps.
    id: u64,
    binds: bool,
    duration: Histogram<f64>,
    shared: Vec<KeyValue>,
}

/// What a thread keeps of one series.
struct Known {
    attributes: Vec<KeyValue>,
    bound: Option<BoundHistogram<f64>>,
}

/// What tells one series from another: the instrument, the status, and the method, one of the process's names, so that its
/// address tells it.
type SeriesKey = (u64, u64, usize);

thread_local! {
    static KNOWN: SeriesCache<SeriesKey, Known> = SeriesCache::default();
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl DurationSeries {
    /// `binds` says whether the instrument may be bound to attributes.
    pub(crate) fn new(duration: Histogram<f64>, shared: Vec<KeyValue>, binds: bool) -> Self {
        Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), binds, duration, shared }
    }

    /// Records a call. `own` are attributes that not all calls of the series have.
    pub(crate) fn record(
        &self,
        seconds: f64,
        method: &'static str,
        code: Code,
        is_error: bool,
        own: &[KeyValue],
    ) {
        let is_known = match is_error {
            true => own.iter().all(|attribute| is_class(attribute, code)),
            false => own.is_empty(),
        };
        let record_known = |known: &SeriesCache<_, _>| {
            known.with(
                self.key(method, code, is_error),
                || self.known(method, code, is_error),
                |known| self.record_as(known, seconds),
            );
        };
        if !is_known || KNOWN.try_with(record_known).is_err() {
            let mut attributes = self.attributes(method, code, false);
            extend_series(&mut attributes, own);
            self.duration.record(seconds, &attributes);
        }
    }

    fn key(&self, method: &'static str, code: Code, is_error: bool) -> SeriesKey {
        let status = u64::from(i32::from(code).unsigned_abs()) << 1 | u64::from(is_error);
        (self.id, (method.len() as u64) << 32 | status, method.as_ptr().addr())
    }

    fn known(&self, method: &'static str, code: Code, is_error: bool) -> Known {
        let attributes = self.attributes(method, code, is_error);
        let bound = self.binds.then(|| self.duration.bind(&attributes));
        Known { attributes, bound }
    }

    fn record_as(&self, known: &Known, seconds: f64) {
        match &known.bound {
            Some(bound) => bound.record(seconds),
            None => self.duration.record(seconds, &known.attributes),
        }
    }

    fn attributes(&self, method: &'static str, code: Code, is_error: bool) -> Vec<KeyValue> {
        let pair = |key, value| KeyValue::new(Key::from_static_str(key), Value::from(value));
        let mut attributes = Vec::with_capacity(4 + self.shared.len());
        attributes.push(pair("rpc.system.name", SYSTEM));
        attributes.push(pair("rpc.method", method));
        attributes.push(pair("rpc.status_code", code::name(code)));
        if is_error {
            attributes.push(pair("error.type", code::name(code)));
        }
        attributes.extend_from_slice(&self.shared);
        attributes
    }
}

/// Whether an attribute says no more of the error than the status does.
fn is_class(attribute: &KeyValue, code: Code) -> bool {
    attribute.key.as_str() == "error.type" && attribute.value.as_str() == code::name(code)
}
