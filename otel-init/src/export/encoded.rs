//! Requests that are encoded already.

use std::marker::PhantomData;
use std::sync::Arc;

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::task::block_in_place;

use super::exporter::{SignalExporter, Sink};
use super::message::OtlpRequest;
use super::sender::{LARGEST_BODY, Sender};
use super::transport::SendError;
use crate::self_metrics::Processed;
use crate::wire::{Destination, Outcome};

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
        if let Some(sender) = &self.sender {
            sender.monitor.tally.taken(entries as u64);
            self.processed.taken(entries as u64);
        }
    }

    async fn deliver(&self, body: Vec<u8>, entries: usize) -> Outcome {
        let Some(sender) = &self.sender else { return Ok(()) };
        let exporting = sender.export_encoded::<R>(body, entries as u64);
        let sent = match sender.may_block() {
            true => block_in_place(|| sender.runtime.block_on(exporting)),
            false => exporting.await,
        };
        sent.map_err(|error| match error {
            OTelSdkError::InternalFailure(cause) => cause,
            other => other.to_string(),
        })
    }
}

impl Sender {
    /// Whether somebody else's code, or a disk, may hold up the thread of the runtime.
    fn may_block(&self) -> bool {
        self.shelf.is_some() || self.transport.has_header_provider()
    }

    /// As [`Sender::export`], for a request that is as large as it should be.
    async fn export_encoded<R: OtlpRequest>(&self, body: Vec<u8>, items: u64) -> OTelSdkResult {
        if body.len() > LARGEST_BODY {
            return self.lost(items, SendError::final_(too_large(body.len())));
        }
        match &self.shelf {
            Some(shelf) if self.store(shelf, &body, items).is_ok() => self.drain::<R>(shelf).await,
            _ => match self.deliver::<R>(body.into()).await {
                Ok(rejected) => {
                    self.delivered(items, &rejected);
                    Ok(())
                }
                Err(error) => self.lost(items, error),
            },
        }
    }

    fn lost(&self, items: u64, error: SendError) -> OTelSdkResult {
        self.monitor.failed(items, &error.cause);
        Err(OTelSdkError::InternalFailure(error.cause))
    }
}

/// Why one item, which cannot be cut in two, is not sent.
pub(super) fn too_large(bytes: usize) -> String {
    format!("one item has {bytes} bytes, too much to be sent")
}
