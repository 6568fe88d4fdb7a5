//! From intent to decision.

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use std::sync::Arc;

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::export_feedback::ExportFeedback;
use super::ot_state::{self, OtState};

/// Decides for a [`ComposableSampler`]: samples a span when the randomness of its trace reaches the threshold, and writes
/// the threshold into `tracestate`.
///
/// [`Sampling`](super::Sampling) does so itself. This is for programs that build their provider by hand, and follows the
/// specification to the letter: <https://opentelemetry.io/docs/specs/otel/trace/sdk/#compositesampler>
///
/// ```
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use otel_init::opentelemetry_sdk;
/// use otel_init::sampling::{CompositeSampler, ParentThreshold, Probability};
///
/// let sampler = CompositeSampler::new(ParentThreshold::new(Probability::new(0.1)));
/// let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
/// # let _ = provider;
/// ```
#[derive(Clone, Debug)]
pub struct CompositeSampler {
    sampler: Arc<dyn ComposableSampler>,
}

impl CompositeSampler {
    /// The decisions of `sampler`.
    #[must_use]
    pub fn new(sampler: impl ComposableSampler) -> Self {
        Self { sampler: Arc::new(sampler) }
    }
}

impl ShouldSample for CompositeSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let start = Start { trace_id, name, kind: span_kind, attributes, links, export: None };
        with_new_span(parent_context, start, |span| decide(self.sampler.intent(span), span))
    }
}

/// What the SDK tells of a span that starts, besides its context.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) trace_id: TraceId,
    pub(super) name: &'a str,
    pub(super) kind: &'a SpanKind,
    pub(super) attributes: &'a [KeyValue],
    pub(super) links: &'a [Link],
    pub(super) export: Option<&'a ExportFeedback>,
}

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
    let Start { trace_id, name, kind, attributes, links, export } = start;
    then(&NewSpan { context, parent, ot, trace_id, name, kind, attributes, links, export })
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
