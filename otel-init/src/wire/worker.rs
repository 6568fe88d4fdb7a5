//! When something is sent.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::buffers::Buffers;
use super::delivery::{Delivery, Destination, Occasion, Outcome};
use crate::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, Sleep, sleep};

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
        buffers: Arc<Buffers>,
        resource: &Resource,
        schedule: Schedule,
        destination: impl Destination,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let orders = Arc::new(Orders::default());
        let mut delivery = Delivery::new(buffers, resource, schedule, destination);
        // Made now: what is never polled ends as well.
        let obeyed = Obeyed(Arc::clone(&orders));
        let sending = async move { obeyed.0.obey(schedule.delay, &mut delivery).await };
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
    async fn obey<D: Destination>(&self, delay: Duration, delivery: &mut Delivery<D>) {
        let mut timer = pin!(sleep(delay));
        loop {
            let (waiting, ends) = self.next(timer.as_mut(), delay, delivery).await;
            let result = delivery.send(occasion(&waiting, ends)).await;
            for reply in waiting {
                let _ = reply.send(result.clone());
            }
            if ends {
                break;
            }
        }
    }

    /// Waits for an order, for a batch, or until it is time.
    async fn next<D: Destination>(
        &self,
        mut timer: Pin<&mut Sleep>,
        delay: Duration,
        delivery: &Delivery<D>,
    ) -> (Vec<SyncSender<Outcome>>, bool) {
        let since = Instant::now();
        poll_fn(|context| match self.poll_order(context, || delivery.is_due()) {
            Poll::Pending => poll_late(timer.as_mut(), since, delay, context).map(|()| (Vec::new(), false)),
            ready => ready,
        })
        .await
    }

    fn poll_order(
        &self,
        context: &Context<'_>,
        is_enough: impl Fn() -> bool,
    ) -> Poll<(Vec<SyncSender<Outcome>>, bool)> {
        let mut given = self.given();
        let is_due = mem::take(&mut given.is_due);
        if given.ends || !given.waiting.is_empty() {
            return Poll::Ready((mem::take(&mut given.waiting), given.ends));
        }
        // Before the buffers are looked at: who fills them then wakes this again.
        given.waker = Some(context.waker().clone());
        drop(given);
        if is_due && is_enough() { Poll::Ready((Vec::new(), false)) } else { Poll::Pending }
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

fn occasion(waiting: &[SyncSender<Outcome>], ends: bool) -> Occasion {
    match (ends, waiting) {
        (true, _) => Occasion::End,
        (false, []) => Occasion::Routine,
        (false, _) => Occasion::Flush,
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
