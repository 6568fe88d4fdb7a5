//! The series of instruments, as a thread keeps them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use opentelemetry::KeyValue;

/// More series than a thread of a usual service sees; then it begins anew.
const MAX_KNOWN: usize = 1_000;

/// What a thread keeps of series that come again and again.
///
/// An SDK hashes and compares the attributes of each measurement, which costs more than all else that a metric does. What is
/// kept may be the list of attributes, or the instrument bound to it. At most 1,000 are kept. `K` must be cheap to hash and
/// nothing that a stranger can choose: an address, a status, the number of the instrument.
///
/// ```
/// use opentelemetry::KeyValue;
/// use otel_core::SeriesCache;
///
/// thread_local! {
///     static KNOWN: SeriesCache<u16, Vec<KeyValue>> = SeriesCache::default();
/// }
///
/// fn record(status: u16) -> Option<i64> {
///     let list = || vec![KeyValue::new("http.response.status_code", i64::from(status))];
///     // A thread that is ending keeps nothing any more.
///     KNOWN.try_with(|known| known.with(status, list, |attributes| attributes.len() as i64)).ok()
/// }
/// assert_eq!(record(200), Some(1));
/// ```
pub struct SeriesCache<K, V> {
    known: RefCell<HashMap<K, V, BuildHasherDefault<QuickHasher>>>,
}

impl<K: Hash + Eq, V> SeriesCache<K, V> {
    /// Calls `f` with what is kept of a series, which `make` makes the first time.
    #[inline]
    pub fn with<R>(&self, key: K, make: impl FnOnce() -> V, f: impl FnOnce(&V) -> R) -> R {
        if let Some(known) = self.known.borrow().get(&key) {
            return f(known);
        }
        let first = make();
        let result = f(&first);
        let mut known = self.known.borrow_mut();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(key, first);
        result
    }
}

impl<K, V> Default for SeriesCache<K, V> {
    fn default() -> Self {
        Self { known: RefCell::default() }
    }
}

impl<K, V> fmt::Debug for SeriesCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesCache").finish_non_exhaustive()
    }
}

/// Adds to the attributes of a series those of a single operation, but for names that the series has already.
///
/// ```
/// use opentelemetry::KeyValue;
///
/// let mut attributes = vec![KeyValue::new("url.scheme", "http")];
/// let of_hooks = [KeyValue::new("url.scheme", "mine"), KeyValue::new("app.tenant", "blue")];
/// otel_core::extend_series(&mut attributes, &of_hooks);
/// assert_eq!(attributes, [KeyValue::new("url.scheme", "http"), KeyValue::new("app.tenant", "blue")]);
/// ```
pub fn extend_series(attributes: &mut Vec<KeyValue>, own: &[KeyValue]) {
    for attribute in own {
        if !attributes.iter().any(|known| known.key == attribute.key) {
            attributes.push(attribute.clone());
        }
    }
}

/// A hasher for keys that no stranger can choose.
#[derive(Clone, Copy, Debug, Default)]
struct QuickHasher(u64);

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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_series_is_made_once_and_there_are_never_more_than_fit() {
        let (cache, made) = (SeriesCache::default(), Cell::new(0));
        let make = |key: usize| {
            made.set(made.get() + 1);
            key
        };
        for key in (0..MAX_KNOWN).chain(0..MAX_KNOWN) {
            assert_eq!(cache.with(key, || make(key), |kept| *kept), key);
        }
        assert_eq!(made.get(), MAX_KNOWN);
        assert_eq!(cache.with(MAX_KNOWN, || make(MAX_KNOWN), |kept| *kept), MAX_KNOWN);
        assert_eq!(cache.known.borrow().len(), 1);
    }
}
