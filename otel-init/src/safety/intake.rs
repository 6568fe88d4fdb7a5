//! The way into the queue.

use std::sync::Arc;

use crate::export::Tally;

/// Counts what comes and refuses what does not fit.
#[derive(Debug)]
pub(crate) struct Intake {
    tally: Arc<Tally>,
    max_queue_size: u64,
}

impl Intake {
    pub(crate) fn new(tally: Arc<Tally>, max_queue_size: usize) -> Self {
        Self { tally, max_queue_size: max_queue_size as u64 }
    }

    pub(super) fn filter(&self) {
        self.tally.filter();
    }

    pub(super) fn admit(&self) -> bool {
        self.tally.admit(self.max_queue_size)
    }
}
