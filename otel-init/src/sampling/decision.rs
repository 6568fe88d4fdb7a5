//! From intent to decision.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult};

use super::composable::{Intent, NewSpan, Start};
use super::ot_state::{self, OtState};

/// Reads the parent once for all samplers.
pub(super) fn with_new_span<T>(
    context: Option<&Context>,
    start: Start<'_>,
    then: impl FnOnce(&NewSpan<'_>) -> T,
) -> T {
    let none;
    let context = match context {
        Some(context) => context,
        None => {
            none = Context::new();
            &none
        }
    };
    let span = context.span();
    let parent = Some(span.span_context()).filter(|parent| parent.is_valid());
    let ot = parent.map_or_else(OtState::default, |parent| OtState::of(parent.trace_state()));
    then(&NewSpan { context, parent, ot, start })
}

/// "If R >= T", and the threshold goes along if it tells how many the span stands for.
pub(super) fn decide(intent: Intent, span: &NewSpan<'_>) -> SamplingResult {
    let is_sampled = intent.samples(span.randomness());
    let threshold = intent.threshold.filter(|_| is_sampled && intent.is_reliable);
    let trace_state = ot_state::with_threshold(parent_state(span.parent), threshold);
    if is_sampled {
        let decision = SamplingDecision::RecordAndSample;
        SamplingResult { decision, attributes: intent.attributes, trace_state }
    } else {
        SamplingResult { decision: SamplingDecision::Drop, attributes: Vec::new(), trace_state }
    }
}

pub(super) fn parent_state(parent: Option<&SpanContext>) -> &TraceState {
    const NONE: &TraceState = &TraceState::NONE;
    parent.map_or(NONE, SpanContext::trace_state)
}
