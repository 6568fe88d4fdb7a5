//! Requests that are encoded already.

use std::marker::PhantomData;
use std::sync::Arc;

use opentelemetry_sdk::error::OTelSdkError;
use tokio::task::block_in_place;

use super::exporter::{SignalExporter, Sink};
use super::message::OtlpRequest;
use super::sender::{LARGEST_BODY, Sender};
use super::transport::{Retry, SendError};
use crate::pipeline::Processed;
use crate::wire::{Destination, Failure};

/// Where the bytes of one signal go.
#[derive(Debug)]
pub(crate) struct EncodedExporter<R> {
    /// Without one, nothing goes anywhere: see [`SignalExporter::takes_encoded`].
    sender: Option<Arc<Sender>>,
    processed: Arc<Processed>,
    request: PhantomData<fn(R)>,
}

impl SignalExporter {
    /// Whether its requests may be bytes of protobuf.
    pub(crate) fn takes_encoded(&self) -> bool {
        matches!(&self.sink, Sink::Otlp(sender) if !sender.is_json)
    }

    /// For the requests of one signal; [`Self::takes_encoded`] says whether it may be asked for.
    pub(crate) fn into_encoded<R>(self, processed: Arc<Processed>) -> EncodedExporter<R> {
        let sender = match self.sink {
            Sink::Otlp(sender) => Some(sender),
            _ => None,
        };
        EncodedExporter { sender, processed, request: PhantomData }
    }
}

impl<R: OtlpRequest + 'static> Destination for EncodedExporter<R> {
    fn taken(&self, entries: usize) {
        if self.sender.is_some() {
            self.processed.taken(entries as u64);
        }
    }

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Result<(), Failure> {
        let Some(sender) = &self.sender else { return Ok(()) };
        let exporting = sender.export_encoded::<R>(body, entries as u64);
        match sender.may_block() {
            true => block_in_place(|| sender.runtime.block_on(exporting)),
            false => exporting.await,
        }
    }

    fn is_paused(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.monitor.is_paused() && !sender.has_a_shelf())
    }

    fn kept(&self, cause: &str) {
        if let Some(sender) = &self.sender {
            sender.monitor.kept_in_memory(cause);
        }
    }

    fn give_up(&self, entries: usize, cause: &str) {
        if let Some(sender) = &self.sender {
            sender.monitor.given_up(entries as u64, cause);
        }
    }
}

impl Sender {
    /// Whether somebody else's code, or a disk, may hold up the thread of the runtime.
    fn may_block(&self) -> bool {
        self.shelf.is_some() || self.transport.has_header_provider()
    }

    /// As [`Sender::export`], for a request that is as large as it should be, and that the caller keeps if it is not delivered.
    async fn export_encoded<R: OtlpRequest>(&self, body: Vec<u8>, items: u64) -> Result<(), Failure> {
        self.monitor.tally.taken(items);
        if body.len() > LARGEST_BODY {
            return Err(self.lost(items, too_large(body.len())));
        }
        if let Some(shelf) = &self.shelf
            && self.store(shelf, &body, items).is_ok()
        {
            return self.send_kept::<R>(shelf).await.map_err(|error| Failure::Final(reason(error)));
        }
        match self.deliver::<R>(body.into()).await {
            Ok(rejected) => {
                self.delivered(items, &rejected);
                Ok(())
            }
            Err(SendError { cause, retry: Retry::Never }) => Err(self.lost(items, cause)),
            Err(SendError { cause, .. }) => {
                self.monitor.tally.put_back(items, &cause);
                Err(Failure::Transient(cause))
            }
        }
    }

    fn lost(&self, items: u64, cause: String) -> Failure {
        self.monitor.failed(items, &cause);
        Failure::Final(cause)
    }
}

fn reason(error: OTelSdkError) -> String {
    match error {
        OTelSdkError::InternalFailure(cause) => cause,
        other => other.to_string(),
    }
}

pub(super) const TOO_LARGE: &str = "too much to be sent";

/// Why one item, which cannot be cut in two, is not sent.
pub(super) fn too_large(bytes: usize) -> String {
    format!("one item has {bytes} bytes, {TOO_LARGE}")
}
