//! Exact counts of one signal: created = exported + failed + rejected + dropped + filtered + queued + stored.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::shards::Shards;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What became of the spans, log records or data points of one signal.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What the threads of the service count. All else is counted once for many.
    arrivals: Shards<Arrivals>,
    /// How many may wait, where that is bounded by number.
    bound: OnceLock<Bound>,
    filtered: AtomicU64,
    dropped: AtomicU64,
    /// How many of those that were queued are not any more.
    left: AtomicU64,
    in_flight: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    retries: AtomicU64,
    stored: AtomicU64,
    is_closed: AtomicBool,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Arrivals {
    created: AtomicU64,
    queued: AtomicU64,
}

#[derive(Debug)]
struct Bound {
    most: u64,
    waiting: AtomicU64,
}

#[derive(Debug, Default)]
struct Last {
    success: Option<SystemTime>,
    error: Option<(SystemTime, String)>,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) created: u64,
    pub(crate) filtered: u64,
    pub(crate) dropped: u64,
    /// What is in flight among them.
    pub(crate) queued: u64,
    pub(crate) in_flight: u64,
    pub(crate) exported: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    pub(crate) retries: u64,
    pub(crate) stored: u64,
}

impl Tally {
    /// From now on at most so many wait. Threads meet at one counter then.
    pub(crate) fn bound(&self, most: u64) {
        // Once, by the one who makes the queue.
        let _ = self.bound.set(Bound { most, waiting: AtomicU64::new(0) });
    }

    /// What was said to [`Self::bound`], if anything was.
    pub(crate) fn most(&self) -> Option<u64> {
        self.bound.get().map(|bound| bound.most)
    }

    /// Counts one that was made, and whether it may be queued. The SDK drops what does not fit without a word, so it
    /// never gets more than fits.
    pub(crate) fn admit(&self) -> bool {
        let own = self.arrivals.own();
        own.created.fetch_add(1, Ordering::Relaxed);
        let is_admitted =
            !self.is_closed.load(Ordering::Acquire) && self.bound.get().is_none_or(Bound::admits);
        if is_admitted {
            own.queued.fetch_add(1, Ordering::AcqRel);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_admitted
    }

    /// One that was admitted found no room after all.
    pub(crate) fn turned_away(&self) {
        self.leave(1);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self, count: u64) {
        if let Some(bound) = self.bound.get() {
            bound.waiting.fetch_sub(count, Ordering::AcqRel);
        }
        self.left.fetch_add(count, Ordering::AcqRel);
    }

    fn created(&self, count: u64) {
        self.arrivals.own().created.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts one that was made and that a drop rule took.
    pub(crate) fn filter(&self) {
        self.created(1);
        self.filtered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts data points that nobody wants at the moment.
    pub(super) fn filtered(&self, count: u64) {
        self.created(count);
        self.filtered.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts data points, which are made when they are collected.
    pub(super) fn collected(&self, count: u64) {
        self.created(count);
        self.in_flight.fetch_add(count, Ordering::AcqRel);
    }

    /// So many left the queue to be sent.
    pub(super) fn taken(&self, count: u64) {
        self.in_flight.fetch_add(count, Ordering::AcqRel);
        self.leave(count);
    }

    pub(super) fn exported(&self, count: u64, rejected: u64) {
        let rejected = rejected.min(count);
        self.rejected.fetch_add(rejected, Ordering::Relaxed);
        self.exported.fetch_add(count - rejected, Ordering::Relaxed);
        self.in_flight.fetch_sub(count, Ordering::AcqRel);
        self.last().success = Some(SystemTime::now());
    }

    pub(super) fn failed(&self, count: u64, cause: &str) {
        self.failed.fetch_add(count, Ordering::Relaxed);
        self.in_flight.fetch_sub(count, Ordering::AcqRel);
        self.last().error = Some((SystemTime::now(), cause.to_owned()));
    }

    /// So many went from memory to the disk.
    pub(super) fn stored(&self, count: u64) {
        self.stored.fetch_add(count, Ordering::AcqRel);
        self.in_flight.fetch_sub(count, Ordering::AcqRel);
    }

    /// So many were on disk when the process started.
    pub(super) fn recovered(&self, count: u64) {
        self.created(count);
        self.stored.fetch_add(count, Ordering::AcqRel);
    }

    /// So many left the disk and are in flight until they are counted.
    pub(super) fn sent_from_disk(&self, count: u64) {
        self.in_flight.fetch_add(count, Ordering::AcqRel);
        self.stored.fetch_sub(count, Ordering::AcqRel);
    }

    /// So many had to make room on the disk.
    pub(super) fn lost_from_disk(&self, count: u64) {
        self.stored.fetch_sub(count, Ordering::AcqRel);
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Nothing is lost, but there was an error.
    pub(super) fn postponed(&self, cause: &str) {
        self.last().error = Some((SystemTime::now(), cause.to_owned()));
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// After the shutdown nothing is sent any more: what waits is lost.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(crate) fn counts(&self) -> Counts {
        // In this order: whoever left was queued before.
        let left = self.left.load(Ordering::Acquire);
        let queued: u64 = self.arrivals.iter().map(|own| own.queued.load(Ordering::Acquire)).sum();
        let in_flight = self.in_flight.load(Ordering::Acquire);
        let waiting = queued.saturating_sub(left) + in_flight;
        let is_closed = self.is_closed.load(Ordering::Acquire);
        let (lost, queued, in_flight) = if is_closed { (waiting, 0, 0) } else { (0, waiting, in_flight) };
        Counts {
            created: self.arrivals.iter().map(|own| own.created.load(Ordering::Relaxed)).sum(),
            filtered: self.filtered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed) + lost,
            queued,
            in_flight,
            exported: self.exported.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            // Whoever sends from the disk may be faster than whoever counts what was put there.
            stored: self.stored.load(Ordering::Acquire).cast_signed().max(0).cast_unsigned(),
        }
    }

    pub(crate) fn last_success(&self) -> Option<SystemTime> {
        self.last().success
    }

    pub(crate) fn last_error(&self) -> Option<(SystemTime, String)> {
        self.last().error.clone()
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bound {
    fn admits(&self) -> bool {
        let is_admitted = self.waiting.fetch_add(1, Ordering::AcqRel) < self.most;
        if !is_admitted {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Tally;

    #[test]
    fn the_sum_is_exact_with_many_threads() {
        let tally = Arc::new(Tally::default());
        tally.bound(50);
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let tally = Arc::clone(&tally);
                std::thread::spawn(move || {
                    for round in 0..1000_u64 {
                        if round % 10 == 0 {
                            tally.filter();
                        } else if tally.admit() && thread % 2 == 0 {
                            tally.taken(1);
                            if round % 3 == 0 { tally.failed(1, "no") } else { tally.exported(1, round % 2) }
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for _ in 0..2 {
            let counts = tally.counts();
            assert_eq!(counts.created, 8000);
            let sum = counts.exported
                + counts.failed
                + counts.rejected
                + counts.dropped
                + counts.filtered
                + counts.queued;
            assert_eq!(sum, 8000, "{counts:?}");
            assert_eq!(counts.filtered, 800);
            tally.close();
        }
        assert_eq!(tally.counts().queued, 0);
        assert!(!tally.admit());
        assert_eq!(tally.counts().created, 8001);
    }

    #[test]
    fn what_is_sent_from_the_disk_before_it_is_counted_there_is_no_huge_number() {
        let tally = Tally::default();
        assert!(tally.admit() && tally.admit());
        tally.taken(2);
        tally.sent_from_disk(2);
        assert_eq!(tally.counts().stored, 0);
        tally.stored(2);
        tally.exported(2, 0);
        let counts = tally.counts();
        assert_eq!((counts.stored, counts.in_flight, counts.exported), (0, 0, 2));
    }
}
