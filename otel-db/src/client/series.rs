//! The durations of statements that come again.
//!
//! An SDK hashes and compares the attributes of each measurement, which costs more than all else that a metric does. A
//! service's statements are few and come again, so each thread keeps their attributes and the instrument bound to them,
//! where the SDK is known to be able to. A call of a statement that is known builds no attributes for metrics at all.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, Histogram};

use crate::query_text::Statement;

/// One statement of one client.
#[derive(Debug)]
pub(crate) struct Series {
    /// The client's, see [`next_id`].
    client: u64,
    /// The instrument's that it is bound to, which is another one after another SDK was installed.
    instrument: u64,
    /// Kept, so that no other one comes to lie at its address.
    statement: Arc<Statement>,
    attributes: Vec<KeyValue>,
    bound: BoundHistogram<f64>,
}

/// What the attributes of a call's metrics follow from.
#[derive(Debug, Default)]
pub(crate) enum Source {
    #[default]
    Request,
    /// From this statement of this client alone, but for those of a failure.
    Statement(u64, Arc<Statement>),
    /// They are these, and those of a failure.
    Series(Arc<Series>),
}

/// More statements than a thread of a usual service runs; then it begins anew.
const MAX_KNOWN: usize = 1_000;

type KnownByAddress = HashMap<(u64, usize), Arc<Series>, BuildHasherDefault<Mix>>;

thread_local! {
    static KNOWN: RefCell<KnownByAddress> = RefCell::default();
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Tells a client or an instrument from others in what a thread keeps.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl Series {
    pub(super) fn known(client: u64, statement: &Arc<Statement>) -> Option<Arc<Self>> {
        let key = (client, Arc::as_ptr(statement).addr());
        KNOWN.try_with(|known| known.borrow().get(&key).cloned()).ok().flatten()
    }

    /// Without those of a failure.
    pub(super) fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    fn keep(self) {
        let key = (self.client, Arc::as_ptr(&self.statement).addr());
        // What a thread keeps may be gone before the last call of the thread.
        let _ = KNOWN.try_with(|known| {
            let mut known = known.borrow_mut();
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(key, Arc::new(self));
        });
    }
}

impl Source {
    /// All attributes of a call that has `own` ones.
    pub(super) fn with<R>(&self, own: &[KeyValue], f: impl FnOnce(&[KeyValue]) -> R) -> R {
        match self {
            Self::Series(series) => f(&[series.attributes(), own].concat()),
            Self::Request | Self::Statement(..) => f(own),
        }
    }
}

#[derive(Debug)]
pub(crate) struct DurationSeries {
    id: u64,
    binds: bool,
    duration: Histogram<f64>,
}

impl DurationSeries {
    /// `binds` says whether the instrument may be bound to attributes.
    pub(crate) fn new(duration: Histogram<f64>, binds: bool) -> Self {
        Self { id: next_id(), binds, duration }
    }

    /// Records a call. `own` are the attributes that do not follow from `source`.
    pub(crate) fn record(&self, seconds: f64, source: &Source, own: &[KeyValue]) {
        match source {
            Source::Series(series) if own.is_empty() && series.instrument == self.id => {
                series.bound.record(seconds);
            }
            _ => source.with(own, |all| self.duration.record(seconds, all)),
        }
        if self.binds {
            self.learn(source, own);
        }
    }

    /// Binds the instrument for the next call of the statement.
    fn learn(&self, source: &Source, own: &[KeyValue]) {
        let (client, statement, attributes) = match source {
            // The cache of statements keeps it too: one that it does not keep is another one each time.
            Source::Statement(client, statement) if Arc::strong_count(statement) > 1 => {
                (*client, statement, own)
            }
            Source::Series(series) if series.instrument != self.id => {
                (series.client, &series.statement, series.attributes())
            }
            _ => return,
        };
        let says_more =
            |pair: &KeyValue| matches!(pair.key.as_str(), "error.type" | "db.response.status_code");
        if attributes.iter().any(says_more) {
            return;
        }
        let series = Series {
            client,
            instrument: self.id,
            statement: Arc::clone(statement),
            attributes: attributes.to_vec(),
            bound: self.duration.bind(attributes),
        };
        series.keep();
    }
}

/// Of a number and an address: nobody chooses them to collide.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        // The high bits of a product are the good ones, and the table takes some from either end.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use opentelemetry::metrics::MeterProvider;
    use otel_testing::TestTelemetry;

    use super::*;
    use crate::query_text::{Dialect, statement};

    fn count(telemetry: &TestTelemetry, attributes: &[KeyValue]) -> Option<u64> {
        let points = telemetry.points("duration");
        let is_it = |point: &&otel_testing::Point| {
            let has_error = attributes.iter().any(|pair| pair.key.as_str() == "error.type");
            attributes.iter().all(|pair| point.has(pair.key.as_str(), pair.value.clone()))
                && point.attribute("error.type").is_some() == has_error
        };
        points.iter().find(is_it)?.count()
    }

    /// As a call does it: `base` is what follows from the statement.
    fn call(
        series: &DurationSeries,
        client: u64,
        of: &Arc<Statement>,
        base: &[KeyValue],
        more: &[KeyValue],
    ) -> bool {
        match Series::known(client, of) {
            Some(known) => {
                assert_eq!(known.attributes(), base);
                series.record(0.1, &Source::Series(known), more);
                true
            }
            None => {
                let source = Source::Statement(client, Arc::clone(of));
                series.record(0.1, &source, &[base, more].concat());
                false
            }
        }
    }

    #[test]
    fn each_call_counts_in_its_series() {
        for binds in [true, false] {
            let telemetry = TestTelemetry::new();
            let histogram = || telemetry.meter_provider().meter("test").f64_histogram("duration").build();
            let series = DurationSeries::new(histogram(), binds);
            let read = statement("SELECT id FROM songs", Dialect::Sqlite);
            let (client, other) = (next_id(), next_id());
            let fine = [KeyValue::new("db.query.summary", "SELECT songs")];
            let failed = [KeyValue::new("error.type", "1")];
            let elsewhere = [KeyValue::new("db.query.summary", "elsewhere")];
            assert!(!call(&series, client, &read, &fine, &failed));
            assert!(!call(&series, client, &read, &fine, &[]), "a failure is nothing to learn from");
            assert_eq!(call(&series, client, &read, &fine, &[]), binds);
            assert_eq!(call(&series, client, &read, &fine, &failed), binds);
            assert!(!call(&series, other, &read, &elsewhere, &[]), "another client");
            series.record(0.1, &Source::Request, &elsewhere);
            assert_eq!(count(&telemetry, &fine), Some(2), "{binds}");
            assert_eq!(count(&telemetry, &[fine[0].clone(), failed[0].clone()]), Some(2), "{binds}");
            assert_eq!(count(&telemetry, &elsewhere), Some(2), "{binds}");
        }
    }

    #[test]
    fn an_instrument_that_was_taken_anew_gets_what_is_recorded() {
        let (first, second) = (TestTelemetry::new(), TestTelemetry::new());
        let [before, after] = [&first, &second].map(|telemetry| {
            let meter = telemetry.meter_provider().meter("test");
            DurationSeries::new(meter.f64_histogram("duration").build(), true)
        });
        let read = statement("SELECT id FROM albums", Dialect::Sqlite);
        let (client, base) = (next_id(), [KeyValue::new("db.query.summary", "SELECT albums")]);
        assert!(!call(&before, client, &read, &base, &[]));
        assert!((0..2).all(|_| call(&after, client, &read, &base, &[])));
        assert_eq!(Series::known(client, &read).unwrap().instrument, after.id);
        assert_eq!((count(&first, &base), count(&second, &base)), (Some(1), Some(2)));
    }

    #[test]
    fn a_statement_that_no_cache_keeps_is_not_kept() {
        let telemetry = TestTelemetry::new();
        let meter = telemetry.meter_provider().meter("test");
        let series = DurationSeries::new(meter.f64_histogram("duration").build(), true);
        let alone = Arc::new(Statement::default());
        let (client, address) = (next_id(), Arc::as_ptr(&alone).addr());
        series.record(0.1, &Source::Statement(client, alone), &[]);
        assert!(KNOWN.with_borrow(|known| !known.contains_key(&(client, address))));
    }
}
