//! The thread that takes the buffers and has them sent.

use std::time::{Duration, Instant};
use std::{io, mem};

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::buffers::{Buffers, Chunk};
use super::request::{Bounds, EncodedResource, EncodedScope, Request, each_request};
use crate::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, thread};

/// Buffers that are kept to be filled again, and how large each may be.
const MOST_SPARES: usize = 32;
const LARGEST_SPARE: usize = 1 << 20;

/// Who sends more often pays for the way of the requests, and who sends less often holds a core for long.
const PERIOD: Duration = Duration::from_millis(2);

/// The error is the last cause of failure.
pub(crate) type Outcome = Result<(), String>;

/// Where requests go.
pub(crate) trait Destination: Send + 'static {
    /// So many entries left the buffers.
    fn taken(&self, entries: usize);

    /// Sends a request, and counts each of its entries, whatever becomes of it. Blocks. The error is why it failed.
    fn deliver(&self, body: Vec<u8>, entries: usize) -> Outcome;
}

/// When to send, and how much at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) delay: Duration,
    /// As many entries are also the most in one request.
    pub(crate) batch: Batch,
    pub(crate) max_request_bytes: usize,
}

/// So many entries, or so many bytes: as many as come within two milliseconds, within these bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) most_bytes: usize,
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Worker {
    orders: Arc<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    given: Mutex<Given>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Given {
    is_due: bool,
    ends: bool,
    has_ended: bool,
    /// Who waits for everything to be sent.
    waiting: Vec<SyncSender<Outcome>>,
}

impl Worker {
    /// Starts a thread of this name. It ends with [`Worker::shutdown`], or when the worker is dropped.
    pub(super) fn start(
        name: &str,
        buffers: Arc<Buffers<EncodedScope>>,
        resource: &Resource,
        schedule: Schedule,
        destination: impl Destination,
    ) -> io::Result<Self> {
        let orders = Arc::new(Orders::default());
        let mut work = Work {
            buffers,
            resource: EncodedResource::new(resource),
            pace: Pace { batch: schedule.batch, since: Instant::now() },
            bounds: Bounds { entries: schedule.batch.entries, bytes: schedule.max_request_bytes },
            destination,
            chunks: Vec::new(),
            spares: Vec::new(),
        };
        let theirs = Arc::clone(&orders);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // What the senders do is no business of the service.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            theirs.obey(schedule.delay, &mut work);
        })?;
        Ok(Self { orders })
    }

    /// There is enough to send.
    pub(super) fn call(&self) {
        self.orders.given().is_due = true;
        self.orders.came.notify_one();
    }

    /// Sends everything that is there now. Blocks until that is done.
    pub(super) fn flush(&self) -> OTelSdkResult {
        let (reply, answer) = sync_channel(1);
        self.order(reply, false)?;
        answer.recv().map_or(Err(OTelSdkError::AlreadyShutdown), into_result)
    }

    /// Sends everything that is there now, and stops.
    pub(super) fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        let (reply, answer) = sync_channel(1);
        self.order(reply, true)?;
        match answer.recv_timeout(timeout) {
            Ok(outcome) => into_result(outcome),
            Err(RecvTimeoutError::Timeout) => Err(OTelSdkError::Timeout(timeout)),
            Err(RecvTimeoutError::Disconnected) => Err(OTelSdkError::AlreadyShutdown),
        }
    }

    fn order(&self, reply: SyncSender<Outcome>, ends: bool) -> OTelSdkResult {
        let mut given = self.orders.given();
        if given.has_ended || (given.ends && ends) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        given.ends |= ends;
        given.waiting.push(reply);
        drop(given);
        self.orders.came.notify_one();
        Ok(())
    }
}

fn into_result(outcome: Outcome) -> OTelSdkResult {
    outcome.map_err(OTelSdkError::InternalFailure)
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.orders.given().ends = true;
        self.orders.came.notify_one();
    }
}

impl Orders {
    fn obey<D: Destination>(&self, delay: Duration, work: &mut Work<D>) {
        let _end = End(self);
        loop {
            let (waiting, ends) = self.next(delay, || work.buffers.has_a_batch());
            let result = work.send_all();
            for reply in waiting {
                let _ = reply.send(result.clone());
            }
            if ends {
                break;
            }
        }
    }

    /// Waits for an order, for a batch, or until it is time.
    fn next(&self, delay: Duration, has_a_batch: impl Fn() -> bool) -> (Vec<SyncSender<Outcome>>, bool) {
        let start = Instant::now();
        let nothing = |given: &mut Given| !given.is_due && !given.ends && given.waiting.is_empty();
        loop {
            let wait = delay.saturating_sub(start.elapsed());
            let waited = self.came.wait_timeout_while(self.given(), wait, nothing);
            let (mut given, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            let is_due = mem::take(&mut given.is_due);
            if given.ends || !given.waiting.is_empty() || timeout.timed_out() {
                return (mem::take(&mut given.waiting), given.ends);
            }
            drop(given);
            if is_due && has_a_batch() {
                return (Vec::new(), false);
            }
        }
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread ends, in whatever way.
struct End<'a>(&'a Orders);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut given = self.0.given();
        given.has_ended = true;
        // Who asked meanwhile sees the channel closed.
        given.waiting.clear();
    }
}

struct Work<D> {
    buffers: Arc<Buffers<EncodedScope>>,
    resource: EncodedResource,
    pace: Pace,
    bounds: Bounds,
    destination: D,
    chunks: Vec<Chunk<EncodedScope>>,
    spares: Vec<Vec<u8>>,
}

impl<D: Destination> Work<D> {
    /// The last failure, if there was one.
    fn send_all(&mut self) -> Outcome {
        self.buffers.take(&mut self.chunks, &mut self.spares);
        self.destination.taken(self.chunks.iter().map(|chunk| chunk.entries).sum());
        let bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        self.buffers.set_batch_bytes(self.pace.next(bytes, Instant::now()));
        let mut result = Ok(());
        each_request(&self.chunks, &self.resource, self.bounds, |Request { body, entries }| {
            let sent = self.destination.deliver(body, entries);
            result = sent.and(mem::replace(&mut result, Ok(())));
        });
        for mut chunk in self.chunks.drain(..) {
            if self.spares.len() < MOST_SPARES && chunk.bytes.capacity() <= LARGEST_SPARE {
                chunk.bytes.clear();
                self.spares.push(chunk.bytes);
            }
        }
        self.buffers.give_back(bytes);
        result
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
