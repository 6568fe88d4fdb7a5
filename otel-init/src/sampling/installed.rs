//! The sampler that the provider gets.

use std::sync::Arc;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use otel_core::propagation::{RemoteDecision, is_sampling_forced, remote_decision};

use super::buffer::KeepBuffer;
use super::composable::{ComposableSampler, Intent, NewSpan, Start};
use super::decision::{self, decide};
use super::export_feedback::ExportFeedback;
use super::live::LiveChange;
use super::ot_state::OtState;
use super::rate_limited::limited;
use super::samplers::of_parent;
use super::sampling::{Head, Sampling};
use super::sdk_sampler::SdkSampler;
use super::threshold::Threshold;

/// Decides as a [`Sampling`] says, and as it was told since.
#[derive(Clone, Debug)]
pub(crate) struct InstalledSampler(Arc<Installed>);

#[derive(Debug)]
struct Installed {
    sampling: Sampling,
    /// The head, if it is one of the SDK's and only [`LiveChange`] may say otherwise.
    head_alone: Option<SdkSampler>,
    live: Arc<LiveChange>,
    buffer: Option<Arc<KeepBuffer>>,
    export: ExportFeedback,
}

impl InstalledSampler {
    pub(crate) fn new(
        sampling: Sampling,
        live: Arc<LiveChange>,
        buffer: Option<Arc<KeepBuffer>>,
        export: ExportFeedback,
    ) -> Self {
        let head_alone = sampling.sdk_alone().filter(|_| buffer.is_none()).cloned();
        Self(Arc::new(Installed { sampling, head_alone, live, buffer, export }))
    }
}

impl ShouldSample for InstalledSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let export = Some(&self.0.export);
        let start = Start { trace_id, name, kind: span_kind, attributes, links, export };
        let at_once = parent_context.and_then(|parent| self.0.at_once(parent, start));
        at_once.unwrap_or_else(|| decision::with_new_span(parent_context, start, |span| self.0.decide(span)))
    }
}

impl Installed {
    /// The decision for the most frequent spans, which needs to know little: those below a sampled one of this process, and
    /// those that begin a trace where a sampler of the SDK has the only say, as by default.
    fn at_once(&self, context: &Context, start: Start<'_>) -> Option<SamplingResult> {
        let span = context.span();
        let parent = span.span_context();
        if parent.is_valid() {
            let follows = self.sampling.is_parent_based && self.sampling.branches.local_sampled.is_none();
            let is_sampled = follows && !parent.is_remote() && parent.is_sampled();
            return is_sampled.then(|| sampled(Vec::new(), parent.trace_state().clone()));
        }
        let head = self.head_alone.as_ref()?;
        // A decision may have come without ids.
        if self.live.is_changed() || remote_decision(context).is_some() || is_sampling_forced(context) {
            return None;
        }
        Some(match head.sample(context, start) {
            Some(attributes) => sampled(attributes, TraceState::NONE),
            None => SamplingResult {
                decision: SamplingDecision::Drop,
                attributes: Vec::new(),
                trace_state: TraceState::NONE,
            },
        })
    }

    fn decide(&self, span: &NewSpan<'_>) -> SamplingResult {
        match span.parent {
            Some(parent) if !parent.is_remote() && self.sampling.is_parent_based => self.below(parent, span),
            _ => self.first(span),
        }
    }

    /// A span below one of this process.
    fn below(&self, parent: &SpanContext, span: &NewSpan<'_>) -> SamplingResult {
        let branches = &self.sampling.branches;
        let own = if parent.is_sampled() { &branches.local_sampled } else { &branches.local_not_sampled };
        if let Some(sampler) = own {
            return self.recorded_if_watched(sampler.intent(span), span);
        }
        let decision = if parent.is_sampled() {
            SamplingDecision::RecordAndSample
        } else if self.is_watched(span) {
            SamplingDecision::RecordOnly
        } else {
            SamplingDecision::Drop
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: parent.trace_state().clone() }
    }

    /// The first span of a trace in this process.
    fn first(&self, span: &NewSpan<'_>) -> SamplingResult {
        let intent = match (span.remote_decision(), span.parent) {
            // A threshold that does not count must not be read either.
            (Some(RemoteDecision::Deferred), _) => {
                let ot = OtState { threshold: None, ..span.ot };
                self.head(&NewSpan { ot, ..*span })
            }
            // The head sees the parent by itself, as far as it looks at parents.
            (None, _) => self.head(span),
            _ if !self.sampling.is_parent_based => self.head(span),
            (Some(RemoteDecision::Debug), _) => uncounted(Intent::sample(Threshold::ALWAYS)),
            (Some(RemoteDecision::Sampled), parent) => match &self.sampling.branches.remote_sampled {
                Some(sampler) => sampler.intent(span),
                None => self.followed(parent, span, true),
            },
            (Some(_), parent) => match &self.sampling.branches.remote_not_sampled {
                Some(sampler) => sampler.intent(span),
                None => self.followed(parent, span, false),
            },
        };
        let is_forced = !intent.samples(span.randomness()) && is_sampling_forced(span.context);
        if is_forced {
            return decide(uncounted(Intent::sample(Threshold::ALWAYS)), span);
        }
        self.recorded_if_watched(intent, span)
    }

    /// What the caller decided. The threshold counts where the samplers here know of thresholds; those of the SDK go by
    /// the flag, and leave `tracestate` alone.
    fn followed(&self, parent: Option<&SpanContext>, span: &NewSpan<'_>, is_sampled: bool) -> Intent {
        match (&self.sampling.head, parent) {
            (Head::Composable(_), Some(parent)) => of_parent(parent, span),
            (Head::Sdk(..), Some(parent)) if is_sampled => of_parent(parent, span),
            // A decision without ids.
            (_, None) if is_sampled => uncounted(Intent::sample(Threshold::ALWAYS)),
            _ => Intent::drop(),
        }
    }

    fn head(&self, span: &NewSpan<'_>) -> Intent {
        let intent = match self.live.intent(span) {
            Some(intent) => intent,
            None => match &self.sampling.head {
                Head::Composable(sampler) => sampler.intent(span),
                Head::Sdk(sampler) => sampler.intent(span),
            },
        };
        self.sampling.limits.iter().fold(intent, |intent, limit| limited(intent, limit, span))
    }

    /// What is not sampled is recorded all the same where it may be kept for an error.
    fn recorded_if_watched(&self, intent: Intent, span: &NewSpan<'_>) -> SamplingResult {
        let is_excluded = intent.is_excluded;
        let result = decide(intent, span);
        if result.decision != SamplingDecision::Drop || is_excluded || self.buffer.is_none() {
            return result;
        }
        SamplingResult { decision: SamplingDecision::RecordOnly, ..result }
    }

    /// Whether the trace of a span whose parent is not sampled may still be kept.
    fn is_watched(&self, span: &NewSpan<'_>) -> bool {
        let Some(buffer) = &self.buffer else { return false };
        // A parent that has ended records nothing; then the buffer knows whether it did.
        span.context.span().is_recording() || buffer.watches(span.start.trace_id)
    }
}

fn sampled(attributes: Vec<KeyValue>, trace_state: TraceState) -> SamplingResult {
    SamplingResult { decision: SamplingDecision::RecordAndSample, attributes, trace_state }
}

fn uncounted(intent: Intent) -> Intent {
    Intent { is_reliable: false, ..intent }
}
