//! Exemplars, which the SDK has none of: kept beside its instruments, and put into the requests for the points they belong to.
//!
//! A measurement that the [`filter`] lets through is kept ([`kept`]) by its [`instrument`], one for each bucket of each set of
//! attributes. Nothing is drained: every reader is given what was measured since it last asked ([`reader`]).
//!
//! <https://opentelemetry.io/docs/specs/otel/metrics/sdk/#exemplar>

mod filter;
mod instrument;
mod kept;
mod quick_hash;
mod reader;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::InstrumentationScope;

pub use filter::ExemplarFilter;

use filter::Ids;
pub(super) use instrument::{WithExemplars, bounds_of};
use kept::Kept;
pub(crate) use reader::ExemplarReader;

use super::Views;
use super::views::Facts;
use crate::sampling::KeepBuffer;

/// More instruments than this have none.
const MOST_INSTRUMENTS: usize = 2000;

/// The exemplars of all instruments of a pipeline.
pub(crate) struct Exemplars {
    filter: ExemplarFilter,
    /// Traces that are exported although they were not sampled.
    kept_traces: Option<Arc<KeepBuffer>>,
    views: Arc<Views>,
    instruments: Mutex<HashMap<(InstrumentationScope, String), Arc<Kept>>>,
    /// Grows with every collection.
    tick: Arc<AtomicU64>,
    /// The tick from which on each reader has not been given anything.
    readers: Mutex<Vec<Arc<AtomicU64>>>,
}

/// Without what was measured, whose attributes may hold secrets and were not redacted yet.
impl fmt::Debug for Exemplars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exemplars").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl Exemplars {
    pub(crate) fn new(
        filter: ExemplarFilter,
        views: Arc<Views>,
        kept_traces: Option<Arc<KeepBuffer>>,
    ) -> Self {
        let (tick, readers) = (Arc::default(), Mutex::default());
        Self { filter, kept_traces, views, instruments: Mutex::default(), tick, readers }
    }

    /// The ids for what is measured now; `None` if it becomes no exemplar.
    #[inline]
    fn ids(&self) -> Option<Ids> {
        self.filter.ids(self.kept_traces.as_deref())
    }

    /// What keeps the exemplars of this instrument, however often it is made; `None` if it is measured for nobody.
    fn instrument(&self, facts: &Facts<'_>, boundaries: Option<&[f64]>) -> Option<Arc<Kept>> {
        let key = format!("{} {} {:?}", facts.name.to_ascii_lowercase(), facts.unit, facts.kind);
        let key = (facts.scope.clone(), key);
        let mut instruments = lock(&self.instruments);
        if let Some(kept) = instruments.get(&key) {
            return Some(Arc::clone(kept));
        }
        let streams = stream::streams(&self.views, facts, boundaries);
        if streams.is_empty() || instruments.len() >= MOST_INSTRUMENTS {
            return None;
        }
        let kept = Arc::new(Kept::new(facts, streams, Arc::clone(&self.tick)));
        instruments.insert(key, Arc::clone(&kept));
        Some(kept)
    }

    fn all(&self) -> Vec<Arc<Kept>> {
        lock(&self.instruments).values().cloned().collect()
    }

    /// What no other reader than this one is to be given any more was measured before this tick.
    fn oldest_without(&self, reader: &Arc<AtomicU64>) -> u64 {
        let readers = lock(&self.readers);
        let others = readers.iter().filter(|since| !Arc::ptr_eq(since, reader));
        others.map(|since| since.load(Ordering::Relaxed)).min().unwrap_or(u64::MAX)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
