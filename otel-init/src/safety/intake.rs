//! The way into the queue.

use std::sync::Arc;

use crate::export::Tally;
use crate::self_metrics::QueueFull;

/// Counts what comes and refuses what does not fit.
#[derive(Debug)]
pub(crate) struct Intake {
    tally: Arc<Tally>,
    max_queue_size: u64,
    queue_full: QueueFull,
}

impl Intake {
    pub(crate) fn new(tally: Arc<Tally>, max_queue_size: usize, queue_full: QueueFull) -> Self {
        Self { tally, max_queue_size: max_queue_size as u64, queue_full }
    }

    pub(super) fn filter(&self) {
        self.tally.filter();
    }

    pub(super) fn admit(&self) -> bool {
        let is_admitted = self.tally.admit(self.max_queue_size);
        if !is_admitted {
            self.queue_full.count();
        }
        is_admitted
    }
}
