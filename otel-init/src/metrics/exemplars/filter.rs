//! Which measurements may become exemplars.

use opentelemetry::trace::{SpanId, TraceId};

use crate::sampling::KeepBuffer;

/// Which measurements may become exemplars: examples of what is in a metric, with the ids of the span they were made in, so
/// that a slow bucket of a histogram leads to a trace.
///
/// <https://opentelemetry.io/docs/specs/otel/metrics/sdk/#exemplarfilter>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExemplarFilter {
    /// What is measured while a sampled span is current: the default. Also while one is that is not sampled, if by then its trace
    /// is known to be exported, by [`Keep`](crate::sampling::Keep).
    #[default]
    TraceBased,
    /// All that is measured. Those outside of sampled spans have no ids.
    AlwaysOn,
    /// None: nothing is looked at when something is measured.
    AlwaysOff,
}

/// Where an exemplar leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
}

impl ExemplarFilter {
    pub(crate) const EXPECTED: &str = "always_on, always_off or trace_based";

    /// By the name that variables and files have for it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::TraceBased, Self::AlwaysOn, Self::AlwaysOff].into_iter().find(|filter| filter.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TraceBased => "trace_based",
            Self::AlwaysOn => "always_on",
            Self::AlwaysOff => "always_off",
        }
    }

    /// The ids for what is measured now; `None` if it becomes no exemplar. "span_id may be missing if [..] the trace is not
    /// sampled": it would lead nowhere.
    #[inline]
    pub(super) fn ids(self, kept_traces: Option<&KeepBuffer>) -> Option<Ids> {
        let kept = || {
            let kept_traces = kept_traces?;
            otel_core::unsampled_span().filter(|(trace_id, _)| kept_traces.has_kept(*trace_id))
        };
        let sampled = otel_core::sampled_span().or_else(kept);
        let sampled = sampled.map(|(trace_id, span_id)| Ids { trace_id, span_id });
        match self {
            Self::TraceBased => sampled,
            Self::AlwaysOn => {
                Some(sampled.unwrap_or(Ids { trace_id: TraceId::INVALID, span_id: SpanId::INVALID }))
            }
            Self::AlwaysOff => None,
        }
    }
}
