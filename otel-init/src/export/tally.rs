//! Exact counts of one signal: created = exported + failed + rejected + dropped + filtered + queued + stored.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What became of the spans, log records or data points of one signal.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    created: AtomicU64,
    filtered: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
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
    pub(crate) queued: u64,
    pub(crate) exported: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    pub(crate) retries: u64,
    pub(crate) stored: u64,
}

impl Tally {
    /// Counts one that was made, and whether it may be queued. The SDK drops what does not fit without a word, so it
    /// never gets more than fits.
    pub(crate) fn admit(&self, max_queue_size: u64) -> bool {
        self.created.fetch_add(1, Ordering::Relaxed);
        let is_closed = self.is_closed.load(Ordering::Acquire);
        if !is_closed && self.waiting.fetch_add(1, Ordering::AcqRel) < max_queue_size {
            return true;
        }
        if !is_closed {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// One that was admitted found no room after all.
    pub(crate) fn turned_away(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that was made and that a drop rule took.
    pub(crate) fn filter(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
        self.filtered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts data points that nobody wants at the moment.
    pub(super) fn filtered(&self, count: u64) {
        self.created.fetch_add(count, Ordering::Relaxed);
        self.filtered.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts data points, which are made when they are collected.
    pub(super) fn collected(&self, count: u64) {
        self.created.fetch_add(count, Ordering::Relaxed);
        self.in_flight.fetch_add(count, Ordering::AcqRel);
    }

    /// So many left the queue to be sent.
    pub(super) fn taken(&self, count: u64) {
        self.in_flight.fetch_add(count, Ordering::AcqRel);
        self.waiting.fetch_sub(count, Ordering::AcqRel);
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
        self.created.fetch_add(count, Ordering::Relaxed);
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
        let waiting = self.waiting.load(Ordering::Acquire) + self.in_flight.load(Ordering::Acquire);
        let is_closed = self.is_closed.load(Ordering::Acquire);
        let (lost, queued) = if is_closed { (waiting, 0) } else { (0, waiting) };
        Counts {
            created: self.created.load(Ordering::Relaxed),
            filtered: self.filtered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed) + lost,
            queued,
            exported: self.exported.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            stored: self.stored.load(Ordering::Acquire),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Tally;

    #[test]
    fn the_sum_is_exact_with_many_threads() {
        let tally = Arc::new(Tally::default());
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let tally = Arc::clone(&tally);
                std::thread::spawn(move || {
                    for round in 0..1000_u64 {
                        if round % 10 == 0 {
                            tally.filter();
                        } else if tally.admit(50) && thread % 2 == 0 {
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
        assert!(!tally.admit(50));
        assert_eq!(tally.counts().created, 8001);
    }
}
