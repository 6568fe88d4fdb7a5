//! At most so many traces a second, for all together or for each key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::rule::ROUTE;

const NANOS: f64 = 1e9;
/// Nanoseconds between two looks for idle keys.
const SWEEP: u64 = 1_000_000_000;

/// A limit on what is sampled: a token bucket, taken from without a lock.
///
/// Nobody can say how many traces stand behind those that pass a limit which refuses others. So from a refusal until the
/// bucket is full again no `th` is written; what was refused is counted in
/// [`SamplingHealth::rate_limited`](crate::sampling::SamplingHealth::rate_limited).
///
/// ```
/// use otel_init::sampling::{RateLimit, Sampling};
///
/// let limit = RateLimit::per_minute(1000.0).for_each_route();
/// let sampling = Sampling::probability(0.05).with_rate_limit(limit);
/// # let _ = sampling;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimit {
    rate: Rate,
    key: Option<Key>,
    max_keys: usize,
    buckets: Arc<Buckets>,
}

#[derive(Clone, Debug)]
enum Key {
    Route,
    Name,
    Attribute(String),
}

impl RateLimit {
    /// So many traces a second, and as many at once. Zero, below and not a number lets nothing pass.
    pub fn per_second(traces: f64) -> Self {
        Self::new(traces, traces)
    }

    /// So many traces a minute, and those of ten seconds at once. Zero, below and not a number lets nothing pass.
    pub fn per_minute(traces: f64) -> Self {
        Self::new(traces / 60.0, traces / 6.0)
    }

    fn new(per_second: f64, burst: f64) -> Self {
        let rate = Rate::new(per_second, burst);
        Self { rate, key: None, max_keys: 1000, buckets: Arc::new(Buckets::new()) }
    }

    /// How many traces may come at once, at least one.
    pub fn with_burst(mut self, traces: f64) -> Self {
        self.rate = Rate::new(self.rate.per_second, traces);
        self.buckets = Arc::new(Buckets::new());
        self
    }

    /// A limit for each route that requests start with: `http.route`. What has none shares one. Paths are no keys: callers
    /// choose them.
    pub fn for_each_route(self) -> Self {
        self.keyed(Key::Route)
    }

    /// A limit for each name of a span.
    pub fn for_each_name(self) -> Self {
        self.keyed(Key::Name)
    }

    /// A limit for each value of an attribute that spans start with, such as a tenant. What has no value shares one.
    pub fn for_each_attribute(self, key: impl Into<String>) -> Self {
        self.keyed(Key::Attribute(key.into()))
    }

    /// How many keys have a limit of their own, 1,000 by default. Those beyond share one, unless another was idle long
    /// enough to be forgotten.
    pub fn with_max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    fn keyed(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Takes a token for this span.
    pub(super) fn admit(&self, span: &NewSpan<'_>) -> Admission {
        self.admit_at(span, self.buckets.origin.elapsed())
    }

    fn admit_at(&self, span: &NewSpan<'_>, now: Duration) -> Admission {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let key = match &self.key {
            None => None,
            Some(Key::Route) => span.attribute(ROUTE).map(|value| value.as_str()),
            Some(Key::Name) => Some(span.name().into()),
            Some(Key::Attribute(key)) => span.attribute(key).map(|value| value.as_str()),
        };
        let admission = match key {
            Some(key) => self.buckets.keyed(&key, self.rate, self.max_keys, now),
            None => self.buckets.shared.take(self.rate, now),
        };
        if admission == Admission::Refused {
            self.buckets.refused.fetch_add(1, Ordering::Relaxed);
        }
        admission
    }

    /// How many were refused.
    pub(super) fn refused(&self) -> u64 {
        self.buckets.refused.load(Ordering::Relaxed)
    }

    pub(super) fn reads_attributes(&self) -> bool {
        matches!(self.key, Some(Key::Route | Key::Attribute(_)))
    }

    pub(super) fn description(&self) -> String {
        let each = match &self.key {
            None => String::new(),
            Some(Key::Route) => " for each route".to_owned(),
            Some(Key::Name) => " for each name".to_owned(),
            Some(Key::Attribute(key)) => format!(" for each {key}"),
        };
        let (amount, unit) = if self.rate.per_second >= 20.0 {
            (self.rate.per_second, "s")
        } else {
            (self.rate.per_second * 60.0, "min")
        };
        format!("at most {}/{unit}{each}", (amount * 100.0).round() / 100.0)
    }
}

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
struct Rate {
    per_second: f64,
    /// `None` when nothing passes.
    interval: Option<u64>,
    tolerance: u64,
}

impl Rate {
    fn new(per_second: f64, burst: f64) -> Self {
        let per_second = if per_second.is_nan() { 0.0 } else { per_second.max(0.0) };
        // Casts saturate: a rate beyond one in a nanosecond refuses nothing, a rate below one in centuries all but one.
        let interval = (per_second > 0.0).then(|| (NANOS / per_second) as u64);
        let tolerance = (interval.unwrap_or(0) as f64 * (burst.max(1.0) - 1.0)) as u64;
        Self { per_second, interval, tolerance }
    }
}

/// A token bucket as one number: when the next trace would be in time if all came evenly.
#[derive(Debug, Default)]
struct Bucket {
    next: AtomicU64,
    /// Until when traces stand for an unknown number: the bucket is full again then.
    uncounted_until: AtomicU64,
}

impl Bucket {
    fn take(&self, rate: Rate, now: u64) -> Admission {
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
struct Buckets {
    origin: Instant,
    shared: Bucket,
    by_key: ArcSwap<HashMap<Box<str>, Arc<Bucket>>>,
    adding: Mutex<()>,
    /// When idle keys may be forgotten again.
    next_sweep: AtomicU64,
    refused: AtomicU64,
}

impl Buckets {
    fn new() -> Self {
        Self {
            origin: Instant::now(),
            shared: Bucket::default(),
            by_key: ArcSwap::default(),
            adding: Mutex::new(()),
            next_sweep: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn keyed(&self, key: &str, rate: Rate, max_keys: usize, now: u64) -> Admission {
        if let Some(bucket) = self.by_key.load().get(key) {
            return bucket.take(rate, now);
        }
        match self.add(key, max_keys, now) {
            Some(bucket) => bucket.take(rate, now),
            None => self.shared.take(rate, now),
        }
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

/// What another sampler samples, up to a limit.
///
/// [`Sampling::with_rate_limit`](super::Sampling::with_rate_limit) limits everything that begins here; this limits what
/// one rule samples.
#[derive(Clone, Debug)]
pub struct RateLimited<S> {
    inner: S,
    limit: RateLimit,
}

impl<S: ComposableSampler> RateLimited<S> {
    /// `inner` decides, within `limit`.
    #[must_use]
    pub fn new(inner: S, limit: RateLimit) -> Self {
        Self { inner, limit }
    }
}

impl<S: ComposableSampler> ComposableSampler for RateLimited<S> {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        limited(self.inner.intent(span), &self.limit, span)
    }

    fn reads_attributes(&self) -> bool {
        self.inner.reads_attributes() || self.limit.reads_attributes()
    }

    fn description(&self) -> String {
        format!("{}, {}", self.inner.description(), self.limit.description())
    }
}

/// Takes a token for what would be sampled, and only for that.
pub(super) fn limited(intent: Intent, limit: &RateLimit, span: &NewSpan<'_>) -> Intent {
    if !intent.samples(span.randomness()) {
        return intent;
    }
    match limit.admit(span) {
        Admission::Admitted => intent,
        Admission::Uncounted => Intent { is_reliable: false, ..intent },
        Admission::Refused => Intent::drop(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use opentelemetry::KeyValue;

    use super::super::tests::new_span;
    use super::{Admission, RateLimit};

    fn admitted(limit: &RateLimit, count: usize, now: Duration) -> usize {
        let admit = |_: &usize| new_span(&[], |span| limit.admit_at(span, now)) != Admission::Refused;
        (0..count).filter(admit).count()
    }

    #[test]
    fn a_burst_passes_and_then_what_the_rate_allows() {
        let limit = RateLimit::per_second(10.0);
        assert_eq!(admitted(&limit, 100, Duration::from_secs(5)), 10);
        assert_eq!(admitted(&limit, 100, Duration::from_millis(5_500)), 5);
        assert_eq!(admitted(&limit, 100, Duration::from_secs(60)), 10);
        assert_eq!(limit.refused(), 300 - 25);
        let minute = RateLimit::per_minute(60.0).with_burst(1.0);
        let each_second: usize =
            (0..60).map(|second| admitted(&minute, 10, Duration::from_secs(second))).sum();
        assert_eq!(each_second, 60);
    }

    #[test]
    fn nothing_passes_a_limit_of_nothing_and_everything_one_without_end() {
        for nothing in [0.0, -1.0, f64::NAN] {
            assert_eq!(admitted(&RateLimit::per_second(nothing), 10, Duration::from_secs(1)), 0);
        }
        assert_eq!(admitted(&RateLimit::per_second(f64::INFINITY), 10, Duration::ZERO), 10);
        assert_eq!(admitted(&RateLimit::per_second(1e-300), 10, Duration::from_secs(1)), 1);
    }

    #[test]
    fn counts_are_unknown_from_a_refusal_until_the_bucket_is_full() {
        let limit = RateLimit::per_second(10.0);
        let admit = |millis| new_span(&[], |span| limit.admit_at(span, Duration::from_millis(millis)));
        for _ in 0..10 {
            assert_eq!(admit(1000), Admission::Admitted);
        }
        assert_eq!(admit(1000), Admission::Refused);
        assert_eq!(admit(1500), Admission::Uncounted);
        assert_eq!(admit(2100), Admission::Admitted);
    }

    #[test]
    fn each_key_has_its_own_limit_and_the_number_of_keys_is_bounded() {
        let limit = RateLimit::per_second(1.0).for_each_attribute("tenant").with_max_keys(2);
        let admit = |tenant: &'static str, secs| {
            new_span(&[KeyValue::new("tenant", tenant)], |span| {
                limit.admit_at(span, Duration::from_secs(secs))
            })
        };
        assert_eq!((admit("a", 10), admit("a", 10)), (Admission::Admitted, Admission::Refused));
        assert_eq!((admit("b", 10), admit("b", 10)), (Admission::Admitted, Admission::Refused));
        // One too many: `c` and `d` share what has no key.
        assert_eq!((admit("c", 10), admit("d", 10)), (Admission::Admitted, Admission::Refused));
        // The others were idle since: there is room.
        assert_eq!((admit("e", 20), admit("f", 20)), (Admission::Admitted, Admission::Admitted));
        assert_eq!(limit.buckets.by_key.load().len(), 2);
    }

    #[test]
    fn threads_together_get_no_more_than_the_limit() {
        let limit = Arc::new(RateLimit::per_second(100.0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let limit = Arc::clone(&limit);
                std::thread::spawn(move || admitted(&limit, 1000, Duration::from_secs(1)))
            })
            .collect();
        let sum: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, 100);
    }
}
