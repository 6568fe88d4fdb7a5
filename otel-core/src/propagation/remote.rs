//! What a remote parent said that no [`SpanContext`] can hold.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

use super::RANDOM;

/// What a remote parent said about sampling.
///
/// A [`SpanContext`] knows sampled and not sampled only. B3, AWS X-Ray and OpenTracing's headers may leave the decision
/// to the receiver, and B3 and Jaeger may ask for a trace whatever the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteDecision {
    /// The parent is recorded.
    Sampled,
    /// The parent is not recorded.
    NotSampled,
    /// The parent left the decision to the receiver. Its [`SpanContext`] has no sampled flag, so a sampler that knows
    /// nothing of [`remote_decision`] does not record.
    Deferred,
    /// Record, whatever the rate. Its [`SpanContext`] is sampled.
    Debug,
}

impl RemoteDecision {
    pub(super) fn of(flags: TraceFlags) -> Self {
        if flags.is_sampled() { Self::Sampled } else { Self::NotSampled }
    }

    fn flags(self) -> TraceFlags {
        TraceFlags::NOT_SAMPLED.with_sampled(matches!(self, Self::Sampled | Self::Debug))
    }
}

/// What the remote parent of `context` said about sampling.
///
/// `None` when the span of `context` is a local one, whose flags say all, or when nothing was extracted. A header may
/// carry a decision without ids (`b3: 0`): then `context` has no span, and the decision is for the root span to come.
///
/// For samplers, which get the parent's context.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otel_core::propagation::{B3Propagator, RemoteDecision, remote_decision};
///
/// let headers = HashMap::from([("b3".to_owned(), "0".to_owned())]);
/// let context = B3Propagator::single().extract(&headers);
/// assert_eq!(remote_decision(&context), Some(RemoteDecision::NotSampled));
/// ```
#[must_use]
pub fn remote_decision(context: &Context) -> Option<RemoteDecision> {
    let span = context.span();
    let span_context = span.span_context();
    if !span_context.is_valid() {
        return RemoteParent::of_trace(context, TraceId::INVALID).map(|parent| parent.decision);
    }
    if !span_context.is_remote() {
        return None;
    }
    let told = RemoteParent::of_trace(context, span_context.trace_id()).map(|parent| parent.decision);
    told.or(Some(RemoteDecision::of(span_context.trace_flags())))
}

/// `context` with a remote parent: for propagators of formats that carry ids and a decision.
///
/// Ids that are not valid leave the span of `context` alone. If it has none, the decision is kept for the root span to
/// come; otherwise it says nothing of that span.
///
/// When `context` already has the same remote parent, read from other headers of the same request, its trace state and
/// its random flag stay, and so does its request for debugging, if this decision is to sample.
#[must_use]
pub fn with_remote_parent(
    context: &Context,
    trace_id: TraceId,
    span_id: SpanId,
    decision: RemoteDecision,
) -> Context {
    let span = context.span();
    if trace_id == TraceId::INVALID || span_id == SpanId::INVALID {
        if span.span_context().is_valid() {
            return context.clone();
        }
        return context.with_value(RemoteParent {
            trace_id: TraceId::INVALID,
            decision,
            random: false,
            tracestate: None,
        });
    }
    let known = Some(span.span_context())
        .filter(|known| known.is_remote() && known.trace_id() == trace_id && known.span_id() == span_id);
    let earlier = known.and_then(|_| RemoteParent::of_trace(context, trace_id));
    let random = known.map_or(TraceFlags::NOT_SAMPLED, |known| known.trace_flags() & RANDOM);
    let state = known.map_or(TraceState::NONE, |known| known.trace_state().clone());
    let decision = match (earlier.map(|earlier| earlier.decision), decision) {
        // Most formats cannot say more than that it is sampled.
        (Some(RemoteDecision::Debug), RemoteDecision::Sampled) => RemoteDecision::Debug,
        (_, decision) => decision,
    };
    let parent = RemoteParent {
        trace_id,
        decision,
        random: random == RANDOM,
        tracestate: earlier.and_then(|earlier| earlier.tracestate.clone()),
    };
    let span_context = SpanContext::new(trace_id, span_id, decision.flags() | random, true, state);
    context.with_value(parent).with_remote_span_context(span_context)
}

/// `context` with a remote parent that left the decision to us, whatever it said: for a caller whose sampled flag, or
/// request for debugging, does not count. Its ids stay. Without a remote parent nothing changes but a decision that came
/// without ids.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otel_core::propagation::{RemoteDecision, TraceContextPropagator, remote_decision, with_deferred_decision};
///
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let headers = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
/// let context = with_deferred_decision(&TraceContextPropagator::new().extract(&headers));
/// assert_eq!(remote_decision(&context), Some(RemoteDecision::Deferred));
/// ```
#[must_use]
pub fn with_deferred_decision(context: &Context) -> Context {
    let span = context.span();
    let span_context = span.span_context();
    if span_context.is_valid() && !span_context.is_remote() {
        return context.clone();
    }
    if !span_context.is_valid() && RemoteParent::of_trace(context, TraceId::INVALID).is_none() {
        return context.clone();
    }
    with_remote_parent(context, span_context.trace_id(), span_context.span_id(), RemoteDecision::Deferred)
}

/// Whether at least the right-most 7 bytes of the trace id of `context` are random, as far as it is known: the random flag
/// of level 2 for a span that starts in it.
///
/// A trace that began in this process has an id of the SDK, which is random. One that came from elsewhere is what its
/// caller said.
#[must_use]
pub fn has_random_trace_id(context: &Context) -> bool {
    let span = context.span();
    let span_context = span.span_context();
    if !span_context.is_valid() || span_context.trace_flags() & RANDOM == RANDOM {
        return true;
    }
    let told = RemoteParent::of_trace(context, span_context.trace_id());
    told.map_or(!span_context.is_remote(), |parent| parent.random)
}

/// `context` with the wish of somebody who may ask for it that its trace is recorded, whatever the rate: for propagators
/// that checked a signature. A public endpoint, which believes nothing else of a caller, believes this.
#[must_use]
pub fn with_forced_sampling(context: &Context) -> Context {
    context.with_value(ForcedSampling)
}

/// Whether somebody who may ask for it wants the trace of `context` recorded; see [`with_forced_sampling`].
#[must_use]
pub fn is_sampling_forced(context: &Context) -> bool {
    context.get::<ForcedSampling>().is_some()
}

#[derive(Clone, Copy, Debug)]
struct ForcedSampling;

/// Kept in the context beside the span context, which has no room for these. Bound to its trace: a root span that is
/// started in the same context (at a public endpoint) has nothing to do with it.
#[derive(Clone, Debug)]
pub(super) struct RemoteParent {
    /// Invalid when a decision came without ids.
    pub(super) trace_id: TraceId,
    pub(super) decision: RemoteDecision,
    /// Whether the parent said that its trace id is random.
    pub(super) random: bool,
    /// The whole `tracestate`, when [`TraceState`] refuses a member of it.
    pub(super) tracestate: Option<Box<str>>,
}

impl RemoteParent {
    /// What the remote parent of this trace said, if it said more than a span context holds.
    pub(super) fn of_trace(context: &Context, trace_id: TraceId) -> Option<&Self> {
        context.get::<Self>().filter(|parent| parent.trace_id == trace_id)
    }
}

/// The decision to pass on for the span of `context`, whose span context is `span_context`.
///
/// A debug request holds for the whole trace. A deferred decision is passed on as it came until a local span decides.
pub(super) fn outgoing_decision(context: &Context, span_context: &SpanContext) -> RemoteDecision {
    match RemoteParent::of_trace(context, span_context.trace_id()).map(|parent| parent.decision) {
        Some(RemoteDecision::Debug) => RemoteDecision::Debug,
        Some(RemoteDecision::Deferred) if span_context.is_remote() => RemoteDecision::Deferred,
        None if begins_with_debug(context, span_context) => RemoteDecision::Debug,
        _ => RemoteDecision::of(span_context.trace_flags()),
    }
}

/// Whether the request for debugging came without ids, for the trace that has begun here since.
fn begins_with_debug(context: &Context, span_context: &SpanContext) -> bool {
    let without_ids = RemoteParent::of_trace(context, TraceId::INVALID);
    !span_context.is_remote()
        && span_context.is_sampled()
        && without_ids.is_some_and(|told| told.decision == RemoteDecision::Debug)
}
