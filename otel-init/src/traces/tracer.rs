//! [`Tracer`]: how a span starts.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, SamplingDecision, SpanData, SpanEvents, SpanLimits, SpanLinks};
use otel_core::propagation::has_random_trace_id;

use super::bounds::cut;
use super::provider::Shared;
use super::span::Span;
use crate::sync::Shards;

/// <https://www.w3.org/TR/trace-context-2/#random-trace-id-flag>
const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// Starts the spans of one instrumentation scope; made by a [`TracerProvider`](super::TracerProvider).
#[derive(Clone)]
pub struct Tracer {
    /// Each span counts a reference, which would be slower for all if all threads shared it.
    shards: Arc<Shards<Arc<Scoped>>>,
}

/// What the spans of a scope share.
#[derive(Debug)]
pub(super) struct Scoped {
    scope: InstrumentationScope,
    pub(super) shared: Arc<Shared>,
}

impl Tracer {
    pub(super) fn new(scope: &InstrumentationScope, shared: &Arc<Shared>) -> Self {
        let make = || Arc::new(Scoped { scope: scope.clone(), shared: Arc::clone(shared) });
        Self { shards: Arc::new(Shards::new(make)) }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shards.own().fmt(f)
    }
}

impl opentelemetry::trace::Tracer for Tracer {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        let scoped = self.shards.own();
        let shared = &*scoped.shared;
        let parent_span = parent.span();
        let above = parent_span.span_context();
        if shared.is_stopped() || parent.is_telemetry_suppressed() {
            // "the API MUST return a non-recording Span with the SpanContext in the parent Context".
            // https://opentelemetry.io/docs/specs/otel/trace/api/#behavior-of-the-api-in-the-absence-of-an-installed-sdk
            return Span::not_recording(above.clone());
        }
        // A context without ids is no parent.
        let trace_id = if above.is_valid() { above.trace_id() } else { shared.ids.new_trace_id() };
        let sampled = shared.sampler.should_sample(
            Some(parent),
            trace_id,
            &builder.name,
            builder.span_kind.as_ref().unwrap_or(&SpanKind::Internal),
            builder.attributes.as_deref().unwrap_or_default(),
            builder.links.as_deref().unwrap_or_default(),
        );
        let is_sampled = sampled.decision == SamplingDecision::RecordAndSample;
        let flags = if has_random_trace_id(parent) { RANDOM } else { TraceFlags::NOT_SAMPLED };
        let flags = flags.with_sampled(is_sampled);
        let span_id = shared.ids.new_span_id();
        let context = SpanContext::new(trace_id, span_id, flags, false, sampled.trace_state);
        match &shared.processor {
            Some(processor) if sampled.decision != SamplingDecision::Drop => {
                let mut data = started(scoped, context, above, builder, sampled.attributes);
                processor.on_start(&mut data, parent);
                Span::recording(data, Arc::clone(scoped))
            }
            _ => Span::not_recording(context),
        }
    }
}

fn started(
    scoped: &Scoped,
    span_context: SpanContext,
    above: &SpanContext,
    builder: SpanBuilder,
    sampled: Vec<KeyValue>,
) -> Box<SpanData> {
    let limits = &scoped.shared.limits;
    let SpanBuilder { span_kind, name, start_time, attributes, events, links } = builder;
    let mut attributes = attributes.unwrap_or_default();
    if !sampled.is_empty() {
        attributes.extend(sampled);
    }
    let dropped_attributes_count = cut(&mut attributes, limits.max_attributes_per_span as usize);
    let start_time = start_time.unwrap_or_else(SystemTime::now);
    // Written where it stays: it is large, and would be copied from the stack.
    let mut data = Box::write(
        Box::new_uninit(),
        SpanData {
            span_context,
            // What has but one of the ids is none.
            parent_span_id: if above.is_valid() { above.span_id() } else { SpanId::INVALID },
            parent_span_is_remote: above.is_valid() && above.is_remote(),
            span_kind: span_kind.unwrap_or(SpanKind::Internal),
            name,
            start_time,
            end_time: start_time,
            attributes,
            dropped_attributes_count,
            events: SpanEvents::default(),
            links: links.map_or_else(SpanLinks::default, |links| bounded_links(links, limits)),
            status: Status::Unset,
            instrumentation_scope: scoped.scope.clone(),
        },
    );
    if let Some(events) = events {
        events.into_iter().for_each(|event| super::span::add_event(&mut data, event, limits));
    }
    data
}

fn bounded_links(mut links: Vec<Link>, limits: &SpanLimits) -> SpanLinks {
    let most = limits.max_links_per_span as usize;
    let dropped = links.len().saturating_sub(most);
    links.truncate(most);
    for link in &mut links {
        let dropped = cut(&mut link.attributes, limits.max_attributes_per_link as usize);
        link.dropped_attributes_count = link.dropped_attributes_count.saturating_add(dropped);
    }
    let mut bounded = SpanLinks::default();
    bounded.links = links;
    bounded.dropped_count = u32::try_from(dropped).unwrap_or(u32::MAX);
    bounded
}
