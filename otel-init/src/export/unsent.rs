//! Requests that could not be delivered, in memory.
//!
//! They are sent before the next one: data points with the next collection, spans and log records with the SDK's next batch.
//! What is encoded when it ends has a place of its own to wait, `crate::wire`.

use std::collections::BTreeMap;

use bytes::Bytes;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::sync::{Mutex, MutexGuard};

use super::message::OtlpRequest;
use super::sender::Sender;
use super::transport::{Retry, SendError};
use crate::wire::Overtaken;

/// More than this does not wait. As much as `crate::wire` takes while nothing gets through.
const MOST_BYTES: usize = 16 << 20;

#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Held while they are sent.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By age: the oldest has the lowest number.
    requests: BTreeMap<u64, EncodedRequest>,
    /// How many there were.
    numbered: u64,
    /// How many requests were delivered.
    delivered: u64,
    /// Whether the collector has asked for a pause when it was sent the last one.
    is_held_off: bool,
}

/// A request that is to be sent.
#[derive(Debug)]
pub(super) struct EncodedRequest {
    body: Bytes,
    items: u64,
    overtaken: Overtaken,
}

impl EncodedRequest {
    pub(super) fn new(body: Bytes, items: u64) -> Self {
        Self { body, items, overtaken: Overtaken::default() }
    }
}

impl Sender {
    /// Sends what waits, then `new`, which is counted as in flight. A pause ends that; what could not be delivered for now
    /// waits.
    pub(super) async fn send_with_unsent<R: OtlpRequest>(&self, new: Vec<EncodedRequest>) -> OTelSdkResult {
        let mut waiting = self.unsent.waiting.lock().await;
        self.monitor.tally.resumed(waiting.items());
        waiting.add(new);
        let sent = match self.ready() {
            _ if waiting.requests.is_empty() => Ok(()),
            Ok(()) => self.send_in_turn::<R>(&mut waiting).await,
            Err(pause) => Err(pause),
        };
        sent.map_err(|error| {
            self.set_aside(&mut waiting, &error.cause);
            OTelSdkError::InternalFailure(error.cause)
        })
    }

    /// It may be one request that the collector fails of. So if a failure begins a pause, one more is tried that never failed;
    /// and if the collector has asked for the pause, such a one is the first after it.
    async fn send_in_turn<R: OtlpRequest>(&self, waiting: &mut Waiting) -> Result<(), SendError> {
        let mut result = Ok(());
        for number in waiting.turns() {
            let is_paused = result.is_err() && self.monitor.is_paused();
            if is_paused && waiting.has_failed(number) {
                continue;
            }
            let Err(error) = self.send_waiting::<R>(number, waiting).await else { continue };
            waiting.is_held_off = matches!(error.retry, Retry::After(_));
            result = Err(error);
            if is_paused || waiting.is_held_off {
                break;
            }
        }
        result
    }

    async fn send_waiting<R: OtlpRequest>(
        &self,
        number: u64,
        waiting: &mut Waiting,
    ) -> Result<(), SendError> {
        let Some(request) = waiting.requests.get_mut(&number) else { return Ok(()) };
        let items = request.items;
        match self.deliver_now::<R>(request.body.clone()).await {
            Ok(rejected) => {
                waiting.requests.remove(&number);
                waiting.delivered += 1;
                waiting.is_held_off = false;
                self.delivered(items, &rejected);
                Ok(())
            }
            Err(error) => {
                if error.retry == Retry::Never || request.overtaken.fails(waiting.delivered) {
                    waiting.requests.remove(&number);
                    self.monitor.failed(items, &error.cause);
                }
                Err(error)
            }
        }
    }

    /// Leaves what is in flight for the next time, as much as there is room for. What is new is worth more than what is old.
    fn set_aside(&self, waiting: &mut MutexGuard<'_, Waiting>, cause: &str) {
        while waiting.bytes() > MOST_BYTES
            && let Some((_, oldest)) = waiting.requests.pop_first()
        {
            self.monitor.failed(oldest.items, cause);
        }
        if !waiting.requests.is_empty() {
            self.monitor.tally.set_aside(waiting.items(), cause);
            self.monitor.kept_in_memory(cause);
        }
    }

    /// There is no next time.
    pub(super) fn give_up_unsent(&self) {
        // What is being sent now, by a flush, is counted with all that the shutdown finds still there.
        let Ok(mut waiting) = self.unsent.waiting.try_lock() else { return };
        let items = waiting.items();
        waiting.requests.clear();
        if items > 0 {
            self.monitor.tally.resumed(items);
            self.monitor.failed(items, &self.monitor.why_cut());
        }
    }
}

impl Waiting {
    fn add(&mut self, new: Vec<EncodedRequest>) {
        for request in new {
            self.requests.insert(self.numbered, request);
            self.numbered += 1;
        }
    }

    /// In which order they are sent: from the oldest.
    fn turns(&self) -> Vec<u64> {
        let mut turns: Vec<_> = self.requests.keys().copied().collect();
        if self.is_held_off
            && let Some(fresh) = turns.iter().position(|number| !self.has_failed(*number))
        {
            turns[..=fresh].rotate_right(1);
        }
        turns
    }

    fn has_failed(&self, number: u64) -> bool {
        self.requests.get(&number).is_some_and(|request| request.overtaken.has_failed())
    }

    fn items(&self) -> u64 {
        self.requests.values().map(|request| request.items).sum()
    }

    fn bytes(&self) -> usize {
        self.requests.values().map(|request| request.body.len()).sum()
    }
}
