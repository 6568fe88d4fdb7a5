//! What one installation has of sampling: the sampler, the processor, the handle, the counts.

use std::path::PathBuf;
use std::sync::Arc;

use super::buffer::KeepBuffer;
use super::export_feedback::{ExportFeedback, ExportState};
use super::installed::InstalledSampler;
use super::live::{LiveChange, SamplerHandle};
use super::processor::{Flusher, SamplingProcessor};
use super::rate_limit::RateLimit;
use super::sampling::Sampling;
use super::watched_file::WatchedFile;
use crate::export::Tally;
use crate::ticker::Ticker;
use crate::traces::ProcessSpans;

/// The parts of an installed [`Sampling`].
#[derive(Debug)]
pub(crate) struct SamplingControl {
    sampler: InstalledSampler,
    buffer: Option<Arc<KeepBuffer>>,
    live: Arc<LiveChange>,
    export: ExportFeedback,
    flusher: Flusher,
    limits: Vec<RateLimit>,
    _watch: Option<Ticker>,
}

impl SamplingControl {
    pub(crate) fn new(sampling: &Sampling, file: Option<PathBuf>) -> Self {
        let live = Arc::new(LiveChange::new(sampling.to_string(), sampling.reads_attributes()));
        let buffer = sampling.keep.clone().map(|keep| Arc::new(KeepBuffer::new(keep)));
        let export = ExportFeedback::default();
        let sampler =
            InstalledSampler::new(sampling.clone(), Arc::clone(&live), buffer.clone(), export.clone());
        let watch = file.map(|path| {
            let mut file = WatchedFile::new(path, Arc::clone(&live));
            file.look();
            let live = Arc::downgrade(&live);
            Ticker::start("otel-init-sampler", move || {
                file.look();
                live.upgrade().is_some()
            })
        });
        let flusher = Flusher::default();
        Self { sampler, buffer, live, export, flusher, limits: sampling.limits.clone(), _watch: watch }
    }

    pub(crate) fn sampler(&self) -> InstalledSampler {
        self.sampler.clone()
    }

    pub(crate) fn processor<P: ProcessSpans>(&self, next: P) -> SamplingProcessor<P> {
        SamplingProcessor::new(self.buffer.clone(), &self.flusher, next)
    }

    /// Lets go of what waits without need.
    pub(crate) fn flush(&self) {
        self.flusher.flush();
    }

    /// How adaptive samplers learn of the export.
    pub(crate) fn connect(&self, tally: Arc<Tally>, max_queue_size: usize) {
        self.export.connect(move || {
            let counts = tally.counts();
            ExportState { spans: counts.created, queue: counts.queued as f64 / max_queue_size as f64 }
        });
    }

    pub(crate) fn handle(&self) -> SamplerHandle {
        SamplerHandle::new(Arc::clone(&self.live))
    }

    /// The global providers are those of this installation.
    pub(crate) fn mark_installed(&self) {
        self.live.mark_installed();
    }

    pub(crate) fn has_limits(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Where it says of a trace that was not sampled that it is exported.
    pub(crate) fn kept(&self) -> Option<Arc<KeepBuffer>> {
        self.buffer.clone()
    }

    pub(crate) fn keeps(&self) -> bool {
        self.buffer.is_some()
    }

    pub(crate) fn health(&self) -> SamplingHealth {
        let rate_limited = self.limits.iter().map(RateLimit::refused).sum();
        let kept = self.buffer.as_ref().map(|buffer| buffer.health()).unwrap_or_default();
        SamplingHealth { rate_limited, ..kept }
    }
}

/// What became of spans before they were exported or not; see [`Health::sampling`](crate::Health::sampling).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplingHealth {
    /// Traces that the head sampled and a [`RateLimit`] of the [`Sampling`] refused.
    pub rate_limited: u64,
    /// Local traces that were kept for an error, or because they were slow.
    pub kept_traces: u64,
    /// Spans that wait until it is known whether their trace is kept.
    pub waiting_spans: u64,
    /// About how many bytes the traces that wait take.
    pub waiting_bytes: u64,
    /// Spans that were not sampled and not watched to the end, for want of room or time: some of them might have been
    /// kept.
    pub dropped_spans: u64,
}
