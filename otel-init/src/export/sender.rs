//! A request until it is delivered or given up: split, encoded, sent, sent again, counted.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout_at};

use super::disk::Shelf;
use super::encoded::too_large;
use super::json;
use super::message::{OtlpRequest, Rejected};
use super::monitor::Monitor;
use super::retry::Backoff;
use super::runtime::RuntimeEntry;
use super::transport::{Answer, Retry, SendError, Transport};
use super::unsent::{EncodedRequest, Unsent};
use crate::panics::caught_while;
use crate::{Signal, diagnostics};

/// What collectors take by default, less some room for headers.
pub(crate) const LARGEST_BODY: usize = 4 * 1024 * 1024 - 64 * 1024;

/// Sends the requests of one signal to one destination.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) transport: Transport,
    pub(super) monitor: Arc<Monitor>,
    pub(super) runtime: RuntimeEntry,
    /// For one request, retries included.
    pub(super) timeout: Duration,
    pub(super) is_json: bool,
    pub(super) unsent: Unsent,
    /// Where requests wait on disk, if they do.
    pub(super) shelf: Option<Shelf>,
    /// Whether that failed the last time.
    pub(super) is_shelf_refusing: AtomicBool,
    /// Looks after what waits.
    pub(super) keeper: OnceLock<Arc<Notify>>,
    /// One at a time sends what waits.
    pub(super) draining: Mutex<()>,
}

impl Sender {
    /// Sends all of `request`, in pieces if it is too large, and what waits. Every item is counted once, whatever happens.
    pub(super) async fn export<R: OtlpRequest>(&self, request: R) -> OTelSdkResult {
        let mut pending = vec![request];
        let mut pieces = Vec::new();
        let mut result = Ok(());
        while let Some(request) = pending.pop() {
            let items = request.items();
            if items == 0 {
                continue;
            }
            let cause = match self.encoded(&request) {
                Ok(body) if body.len() <= LARGEST_BODY => {
                    let stored = self
                        .shelf
                        .as_ref()
                        .is_some_and(|shelf| self.store(shelf, &request.encode_to_vec(), items).is_ok());
                    if !stored {
                        pieces.push(EncodedRequest::new(body, items));
                    }
                    continue;
                }
                Ok(body) => match request.halves() {
                    Some((first, second)) => {
                        pending.extend([second, first]);
                        continue;
                    }
                    None => too_large(body.len()),
                },
                Err(error) => error.cause,
            };
            self.monitor.failed(items, &cause);
            result = Err(OTelSdkError::InternalFailure(cause));
        }
        let result = result.and(self.send_with_unsent::<R>(pieces).await);
        match &self.shelf {
            Some(shelf) => result.and(self.send_kept::<R>(shelf).await),
            None => result,
        }
    }

    pub(super) fn encoded<R: OtlpRequest>(&self, request: &R) -> Result<Bytes, SendError> {
        if !self.is_json {
            return Ok(request.encode_to_vec().into());
        }
        json::to_vec(request)
            .map(Bytes::from)
            .map_err(|error| SendError::final_(format!("cannot write the request as JSON: {error}")))
    }

    pub(super) fn delivered(&self, items: u64, rejected: &Rejected) {
        self.monitor.succeeded(items, rejected.count);
        self.monitor.warn_rejected(rejected, items);
    }

    /// Sends until it is taken, refused for good, or the time is up; not at all during a pause.
    pub(super) async fn deliver<R: OtlpRequest>(&self, body: Bytes) -> Result<Rejected, SendError> {
        self.ready()?;
        self.deliver_now::<R>(body).await
    }

    /// An error during a pause, for which nobody waits who is in a hurry.
    pub(super) fn ready(&self) -> Result<(), SendError> {
        if !self.monitor.is_paused() || self.monitor.urgency.is_set() {
            return Ok(());
        }
        let cause = self.monitor.last_cause().unwrap_or_else(|| "the collector asked for it".to_owned());
        Err(SendError::transient(paused(&cause)))
    }

    pub(super) async fn deliver_now<R: OtlpRequest>(&self, body: Bytes) -> Result<Rejected, SendError> {
        let sending = async {
            let deadline = Instant::now() + self.timeout;
            self.attempts::<R>(&body, deadline).await
        };
        // An error means that the shutdown, whose time was up, has cut it.
        let sent = match self.runtime.run(sending).await {
            Ok(sent) => sent,
            Err(_cut) => Err(SendError::transient(self.monitor.why_cut())),
        };
        let breaker = &self.monitor.breaker;
        match &sent {
            Ok(_) => breaker.succeeded(),
            Err(error) => {
                breaker.failed(std::time::Instant::now());
                if let Retry::After(pause) = error.retry {
                    breaker.pause(std::time::Instant::now(), pause);
                }
            }
        }
        sent
    }

    async fn attempts<R: OtlpRequest>(&self, body: &Bytes, deadline: Instant) -> Result<Rejected, SendError> {
        let mut backoff = Backoff::new();
        let mut before: Option<SendError> = None;
        loop {
            let error = match timeout_at(deadline, self.attempt::<R>(body.clone())).await {
                Ok(Ok(rejected)) => return Ok(rejected),
                Ok(Err(error)) => error,
                Err(_elapsed) => {
                    self.transport.reconnect();
                    return Err(SendError::transient(self.too_late(before.as_ref())));
                }
            };
            // Before it is looked whether somebody waits: who comes between the two is not missed.
            let came = self.monitor.urgency.came();
            let Some(delay) = backoff.next(error.retry, self.monitor.urgency.is_set()) else {
                return Err(error);
            };
            // The collector says how long, and may say more than a clock can count.
            if Instant::now().checked_add(delay).is_none_or(|then| then >= deadline) {
                return Err(error);
            }
            self.monitor.tally.retried();
            tokio::select! {
                () = sleep(delay) => {}
                // Somebody waits for the end now.
                () = came => {}
            }
            before = Some(error);
        }
    }

    /// A panic loses one request: what sends all others has to live on.
    async fn attempt<R: OtlpRequest>(&self, body: Bytes) -> Result<Rejected, SendError> {
        let attempt = async { understood::<R>(&self.transport.send(body, R::GRPC_PATH).await?) };
        let panicked = |_| Err(SendError::final_("sending panicked, which is a mistake of otel-init"));
        caught_while(attempt).await.unwrap_or_else(panicked)
    }

    /// That the time is up, and what the attempt before this one failed of: it is the better hint.
    fn too_late(&self, before: Option<&SendError>) -> String {
        let cause = format!("the collector did not answer within {:?}", self.timeout);
        let cause = self.transport.client().with_proxy(cause);
        match before {
            Some(before) => format!("{cause}, and before: {}", before.cause),
            None => cause,
        }
    }
}

/// Has a flush send what waits here, which the SDK knows nothing of.
pub(super) fn drained_by_flush<R: OtlpRequest>(sender: &Arc<Sender>) {
    let weak = Arc::downgrade(sender);
    sender.monitor.drain_with(move || {
        let Some(sender) = weak.upgrade() else { return };
        // What cannot be delivered is told by the monitor.
        sender.runtime.block_on(async {
            // A flush collects data points, and sends them with those that wait.
            if sender.monitor.signal() != Signal::Metrics {
                let _ = sender.send_with_unsent::<R>(Vec::new()).await;
            }
            if let Some(shelf) = &sender.shelf {
                let _ = sender.drain::<R>(shelf).await;
            }
        });
    });
}

/// Marks, and takes back, a cause that is repeated while nothing is sent.
pub(super) const PAUSED: &str = "export is paused for a minute at most, last: ";

fn paused(cause: &str) -> String {
    format!("{PAUSED}{}", cause.trim_start_matches(PAUSED))
}

/// What the answer says. A server that answers 200 with a page of its own is no collector, and what it got is lost.
fn understood<R: OtlpRequest>(answer: &Answer) -> Result<Rejected, SendError> {
    let understood = if answer.body.is_empty() {
        Ok(Rejected::default())
    } else if answer.is_json {
        R::rejected_in_json(&answer.body).map_err(|error| error.to_string())
    } else {
        R::rejected(&answer.body).map_err(|error| error.to_string())
    };
    let rejected = understood.map_err(|reason| {
        diagnostics::debug(&format!("an answer that is no OTLP: {reason}"));
        SendError::final_("the answer is no OTLP: there is a server, but it is no collector")
    })?;
    Ok(Rejected { message: answer.secrets.line_of(rejected.message), ..rejected })
}
