//! Takes the buffers and has them sent.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::buffers::{Buffers, Chunk};
use super::request::{Bounds, EncodedResource, EncodedScope, Request, planned};
use crate::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Sleep, sleep};

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

    /// Sends a request, and counts each of its entries, whatever becomes of it. The error is why it failed.
    fn deliver(&self, body: Vec<u8>, entries: usize) -> impl Future<Output = Outcome> + Send;
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

/// The way to what sends.
#[derive(Debug)]
pub(super) struct Worker {
    orders: Arc<Orders>,
}

#[derive(Debug, Default)]
struct Orders {
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    is_due: bool,
    ends: bool,
    has_ended: bool,
    /// Who waits for everything to be sent.
    waiting: Vec<SyncSender<Outcome>>,
    /// Of what sends, while it waits for an order.
    waker: Option<Waker>,
}

impl Worker {
    /// The way to it, and what it does. That ends with [`Worker::shutdown`], or when the worker is dropped.
    pub(super) fn new(
        buffers: Arc<Buffers<EncodedScope>>,
        resource: &Resource,
        schedule: Schedule,
        destination: impl Destination,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
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
        // Made now: what is never polled ends as well.
        let obeyed = Obeyed(Arc::clone(&orders));
        let sending = async move { obeyed.0.obey(schedule.delay, &mut work).await };
        (Self { orders }, sending)
    }

    /// There is enough to send.
    pub(super) fn call(&self) {
        self.orders.give(|given| given.is_due = true);
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
        self.orders.give(|given| {
            if given.has_ended || (given.ends && ends) {
                return Err(OTelSdkError::AlreadyShutdown);
            }
            given.ends |= ends;
            given.waiting.push(reply);
            Ok(())
        })
    }
}

fn into_result(outcome: Outcome) -> OTelSdkResult {
    outcome.map_err(OTelSdkError::InternalFailure)
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.orders.give(|given| given.ends = true);
    }
}

impl Orders {
    async fn obey<D: Destination>(&self, delay: Duration, work: &mut Work<D>) {
        let mut timer = pin!(sleep(delay));
        loop {
            let (waiting, ends) = self.next(timer.as_mut(), delay, &work.buffers).await;
            let result = work.send_all().await;
            for reply in waiting {
                let _ = reply.send(result.clone());
            }
            if ends {
                break;
            }
        }
    }

    /// Waits for an order, for a batch, or until it is time.
    async fn next(
        &self,
        mut timer: Pin<&mut Sleep>,
        delay: Duration,
        buffers: &Buffers<EncodedScope>,
    ) -> (Vec<SyncSender<Outcome>>, bool) {
        let since = Instant::now();
        poll_fn(|context| match self.poll_order(context, || buffers.has_a_batch()) {
            Poll::Pending => poll_late(timer.as_mut(), since, delay, context).map(|()| (Vec::new(), false)),
            ready => ready,
        })
        .await
    }

    fn poll_order(
        &self,
        context: &Context<'_>,
        has_a_batch: impl Fn() -> bool,
    ) -> Poll<(Vec<SyncSender<Outcome>>, bool)> {
        let mut given = self.given();
        let is_due = mem::take(&mut given.is_due);
        if given.ends || !given.waiting.is_empty() {
            return Poll::Ready((mem::take(&mut given.waiting), given.ends));
        }
        // Before the buffers are looked at: who fills them then wakes this again.
        given.waker = Some(context.waker().clone());
        drop(given);
        if is_due && has_a_batch() { Poll::Ready((Vec::new(), false)) } else { Poll::Pending }
    }

    fn give<R>(&self, order: impl FnOnce(&mut Given) -> R) -> R {
        let mut given = self.given();
        let result = order(&mut given);
        let waker = given.waker.take();
        drop(given);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until `delay` has passed `since`. A timer that is early is set anew only when it has run out: for each new one that
/// is the next to run out, the runtime wakes its thread.
fn poll_late(
    mut timer: Pin<&mut Sleep>,
    since: Instant,
    delay: Duration,
    context: &mut Context<'_>,
) -> Poll<()> {
    loop {
        ready!(timer.as_mut().poll(context));
        let left = delay.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Poll::Ready(());
        }
        timer.set(sleep(left));
    }
}

/// Orders as long as somebody obeys them, who may end in whatever way.
struct Obeyed(Arc<Orders>);

impl Drop for Obeyed {
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
    async fn send_all(&mut self) -> Outcome {
        self.buffers.take(&mut self.chunks, &mut self.spares);
        self.destination.taken(self.chunks.iter().map(|chunk| chunk.entries).sum());
        let bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        self.buffers.set_batch_bytes(self.pace.next(bytes, Instant::now()));
        let mut result = Ok(());
        for planned in planned(&self.chunks, self.bounds) {
            let Request { body, entries } = planned.framed(&self.chunks, &self.resource);
            let sent = self.destination.deliver(body, entries).await;
            result = sent.and(result);
        }
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
