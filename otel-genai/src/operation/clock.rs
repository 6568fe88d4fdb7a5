//! When chunks came.

use std::time::{Duration, Instant};

use crate::metrics::ChunkTimes;

#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    last_chunk: Option<Instant>,
    first_chunk: Option<Duration>,
    /// Made with the first chunk.
    times: Option<ChunkTimes>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), last_chunk: None, first_chunk: None, times: None }
    }

    /// How long after the start the first chunk came.
    pub(super) const fn first_chunk(&self) -> Option<Duration> {
        self.first_chunk
    }

    /// So many chunks have come, now. `first` records the first one, and says where those after it are recorded.
    pub(super) fn chunks(&mut self, count: u64, first: impl FnOnce(Duration) -> Option<ChunkTimes>) {
        let is_first = self.first_chunk.is_none();
        if !is_first && self.times.is_none() {
            // Nobody asks.
            return;
        }
        let now = Instant::now();
        let elapsed = now - self.last_chunk.replace(now).unwrap_or(self.started);
        if is_first {
            self.first_chunk = Some(elapsed);
            self.times = first(elapsed);
        }
        let Some(times) = &mut self.times else { return };
        if !is_first {
            times.record(elapsed);
        }
        // What comes in one piece comes at once.
        (1..count).for_each(|_| times.record(Duration::ZERO));
    }
}
