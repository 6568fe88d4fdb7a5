//! What is taken from the buffers, until it is delivered or given up.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;

use super::buffers::{Buffers, Chunk};
use super::envelope::EncodedResource;
use super::overtaken::Overtaken;
use super::request::{Bounds, Planned, Request, planned};
use super::worker::{Batch, Schedule};
use crate::sync::Arc;

/// Buffers that are kept to be filled again, and how large each may be.
const MOST_SPARES: usize = 32;
const LARGEST_SPARE: usize = 1 << 20;

/// Who sends more often pays for the way of the requests, and who sends less often holds a core for long.
const PERIOD: Duration = Duration::from_millis(2);

/// The error is the last cause of failure.
pub(crate) type Outcome = Result<(), String>;

/// Where requests go.
pub(crate) trait Destination: Send + Sync + 'static {
    /// So many entries left the buffers.
    fn taken(&self, entries: usize);

    /// Sends a request, and counts each of its entries, unless it may be sent later.
    fn deliver(&self, body: Vec<u8>, entries: usize) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether nothing should be sent for now.
    fn is_paused(&self) -> bool;

    /// A request that could not be delivered will be sent later.
    fn kept(&self, cause: &str);

    /// Counts entries that were to be sent later, and are not.
    fn give_up(&self, entries: usize, cause: &str);
}

/// Why a request was not delivered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its entries are counted.
    Final(String),
    /// The same request may be sent later.
    Transient(String),
}

/// Why something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// There is enough, or it is time.
    Routine,
    /// Somebody waits for it.
    Flush,
    /// There is no later.
    End,
}

/// Sends what the buffers hold, and what could not be sent before.
pub(super) struct Delivery<D> {
    buffers: Arc<Buffers>,
    resource: EncodedResource,
    pace: Pace,
    bounds: Bounds,
    destination: D,
    waiting: VecDeque<Waiting>,
    /// How many requests were delivered.
    delivered: u64,
    /// Of the room, while nothing gets through.
    held_back: usize,
    spares: Vec<Vec<u8>>,
}

/// A request that is to be sent.
struct Waiting {
    planned: Planned,
    from: Arc<Taken>,
    overtaken: Overtaken,
}

/// What was taken at once. All of it stays until the last of its requests is gone.
struct Taken {
    chunks: Vec<Chunk>,
    bytes: usize,
}

impl<D: Destination> Delivery<D> {
    pub(super) fn new(
        buffers: Arc<Buffers>,
        resource: &Resource,
        schedule: Schedule,
        destination: D,
    ) -> Self {
        Self {
            buffers,
            resource: EncodedResource::new(resource),
            pace: Pace { batch: schedule.batch, since: Instant::now() },
            bounds: Bounds { entries: schedule.batch.entries, bytes: schedule.max_request_bytes },
            destination,
            waiting: VecDeque::new(),
            delivered: 0,
            held_back: 0,
            spares: Vec::new(),
        }
    }

    /// Whether there is enough to send.
    pub(super) fn is_due(&self) -> bool {
        self.buffers.has_a_batch()
    }

    /// Sends what there is, each request once. A pause ends that; what is left then waits, or is given up at the end.
    pub(super) async fn send(&mut self, occasion: Occasion) -> Outcome {
        if occasion == Occasion::Routine && self.destination.is_paused() {
            return Ok(());
        }
        self.take(occasion == Occasion::End);
        let mut result = Ok(());
        for _ in 0..self.waiting.len() {
            let Some(request) = self.waiting.pop_front() else { break };
            if let Err(cause) = self.attempt(request, occasion).await {
                result = Err(cause);
                if self.destination.is_paused() {
                    self.hold_back();
                    break;
                }
            }
        }
        if let (Occasion::End, Err(cause)) = (occasion, &result) {
            self.give_up_all(cause);
        }
        result
    }

    async fn attempt(&mut self, request: Waiting, occasion: Occasion) -> Outcome {
        let Request { body, entries } = request.planned.framed(&request.from.chunks, &self.resource);
        match self.destination.deliver(body, entries).await {
            Ok(()) => {
                self.got_through(request);
                Ok(())
            }
            Err(Failure::Final(cause)) => {
                self.forget(request);
                Err(cause)
            }
            Err(Failure::Transient(cause)) => {
                self.keep(request, &cause, occasion);
                Err(cause)
            }
        }
    }

    fn take(&mut self, is_last: bool) {
        let mut chunks = Vec::new();
        self.buffers.take(&mut chunks, &mut self.spares, is_last);
        self.destination.taken(chunks.iter().map(|chunk| chunk.entries).sum());
        let bytes = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        self.buffers.set_batch_bytes(self.pace.next(bytes, Instant::now()));
        let planned = planned(&chunks, self.bounds);
        let from = Arc::new(Taken { chunks, bytes });
        let waiting = planned.into_iter().map(|planned| Waiting {
            planned,
            from: Arc::clone(&from),
            overtaken: Overtaken::default(),
        });
        self.waiting.extend(waiting);
    }

    fn got_through(&mut self, request: Waiting) {
        self.delivered += 1;
        self.forget(request);
        self.buffers.give_back(mem::take(&mut self.held_back));
    }

    /// Behind all others, because it may be this request that the collector fails of.
    fn keep(&mut self, mut request: Waiting, cause: &str, occasion: Occasion) {
        if request.overtaken.fails(self.delivered) {
            self.destination.give_up(request.planned.entries(), cause);
            return self.forget(request);
        }
        if occasion != Occasion::End {
            self.destination.kept(cause);
        }
        self.waiting.push_back(request);
    }

    fn give_up_all(&mut self, cause: &str) {
        let entries = self.waiting.drain(..).map(|request| request.planned.entries()).sum();
        if entries > 0 {
            self.destination.give_up(entries, cause);
        }
    }

    /// Bytes of which no request waits any more are buffers again.
    fn forget(&mut self, request: Waiting) {
        let Some(taken) = Arc::into_inner(request.from) else { return };
        for mut chunk in taken.chunks {
            if self.spares.len() < MOST_SPARES && chunk.bytes.capacity() <= LARGEST_SPARE {
                chunk.bytes.clear();
                self.spares.push(chunk.bytes);
            }
        }
        self.buffers.give_back(taken.bytes);
    }

    /// Leaves a part of the room to what comes. A collector may be away for long, and a small service should not take all of
    /// the room for it.
    fn hold_back(&mut self) {
        if self.held_back == 0 {
            self.held_back = self.buffers.hold_back();
        }
    }
}

/// How fast bytes come.
struct Pace {
    batch: Batch,
    /// When they were taken last.
    since: Instant,
}

impl Pace {
    /// How many bytes make a batch, after so many were taken.
    fn next(&mut self, taken: usize, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(mem::replace(&mut self.since, now));
        let within_period = taken as u128 * PERIOD.as_nanos() / elapsed.as_nanos().max(1);
        let within_period = usize::try_from(within_period).unwrap_or(usize::MAX);
        within_period.min(self.batch.most_bytes).max(self.batch.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Batch, Pace};

    #[test]
    fn batches_grow_with_the_pace_and_shrink_again() {
        let batch = Batch { entries: usize::MAX, bytes: 1000, most_bytes: 8000 };
        let (mut now, mut pace) = (Instant::now(), Pace { batch, since: Instant::now() });
        for (milliseconds, taken, expected) in [
            (1000, 1000, 1000),
            (1, 1000, 2000),
            (1, 3000, 6000),
            (1, 9000, 8000),
            (0, 1, 8000),
            (5000, 8000, 1000),
        ] {
            now += Duration::from_millis(milliseconds);
            assert_eq!(pace.next(taken, now), expected, "{taken} in {milliseconds} ms");
        }
    }
}
