//! The exemplars of one instrument.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::{Key, KeyValue};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;

use super::filter::Ids;
use super::lock;
use super::quick_hash::{ByHash, QuickHasher};
use super::stream::{Slots, Stream};
use crate::metrics::views::Facts;
use crate::sync::Shards;

/// A limit that is larger is for points; exemplars are examples. With 16 threads and all of their series measured since the
/// last export, an instrument keeps some ten megabytes.
const MOST_SERIES: usize = 2000;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "buckets are of floating point, and so the SDK does it")]
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// A measurement that is kept.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    slot: usize,
    tick: u64,
    /// How many the slot has seen in this tick, of which this one was chosen.
    seen: u32,
    pub(super) value: Number,
    /// Nanoseconds since the Unix epoch.
    pub(super) time: u64,
    pub(super) ids: Ids,
    /// Attributes that no stream has.
    pub(super) filtered: Vec<KeyValue>,
}

#[derive(Debug)]
struct Series {
    attributes: Arc<[KeyValue]>,
    /// One for each slot that something was measured for.
    samples: Vec<Sample>,
}

/// What one thread has measured.
#[derive(Debug, Default)]
struct Shard {
    series: HashMap<u64, Series, ByHash>,
    chance: Chance,
}

/// A measurement for each slot of each set of attributes, apart for each thread: whoever measures waits for nobody.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) streams: Vec<Stream>,
    pub(super) scope: InstrumentationScope,
    pub(super) schema_url: String,
    pub(super) unit: String,
    /// What some stream has; `None` for all attributes.
    keys: Option<Vec<Key>>,
    slots: Slots,
    /// The sets of attributes that a thread keeps exemplars for.
    most_series: usize,
    tick: Arc<AtomicU64>,
    shards: Shards<Mutex<Shard>>,
}

/// The attributes of a bound instrument, looked at once.
#[derive(Debug)]
pub(super) struct BoundAttributes {
    hash: u64,
    kept: Arc<[KeyValue]>,
    filtered: Vec<KeyValue>,
}

impl Kept {
    pub(super) fn new(facts: &Facts<'_>, streams: Vec<Stream>, tick: Arc<AtomicU64>) -> Self {
        let keys = streams.iter().map(|stream| stream.keys.as_deref()).collect::<Option<Vec<_>>>();
        Self {
            scope: InstrumentationScope::from((facts.scope, None)),
            schema_url: facts.scope.schema_url().unwrap_or_default().to_owned(),
            unit: facts.unit.to_owned(),
            keys: keys.map(|keys| keys.concat()),
            slots: Slots::of_all(&streams),
            most_series: streams.iter().map(|stream| stream.limit).max().unwrap_or_default().min(MOST_SERIES),
            streams,
            tick,
            shards: Shards::new(Mutex::default),
        }
    }

    pub(super) fn bind(&self, attributes: &[KeyValue]) -> BoundAttributes {
        let kept = self.of_series(attributes).cloned().collect();
        BoundAttributes { hash: self.hash(attributes), kept, filtered: self.others(attributes) }
    }

    pub(super) fn offer(&self, value: Number, ids: Ids, attributes: &[KeyValue]) {
        let is_same = |kept: &Arc<[KeyValue]>| kept.iter().eq(self.of_series(attributes));
        let make = || self.of_series(attributes).cloned().collect();
        self.keep(value, ids, self.hash(attributes), is_same, make, || self.others(attributes));
    }

    pub(super) fn offer_bound(&self, value: Number, ids: Ids, bound: &BoundAttributes) {
        let is_same = |kept: &Arc<[KeyValue]>| Arc::ptr_eq(kept, &bound.kept) || *kept == bound.kept;
        self.keep(value, ids, bound.hash, is_same, || Arc::clone(&bound.kept), || bound.filtered.clone());
    }

    fn keep(
        &self,
        value: Number,
        ids: Ids,
        hash: u64,
        is_same: impl Fn(&Arc<[KeyValue]>) -> bool,
        make: impl FnOnce() -> Arc<[KeyValue]>,
        others: impl FnOnce() -> Vec<KeyValue>,
    ) {
        if !value.as_f64().is_finite() {
            return;
        }
        // Taken by whoever collects, or by a thread of the same number: there will be other measurements.
        let Ok(mut shard) = self.shards.own().try_lock() else { return };
        let Shard { series, chance } = &mut *shard;
        let has_room = series.len() < self.most_series;
        let series = match series.entry(hash) {
            Entry::Occupied(series) => series.into_mut(),
            Entry::Vacant(place) if has_room => {
                place.insert(Series { attributes: make(), samples: Vec::with_capacity(1) })
            }
            Entry::Vacant(_) => return,
        };
        if !is_same(&series.attributes) {
            return;
        }
        // Read with the lock held: see `fresh`.
        let tick = self.tick.load(Ordering::Relaxed);
        let slot = self.slots.of(value.as_f64());
        let place = series.samples.iter_mut().find(|sample| sample.slot == slot);
        let seen = match &place {
            Some(sample) if sample.tick == tick => sample.seen.saturating_add(1),
            _ => 1,
        };
        let sample = || Sample { slot, tick, seen, value, time: now(), ids, filtered: others() };
        match place {
            None => series.samples.push(sample()),
            Some(place) if chance.is_one_in(seen) => *place = sample(),
            Some(place) => place.seen = seen,
        }
    }

    /// What was measured in these ticks. What is older than `oldest` is forgotten, with its attributes.
    ///
    /// The end of the ticks was made with this call, before any lock is taken: whoever measures after the lock was given back
    /// has a later one, so nothing is given twice, and nothing never.
    pub(super) fn fresh(&self, ticks: &Range<u64>, oldest: u64) -> Vec<(Arc<[KeyValue]>, Sample)> {
        let mut fresh = Vec::new();
        for shard in self.shards.iter() {
            lock(shard).series.retain(|_, series| {
                let of_ticks = series.samples.iter().filter(|sample| ticks.contains(&sample.tick));
                fresh.extend(of_ticks.map(|sample| (Arc::clone(&series.attributes), sample.clone())));
                series.samples.retain(|sample| sample.tick >= oldest);
                !series.samples.is_empty()
            });
        }
        fresh
    }

    fn has(&self, attribute: &KeyValue) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(&attribute.key))
    }

    fn of_series<'a>(&self, attributes: &'a [KeyValue]) -> impl Iterator<Item = &'a KeyValue> {
        attributes.iter().filter(|attribute| self.has(attribute))
    }

    fn others(&self, attributes: &[KeyValue]) -> Vec<KeyValue> {
        match self.keys {
            None => Vec::new(),
            Some(_) => attributes.iter().filter(|attribute| !self.has(attribute)).cloned().collect(),
        }
    }

    fn hash(&self, attributes: &[KeyValue]) -> u64 {
        let mut hasher = QuickHasher::default();
        self.of_series(attributes).for_each(|attribute| attribute.hash(&mut hasher));
        hasher.finish()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).series.len()).sum()
    }
}

/// "[SHOULD use] a uniformly-weighted sampling algorithm based on the number of samples the bucket has seen so far", which
/// also spares most of a thousand measurements of a bucket the look at the clock.
#[derive(Debug, Default)]
struct Chance(u64);

impl Chance {
    /// Always for the first.
    fn is_one_in(&mut self, seen: u32) -> bool {
        // Knuth's: good enough in its upper half.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 32) * u64::from(seen)) >> 32 == 0
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
