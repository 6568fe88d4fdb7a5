//! Exact counts of one signal: created = exported + failed + rejected + dropped + filtered + queued + stored.

use std::sync::OnceLock;
use std::time::SystemTime;

use crate::sync::Shards;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What became of the spans, log records or data points of one signal.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What the threads of the service count, one by one. All else is counted once for many.
    arrivals: Shards<Arrivals>,
    /// How many may wait, where that is bounded by number.
    bound: OnceLock<Bound>,
    filtered: AtomicU64,
    dropped: AtomicU64,
    /// How many of those that were queued found no room after all.
    turned_away: AtomicU64,
    /// How many of these because the last of the queue was being sent.
    too_late: AtomicU64,
    retries: AtomicU64,
    is_closed: AtomicBool,
    /// Behind one lock, so that nobody ever sees an item in two places, or in none, while it goes from one to the other.
    departures: Mutex<Departures>,
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

/// Where those went that left the queue.
#[derive(Debug, Default)]
struct Departures {
    taken: u64,
    in_flight: u64,
    exported: u64,
    failed: u64,
    rejected: u64,
    /// Below zero while whoever sends from the disk is faster than whoever counts what was put there.
    stored: i64,
    lost_from_disk: u64,
    last_success: Option<SystemTime>,
    last_error: Option<(SystemTime, String)>,
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
        self.leave_room(1);
        self.turned_away.fetch_add(1, Ordering::AcqRel);
    }

    /// One that was admitted came when the last of the queue had been taken.
    pub(crate) fn came_too_late(&self) {
        self.turned_away();
        self.too_late.fetch_add(1, Ordering::AcqRel);
    }

    /// How many came too late.
    pub(crate) fn too_late(&self) -> u64 {
        self.too_late.load(Ordering::Acquire)
    }

    fn leave_room(&self, count: u64) {
        if let Some(bound) = self.bound.get() {
            bound.waiting.fetch_sub(count, Ordering::AcqRel);
        }
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

    /// Counts data points, which are made when they are collected, and sent at once.
    pub(super) fn collected(&self, count: u64) {
        self.created(count);
        self.arrivals.own().queued.fetch_add(count, Ordering::AcqRel);
        self.resumed(count);
    }

    /// So many left the queue to be sent.
    pub(super) fn taken(&self, count: u64) {
        self.leave_room(count);
        self.resumed(count);
    }

    /// So many that were taken wait in the queue again.
    pub(super) fn put_back(&self, count: u64, cause: &str) {
        if let Some(bound) = self.bound.get() {
            bound.waiting.fetch_add(count, Ordering::AcqRel);
        }
        self.set_aside(count, cause);
    }

    /// So many that were set aside are to be sent.
    pub(super) fn resumed(&self, count: u64) {
        let mut departures = self.departures();
        departures.taken += count;
        departures.in_flight += count;
    }

    /// So many that were taken wait beside the queue.
    pub(super) fn set_aside(&self, count: u64, cause: &str) {
        let mut departures = self.departures();
        departures.taken -= count;
        departures.landed(count);
        departures.last_error = Some((SystemTime::now(), cause.to_owned()));
    }

    pub(super) fn exported(&self, count: u64, rejected: u64) {
        let rejected = rejected.min(count);
        let mut departures = self.departures();
        departures.landed(count);
        departures.rejected += rejected;
        departures.exported += count - rejected;
        departures.last_success = Some(SystemTime::now());
    }

    pub(super) fn failed(&self, count: u64, cause: &str) {
        let mut departures = self.departures();
        departures.landed(count);
        departures.failed += count;
        departures.last_error = Some((SystemTime::now(), cause.to_owned()));
    }

    /// So many went from memory to the disk.
    pub(super) fn stored(&self, count: u64) {
        let mut departures = self.departures();
        departures.landed(count);
        departures.stored += count.cast_signed();
    }

    /// So many were on disk when the process started.
    pub(super) fn recovered(&self, count: u64) {
        self.created(count);
        self.departures().stored += count.cast_signed();
    }

    /// So many left the disk and are in flight until they are counted.
    pub(super) fn sent_from_disk(&self, count: u64) {
        let mut departures = self.departures();
        departures.stored -= count.cast_signed();
        departures.in_flight += count;
    }

    /// So many had to make room on the disk.
    pub(super) fn lost_from_disk(&self, count: u64) {
        let mut departures = self.departures();
        departures.stored -= count.cast_signed();
        departures.lost_from_disk += count;
    }

    /// Nothing is lost, but there was an error.
    pub(super) fn postponed(&self, cause: &str) {
        self.departures().last_error = Some((SystemTime::now(), cause.to_owned()));
    }

    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// After the shutdown nothing is sent any more: what waits is lost.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(crate) fn counts(&self) -> Counts {
        let departures = self.departures();
        // In this order: whoever left was queued before.
        let turned_away = self.turned_away.load(Ordering::Acquire);
        let queued: u64 = self.arrivals.iter().map(|own| own.queued.load(Ordering::Acquire)).sum();
        let waiting = queued - turned_away - departures.taken + departures.in_flight;
        let is_closed = self.is_closed.load(Ordering::Acquire);
        let (lost, queued, in_flight) =
            if is_closed { (waiting, 0, 0) } else { (0, waiting, departures.in_flight) };
        Counts {
            created: self.arrivals.iter().map(|own| own.created.load(Ordering::Relaxed)).sum(),
            filtered: self.filtered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed) + turned_away + departures.lost_from_disk + lost,
            queued,
            in_flight,
            exported: departures.exported,
            failed: departures.failed,
            rejected: departures.rejected,
            retries: self.retries.load(Ordering::Relaxed),
            stored: departures.stored.max(0).cast_unsigned(),
        }
    }

    pub(crate) fn last_success(&self) -> Option<SystemTime> {
        self.departures().last_success
    }

    pub(crate) fn last_error(&self) -> Option<(SystemTime, String)> {
        self.departures().last_error.clone()
    }

    fn departures(&self) -> MutexGuard<'_, Departures> {
        self.departures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Departures {
    /// So many are on their way no longer.
    fn landed(&mut self, count: u64) {
        self.in_flight -= count;
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
    fn the_sum_is_exact_while_batches_are_sent() {
        const BATCHES: u64 = 20_000;
        let tally = Tally::default();
        (0..4 * BATCHES).for_each(|_| assert!(tally.admit()));
        tally.close();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                for _ in 0..BATCHES / 2 {
                    tally.taken(8);
                    tally.failed(4, "no");
                    tally.exported(4, 1);
                }
            });
            while !worker.is_finished() {
                let counts = tally.counts();
                let sum = counts.exported + counts.failed + counts.rejected + counts.dropped;
                assert_eq!(sum, 4 * BATCHES, "{counts:?}");
            }
        });
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
