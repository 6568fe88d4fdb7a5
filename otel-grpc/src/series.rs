//! The durations of calls, by what few values they have.
//!
//! An SDK hashes and compares the attributes of each measurement, which costs more than all else that a metric does. The
//! series of a service are few and come again, so each thread keeps them: as lists that need not be made again, and, where
//! the SDK is known to be able to, as instruments that are bound to them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{BoundHistogram, Histogram};
use opentelemetry::{Key, KeyValue, Value};
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

/// What tells one series from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Series {
    of: u64,
    /// One of the process's names, so that its address tells it.
    method: (usize, usize),
    code: i32,
    is_error: bool,
}

/// What a thread keeps of one series.
struct Known {
    attributes: Vec<KeyValue>,
    bound: Option<BoundHistogram<f64>>,
}

/// More series than a thread of a usual service sees; then it begins anew.
const MAX_KNOWN: usize = 1_000;

thread_local! {
    static KNOWN: RefCell<HashMap<Series, Known, QuickHash>> = RefCell::default();
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
        let known_error = is_error && own.iter().all(|attribute| is_class(attribute, code));
        let is_recorded = (own.is_empty() && !is_error) || known_error;
        let is_recorded = is_recorded
            && KNOWN.try_with(|known| self.record_known(known, seconds, method, code, is_error)).is_ok();
        if !is_recorded {
            let mut attributes = self.attributes(method, code, false);
            attributes.extend_from_slice(own);
            self.duration.record(seconds, &attributes);
        }
    }

    fn record_known(
        &self,
        known: &RefCell<HashMap<Series, Known, QuickHash>>,
        seconds: f64,
        method: &'static str,
        code: Code,
        is_error: bool,
    ) {
        let method_address = (method.as_ptr().addr(), method.len());
        let key = Series { of: self.id, method: method_address, code: i32::from(code), is_error };
        if let Some(known) = known.borrow().get(&key) {
            return self.record_as(known, seconds);
        }
        let attributes = self.attributes(method, code, is_error);
        let bound = self.binds.then(|| self.duration.bind(&attributes));
        let first = Known { attributes, bound };
        self.record_as(&first, seconds);
        let mut known = known.borrow_mut();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, first);
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

/// A hasher for keys that no peer can choose.
#[derive(Clone, Copy, Debug, Default)]
struct QuickHasher(u64);

type QuickHash = BuildHasherDefault<QuickHasher>;

impl Hash for Series {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(
            self.of ^ (u64::from(self.code.unsigned_abs()) << 32) ^ (u64::from(self.is_error) << 48),
        );
        state.write_usize(self.method.0);
    }
}

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}
