//! Token buckets that are taken from without a lock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;

const NANOS: f64 = 1e9;
/// Nanoseconds between two looks for idle keys.
const SWEEP: u64 = 1_000_000_000;

/// What a limit says to one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// Admitted while others were refused: nobody knows how many this one stands for.
    Uncounted,
    Refused,
}

/// Nanoseconds between two traces, and how far ahead of its time a trace may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    /// `None` when nothing passes.
    interval: Option<u64>,
    tolerance: u64,
}

impl Rate {
    pub(super) fn new(per_second: f64, burst: f64) -> Self {
        let per_second = if per_second.is_nan() { 0.0 } else { per_second.max(0.0) };
        // Casts saturate: a rate beyond one in a nanosecond refuses nothing, a rate below one in centuries all but one.
        let interval = (per_second > 0.0).then(|| (NANOS / per_second) as u64);
        let tolerance = (interval.unwrap_or(0) as f64 * (burst.max(1.0) - 1.0)) as u64;
        Self { per_second, interval, tolerance }
    }
}

/// A token bucket as one number: when the next trace would be in time if all came evenly. That is the theoretical arrival time
/// of the generic cell rate algorithm.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    next: AtomicU64,
    /// Until when traces stand for an unknown number: the bucket is full again then.
    uncounted_until: AtomicU64,
}

impl Bucket {
    pub(super) fn take(&self, rate: Rate, now: u64) -> Admission {
        let Some(interval) = rate.interval else { return Admission::Refused };
        let taken = self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
            let next = next.max(now);
            (next - now <= rate.tolerance).then(|| next.saturating_add(interval))
        });
        match taken {
            Ok(_) if now < self.uncounted_until.load(Ordering::Relaxed) => Admission::Uncounted,
            Ok(_) => Admission::Admitted,
            Err(next) => {
                self.uncounted_until.fetch_max(next, Ordering::Relaxed);
                Admission::Refused
            }
        }
    }

    fn is_idle(&self, now: u64) -> bool {
        self.next.load(Ordering::Acquire) <= now && self.uncounted_until.load(Ordering::Relaxed) <= now
    }
}

/// Buckets by key. Read without a lock; a new key copies the map.
#[derive(Debug)]
pub(super) struct Buckets {
    pub(super) origin: Instant,
    pub(super) shared: Bucket,
    by_key: ArcSwap<HashMap<Box<str>, Arc<Bucket>>>,
    adding: Mutex<()>,
    /// When idle keys may be forgotten again.
    next_sweep: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            shared: Bucket::default(),
            by_key: ArcSwap::default(),
            adding: Mutex::new(()),
            next_sweep: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(super) fn keyed(&self, key: &str, rate: Rate, max_keys: usize, now: u64) -> Admission {
        if let Some(bucket) = self.by_key.load().get(key) {
            return bucket.take(rate, now);
        }
        match self.add(key, max_keys, now) {
            Some(bucket) => bucket.take(rate, now),
            None => self.shared.take(rate, now),
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.by_key.load().len()
    }

    #[cold]
    fn add(&self, key: &str, max_keys: usize, now: u64) -> Option<Arc<Bucket>> {
        // Whoever sends a thousand keys at once must not make all threads wait for as many copies.
        let _adding = match self.adding.try_lock() {
            Ok(adding) => adding,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        let known = self.by_key.load();
        if let Some(bucket) = known.get(key) {
            return Some(Arc::clone(bucket));
        }
        // Of keys without end not each may cost a copy.
        if known.len() >= max_keys && now < self.next_sweep.load(Ordering::Relaxed) {
            return None;
        }
        let mut copy = HashMap::clone(&known);
        if copy.len() >= max_keys {
            self.next_sweep.store(now.saturating_add(SWEEP), Ordering::Relaxed);
            copy.retain(|_, bucket| !bucket.is_idle(now));
            if copy.len() >= max_keys {
                return None;
            }
        }
        let bucket = Arc::<Bucket>::default();
        copy.insert(key.into(), Arc::clone(&bucket));
        self.by_key.store(Arc::new(copy));
        Some(bucket)
    }
}
