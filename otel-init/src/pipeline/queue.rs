//! Where ended spans and log records wait for their export.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::Severity;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatchConfigBuilder, BatchLogProcessor, LogProcessor, SdkLogRecord,
};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatchConfigBuilder, BatchSpanProcessor, SpanData, SpanProcessor,
};

use crate::Protocol;
use crate::config::{BatchConfig, ExporterConfig};
use crate::export::{LARGEST_BODY, RuntimeEntry, SignalExporter};
use crate::pipeline::Processed;
use crate::safety::{cut_span, cut_value, tell_of_log};
use crate::traces::ProcessSpans;
use crate::wire::{Batch, Lost, Refused, Schedule, WireLogProcessor, WireSpanProcessor};

/// Sending it is one short run of the export's threads, which may have to share a core with requests. With the resource it
/// still fits in what HTTP/2 lets through at once: "the initial value for the flow-control window is 65,535 octets".
/// <https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2>
pub(crate) const BATCH_BYTES: usize = 60 * 1024;
/// The way of a request costs next to nothing for each entry then, and the processor's cache still holds it.
const MOST_BATCH_BYTES: usize = 512 * 1024;

/// With its scope and the resource it fits in a request.
const LARGEST_ENTRY: usize = LARGEST_BODY - 64 * 1024;

/// How ended spans and log records wait for their export over OTLP.
///
/// Console and your own exporters take the SDK's objects, and OTLP over `http/json` is made of them: these always have the
/// queue of the SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Queue {
    /// Each is encoded when it ends, and what waits is bytes. That is cheaper, and what waits is bounded by its size: by
    /// `max_bytes` for each signal and destination, and by `OTEL_BSP_MAX_QUEUE_SIZE` or `OTEL_BLRP_MAX_QUEUE_SIZE` if it is
    /// set. What could not be sent waits for the next time; while the export is paused, what comes finds room up to a quarter of
    /// `max_bytes`. It is sent when there are 60 KiB, or as much as comes within 2 ms if that is more, up to 512 KiB; a batch if
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` or `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE` is set; when half of the room is taken, or when
    /// the delay is over.
    Encoded {
        /// How many bytes may wait or be on their way; 64 MiB by default.
        max_bytes: usize,
    },
    /// The batch processors of the SDK: objects wait, at most 2048 if nothing else is said. What could not be sent waits beside
    /// them for the next batch, up to 16 MiB, of which the oldest give way.
    Sdk,
}

impl Default for Queue {
    fn default() -> Self {
        Self::Encoded { max_bytes: 64 * 1024 * 1024 }
    }
}

impl Queue {
    /// What it is for this exporter.
    pub(crate) fn of(self, exporter: &SignalExporter) -> Self {
        if exporter.takes_encoded() { self } else { Self::Sdk }
    }

    /// What it will be for an exporter that is not made yet.
    pub(crate) fn of_config(self, exporter: &ExporterConfig) -> Self {
        match exporter {
            ExporterConfig::Otlp(otlp) if otlp.protocol != Protocol::HttpJson => self,
            _ => Self::Sdk,
        }
    }

    /// Whether entries are counted, and not only their bytes.
    pub(crate) fn is_bounded_by_number(self, batch: BatchConfig) -> bool {
        self == Self::Sdk || batch.is_queue_size_given
    }

    /// The size of a batch, where it is not counted in entries.
    pub(crate) fn batch_bytes(self, batch: BatchConfig) -> Option<usize> {
        // A queue that is bounded by number would be full before there are so many bytes.
        let is_counted = self == Self::Sdk || batch.is_batch_size_given || batch.is_queue_size_given;
        (!is_counted).then_some(BATCH_BYTES)
    }

    /// The most entries that wait, or about how many if only their bytes are bounded.
    pub(crate) fn most_entries(self, batch: BatchConfig) -> usize {
        /// A span of a busy service, encoded.
        const SMALL_ENTRY: usize = 512;
        match self {
            Self::Encoded { max_bytes } if !self.is_bounded_by_number(batch) => {
                (max_bytes / SMALL_ENTRY).max(1)
            }
            _ => batch.max_queue_size,
        }
    }
}

/// A queue of spans.
#[derive(Debug)]
pub(crate) enum SpanQueue {
    Encoded(WireSpanProcessor),
    Sdk(BatchSpanProcessor),
}

/// A queue of log records.
#[derive(Debug)]
pub(crate) enum LogQueue {
    Encoded(WireLogProcessor),
    Sdk(BatchLogProcessor),
}

/// What both are made with.
pub(crate) struct Making<'a> {
    /// [`Queue::of`] the exporter.
    pub(crate) queue: Queue,
    pub(crate) resource: &'a Resource,
    pub(crate) batch: BatchConfig,
    pub(crate) processed: Arc<Processed>,
    /// Sends what is encoded.
    pub(crate) runtime: &'a RuntimeEntry,
}

impl Making<'_> {
    pub(crate) fn spans(self, exporter: SignalExporter) -> SpanQueue {
        let batch = self.batch;
        match self.queue {
            Queue::Encoded { max_bytes } => {
                let (resource, lost) = (self.resource, self.lost(&exporter));
                let to = exporter.into_encoded::<ExportTraceServiceRequest>(self.processed);
                let (queue, sending) = WireSpanProcessor::new(resource, max_bytes, schedule(batch), to, lost);
                self.runtime.spawn(sending);
                SpanQueue::Encoded(queue)
            }
            Queue::Sdk => {
                let config = SpanBatchConfigBuilder::default()
                    .with_max_queue_size(batch.max_queue_size)
                    .with_max_export_batch_size(batch.max_export_batch_size)
                    .with_scheduled_delay(batch.schedule_delay)
                    .build();
                SpanQueue::Sdk(BatchSpanProcessor::builder(exporter).with_batch_config(config).build())
            }
        }
    }

    pub(crate) fn logs(self, exporter: SignalExporter) -> LogQueue {
        let batch = self.batch;
        match self.queue {
            Queue::Encoded { max_bytes } => {
                let (resource, lost) = (self.resource, self.lost(&exporter));
                let to = exporter.into_encoded::<ExportLogsServiceRequest>(self.processed);
                let (queue, sending) = WireLogProcessor::new(resource, max_bytes, schedule(batch), to, lost);
                self.runtime.spawn(sending);
                LogQueue::Encoded(queue)
            }
            Queue::Sdk => {
                let config = LogBatchConfigBuilder::default()
                    .with_max_queue_size(batch.max_queue_size)
                    .with_max_export_batch_size(batch.max_export_batch_size)
                    .with_scheduled_delay(batch.schedule_delay)
                    .build();
                LogQueue::Sdk(BatchLogProcessor::builder(exporter).with_batch_config(config).build())
            }
        }
    }

    /// What came in by number, and found no room by size, or nobody to send it.
    fn lost(&self, exporter: &SignalExporter) -> Lost {
        let (tally, processed) = (Arc::clone(&exporter.monitor.tally), Arc::clone(&self.processed));
        Box::new(move |refused| match refused {
            Refused::Full => {
                tally.turned_away();
                processed.queue_full();
            }
            Refused::Ended => {
                tally.came_too_late();
                processed.came_too_late();
            }
        })
    }
}

fn schedule(batch: BatchConfig) -> Schedule {
    let delay = batch.schedule_delay;
    let Some(bytes) = Queue::default().batch_bytes(batch) else {
        return Schedule {
            delay,
            batch: Batch { entries: batch.max_export_batch_size, bytes: usize::MAX, most_bytes: usize::MAX },
            // The resource comes on top.
            max_request_bytes: LARGEST_BODY - 64 * 1024,
        };
    };
    let batch = Batch { entries: usize::MAX, bytes, most_bytes: MOST_BATCH_BYTES };
    Schedule { delay, batch, max_request_bytes: 1024 * 1024 }
}

impl ProcessSpans for SpanQueue {
    fn on_start(&self, _: &mut SpanData, _: &Context) {}

    fn on_end(&self, span: Box<SpanData>) {
        match self {
            Self::Encoded(queue) if queue.takes(&span, LARGEST_ENTRY) => {}
            Self::Encoded(queue) => queue.on_end(&cut_span(*span)),
            Self::Sdk(queue) => queue.on_end(*span),
        }
    }
}

impl SpanQueue {
    pub(crate) fn force_flush(&self) -> OTelSdkResult {
        match self {
            Self::Encoded(queue) => queue.force_flush(),
            Self::Sdk(queue) => queue.force_flush(),
        }
    }

    pub(crate) fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        match self {
            Self::Encoded(queue) => queue.shutdown_with_timeout(timeout),
            Self::Sdk(queue) => queue.shutdown_with_timeout(timeout),
        }
    }
}

impl LogProcessor for LogQueue {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        match self {
            Self::Encoded(queue) if queue.takes(record, scope, LARGEST_ENTRY, |_| None) => {}
            Self::Encoded(queue) => {
                tell_of_log(record);
                queue.takes(record, scope, usize::MAX, cut_value);
            }
            Self::Sdk(queue) => queue.emit(record, scope),
        }
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        match self {
            Self::Encoded(queue) => queue.event_enabled(level, target, name),
            Self::Sdk(queue) => queue.event_enabled(level, target, name),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        match self {
            Self::Encoded(queue) => queue.force_flush(),
            Self::Sdk(queue) => queue.force_flush(),
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        match self {
            Self::Encoded(queue) => queue.shutdown_with_timeout(timeout),
            Self::Sdk(queue) => queue.shutdown_with_timeout(timeout),
        }
    }
}
