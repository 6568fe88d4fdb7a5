//! The durations of statements that come again.
//!
//! An SDK hashes and compares the attributes of each measurement, which costs more than all else that a metric does. A
//! service's statements are few and come again, so each thread keeps the instrument bound to theirs, where the SDK is known
//! to be able to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, Histogram};

use crate::query_text::Statement;

#[derive(Debug)]
pub(crate) struct DurationSeries {
    /// Tells this instrument from others in what a thread keeps.
    id: u64,
    binds: bool,
    duration: Histogram<f64>,
}

/// What a thread keeps of one statement of one client.
struct Known {
    /// Kept, so that no other one comes to lie at its address.
    _statement: Arc<Statement>,
    /// How many attributes it was bound to: a call that failed has more.
    attributes: usize,
    bound: BoundHistogram<f64>,
}

/// More statements than a thread of a usual service runs; then it begins anew.
const MAX_KNOWN: usize = 1_000;

type KnownByAddress = HashMap<(u64, usize), Known, BuildHasherDefault<DefaultHasher>>;

thread_local! {
    static KNOWN: RefCell<KnownByAddress> = RefCell::default();
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl DurationSeries {
    /// `binds` says whether the instrument may be bound to attributes.
    pub(crate) fn new(duration: Histogram<f64>, binds: bool) -> Self {
        Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), binds, duration }
    }

    /// Records a call. `statement` is given if the attributes follow from it, but for those of a failure.
    pub(crate) fn record(&self, seconds: f64, statement: Option<&Arc<Statement>>, attributes: &[KeyValue]) {
        let is_recorded = statement.filter(|_| self.binds).is_some_and(|statement| {
            KNOWN.try_with(|known| self.record_known(known, seconds, statement, attributes)).unwrap_or(false)
        });
        if !is_recorded {
            self.duration.record(seconds, attributes);
        }
    }

    fn record_known(
        &self,
        known: &RefCell<KnownByAddress>,
        seconds: f64,
        statement: &Arc<Statement>,
        attributes: &[KeyValue],
    ) -> bool {
        let key = (self.id, Arc::as_ptr(statement).addr());
        if let Some(known) = known.borrow().get(&key) {
            let is_the_same = known.attributes == attributes.len();
            if is_the_same {
                known.bound.record(seconds);
            }
            return is_the_same;
        }
        let says_more =
            |pair: &KeyValue| matches!(pair.key.as_str(), "error.type" | "db.response.status_code");
        if attributes.iter().any(says_more) {
            return false;
        }
        let bound = self.duration.bind(attributes);
        bound.record(seconds);
        let mut known = known.borrow_mut();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, Known { _statement: Arc::clone(statement), attributes: attributes.len(), bound });
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use opentelemetry::metrics::MeterProvider;
    use otel_testing::TestTelemetry;

    use super::*;
    use crate::query_text::{Dialect, statement};

    #[test]
    fn each_call_counts_in_its_series() {
        for binds in [true, false] {
            let telemetry = TestTelemetry::new();
            let histogram = || telemetry.meter_provider().meter("test").f64_histogram("duration").build();
            let series = DurationSeries::new(histogram(), binds);
            let other = DurationSeries::new(histogram(), binds);
            let read = statement("SELECT id FROM songs", Dialect::Sqlite);
            let fine = [KeyValue::new("db.query.summary", "SELECT songs")];
            let failed = [fine[0].clone(), KeyValue::new("error.type", "1")];
            let elsewhere = [KeyValue::new("db.query.summary", "elsewhere")];
            series.record(0.1, Some(&read), &failed);
            series.record(0.1, Some(&read), &fine);
            series.record(0.1, Some(&read), &fine);
            series.record(0.1, Some(&read), &failed);
            other.record(0.1, Some(&read), &elsewhere);
            series.record(0.1, None, &elsewhere);
            let count = |attributes: &[KeyValue]| {
                let points = telemetry.points("duration");
                let has_all = |point: &&otel_testing::Point| {
                    let error = point.attribute("error.type").is_some();
                    attributes.iter().all(|pair| point.has(pair.key.as_str(), pair.value.clone()))
                        && error == (attributes.len() == 2)
                };
                points.iter().find(has_all).unwrap().count()
            };
            assert_eq!(count(&fine), Some(2), "{binds}");
            assert_eq!(count(&failed), Some(2), "{binds}");
            assert_eq!(count(&elsewhere), Some(2), "{binds}");
        }
    }
}
