//! At most so many traces a second, for all together or for each key.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::bucket::{Admission, Buckets, Rate};
use super::composable::NewSpan;
use super::rule::ROUTE;

/// A limit on what is sampled: a token bucket, taken from without a lock.
///
/// Nobody can say how many traces stand behind those that pass a limit which refuses others. So from a refusal until the
/// bucket is full again no `th` is written; what
/// [`Sampling::with_rate_limit`](crate::sampling::Sampling::with_rate_limit) refused is counted in
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use opentelemetry::KeyValue;

    use super::super::bucket::Admission;
    use super::super::tests::new_span;
    use super::RateLimit;

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
        assert_eq!(limit.buckets.keys(), 2);
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
