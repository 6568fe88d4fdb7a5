//! Decisions, one by one and together.

mod vectors;

use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};

use super::composable::NewSpan;
use super::composite::{Start, with_new_span};

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
    new_span(&[], |span| then(&NewSpan { trace_id, ..*span }))
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
