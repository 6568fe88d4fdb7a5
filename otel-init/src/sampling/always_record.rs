//! Recording what is not exported.

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// Records the spans that another sampler drops, for processors that want to see all spans. They are not exported.
///
/// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#alwaysrecord>
#[derive(Clone, Debug)]
pub struct AlwaysRecord<S> {
    inner: S,
}

impl<S: ShouldSample + Clone + 'static> AlwaysRecord<S> {
    /// `inner` decides what is exported.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: ShouldSample + Clone + 'static> ShouldSample for AlwaysRecord<S> {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let result = self.inner.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        match result.decision {
            SamplingDecision::Drop => SamplingResult { decision: SamplingDecision::RecordOnly, ..result },
            _ => result,
        }
    }
}
