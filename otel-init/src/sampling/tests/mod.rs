//! Decisions, one by one and together.

mod keep;
mod lifetime;
mod live;
mod parents;
mod statistics;
mod vectors;

use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData, SpanExporter, SpanLimits};
use std::time::Duration;

use super::composable::{ComposableSampler, NewSpan, Start};
use super::decision::with_new_span;
use super::installed::InstalledSampler;
use super::{Sampling, SamplingControl};
use crate::traces::{Exporting, TracerProvider};

/// What was exported.
#[derive(Clone, Debug, Default)]
pub(super) struct Exported(InMemorySpanExporter);

impl Exported {
    pub(super) fn take(&self) -> Vec<SpanData> {
        let spans = self.0.get_finished_spans().unwrap();
        self.0.reset();
        spans
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.take().into_iter().map(|span| span.name.to_string()).collect();
        names.sort();
        names
    }
}

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch).await
    }

    /// The SDK's would forget what it has.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// A provider that samples so, what it has exported, and its controls.
pub(super) fn installed(sampling: &Sampling) -> (TracerProvider, Exported, SamplingControl) {
    let control = SamplingControl::new(sampling, None);
    let exported = Exported::default();
    let processor = control.processor(Exporting(exported.clone()));
    let provider = TracerProvider::new(control.sampler(), SpanLimits::default(), Some(Box::new(processor)));
    (provider, exported, control)
}

/// The decisions of this head alone: the specification's `CompositeSampler`.
pub(super) fn composite(head: impl ComposableSampler) -> InstalledSampler {
    SamplingControl::new(&Sampling::new(head).without_parent(), None).sampler()
}

/// A root span with these attributes, as samplers see it.
pub(super) fn new_span<T>(attributes: &[KeyValue], then: impl FnOnce(&NewSpan<'_>) -> T) -> T {
    let start = Start {
        trace_id: TraceId::from(1),
        name: "span",
        kind: &SpanKind::Server,
        attributes,
        links: &[],
        export: None,
    };
    with_new_span(Some(&Context::new()), start, then)
}

/// The root span of this trace.
pub(super) fn new_span_of<T>(trace_id: TraceId, then: impl FnOnce(&NewSpan<'_>) -> T) -> T {
    new_span(&[], |span| then(&NewSpan { start: Start { trace_id, ..span.start }, ..*span }))
}

/// splitmix64: the same numbers each time.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn trace_id(&mut self) -> TraceId {
        TraceId::from((u128::from(self.next()) << 64) | u128::from(self.next()))
    }
}
