//! Requests that could not be delivered, in memory.
//!
//! They are sent before the next one: data points with the next collection, spans and log records with the SDK's next batch.
//! What is encoded when it ends has a place of its own to wait, `crate::wire`.

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::sync::{Mutex, MutexGuard};

use super::message::OtlpRequest;
use super::sender::Sender;
use super::transport::Retry;
use crate::wire::Overtaken;

/// More than this does not wait. As much as `crate::wire` takes while nothing gets through.
const MOST_BYTES: usize = 16 << 20;

/// From the oldest.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Held while they are sent.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<EncodedRequest>,
    /// How many requests were delivered.
    delivered: u64,
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
        waiting.requests.extend(new);
        let mut result = Ok(());
        for request in mem::take(&mut waiting.requests) {
            if result.is_err() && self.monitor.is_paused() {
                waiting.requests.push_back(request);
            } else if let Err(cause) = self.attempt_to_send::<R>(request, &mut waiting).await {
                result = Err(cause);
            }
        }
        result.map_err(|cause| {
            self.set_aside(&mut waiting, &cause);
            OTelSdkError::InternalFailure(cause)
        })
    }

    async fn attempt_to_send<R: OtlpRequest>(
        &self,
        mut request: EncodedRequest,
        waiting: &mut Waiting,
    ) -> Result<(), String> {
        let error = match self.deliver::<R>(request.body.clone()).await {
            Ok(rejected) => {
                waiting.delivered += 1;
                self.delivered(request.items, &rejected);
                return Ok(());
            }
            Err(error) => error,
        };
        if error.retry == Retry::Never || request.overtaken.fails(waiting.delivered) {
            self.monitor.failed(request.items, &error.cause);
        } else {
            waiting.requests.push_back(request);
        }
        Err(error.cause)
    }

    /// Leaves what is in flight for the next time, as much as there is room for. What is new is worth more than what is old.
    fn set_aside(&self, waiting: &mut MutexGuard<'_, Waiting>, cause: &str) {
        while waiting.bytes() > MOST_BYTES
            && let Some(oldest) = waiting.requests.pop_front()
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
    fn items(&self) -> u64 {
        self.requests.iter().map(|request| request.items).sum()
    }

    fn bytes(&self) -> usize {
        self.requests.iter().map(|request| request.body.len()).sum()
    }
}
