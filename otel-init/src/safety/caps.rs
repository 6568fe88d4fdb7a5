//! Caps on the spans of one local trace, and on how deep they nest: a recursion, or a storm of retries, is cut.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample, SpanData};
use std::sync::Arc;

use crate::Signal;
use crate::control::Live;
use crate::diagnostics;
use crate::panics::{Once, caught};
use crate::traces::ProcessSpans;

/// Threads that work on different traces mostly take different locks.
const SHARDS: usize = 32;

/// Traces that are looked after at the same time, in each shard. Of more, the spans are not counted.
const MOST_TRACES: usize = 4096;

/// The spans that one trace may have in this process, and how deep.
#[derive(Debug)]
pub(crate) struct Caps {
    spans: u64,
    depth: u32,
    shards: Vec<Mutex<HashMap<TraceId, Trace>>>,
    hasher: RandomState,
    cut: AtomicU64,
    is_told: AtomicBool,
}

#[derive(Debug, Default)]
struct Trace {
    count: u64,
    is_cut: bool,
    /// Of the spans that are not ended.
    depths: HashMap<SpanId, u32>,
}

impl Caps {
    pub(crate) fn new(spans: Option<u64>, depth: Option<u32>) -> Option<Self> {
        (spans.is_some() || depth.is_some()).then(|| Self {
            spans: spans.unwrap_or(u64::MAX),
            depth: depth.unwrap_or(u32::MAX),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            hasher: RandomState::new(),
            cut: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        })
    }

    /// Spans that were not recorded because of a cap.
    pub(crate) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// Whether one more span may be recorded below this parent.
    fn allows(&self, parent: Option<&SpanContext>, trace_id: TraceId) -> bool {
        let mut traces = self.shard(trace_id);
        let Some(trace) = traces.get_mut(&trace_id) else { return true };
        let depth =
            parent.and_then(|parent| trace.depths.get(&parent.span_id())).map_or(1, |depth| depth + 1);
        let (is_allowed, count) = (trace.count < self.spans && depth <= self.depth, trace.count);
        trace.is_cut |= !is_allowed;
        drop(traces);
        if !is_allowed {
            self.cut.fetch_add(1, Ordering::Relaxed);
            if !self.is_told.swap(true, Ordering::Relaxed) {
                diagnostics::warn(&format!(
                    "trace {trace_id} has {count} spans in this process, {depth} deep: more are not recorded. Is it a \
                     recursion, or a retry without end? This is told once; `health()` counts what was cut"
                ));
            }
        }
        is_allowed
    }

    /// Whether the span of `parent` was cut, as far as it is known. What is below would be recorded for a trace that may be kept,
    /// and nobody knows how deep that is.
    fn has_cut(&self, parent: &Context, trace_id: TraceId) -> bool {
        let span = parent.span();
        let above = span.span_context();
        let is_silent = !above.is_remote() && !above.is_sampled() && !span.is_recording();
        is_silent && self.shard(trace_id).get(&trace_id).is_some_and(|trace| trace.is_cut)
    }

    /// A span that is recorded has started.
    fn started(&self, span: &SpanContext, parent: &Context) {
        let mut traces = self.shard(span.trace_id());
        if traces.len() >= MOST_TRACES && !traces.contains_key(&span.trace_id()) {
            return;
        }
        let trace = traces.entry(span.trace_id()).or_default();
        let above = parent.span().span_context().span_id();
        let depth = trace.depths.get(&above).map_or(1, |depth| depth.saturating_add(1));
        trace.count += 1;
        trace.depths.insert(span.span_id(), depth);
    }

    fn ended(&self, span: &SpanContext) {
        let mut traces = self.shard(span.trace_id());
        if let Some(trace) = traces.get_mut(&span.trace_id()) {
            trace.depths.remove(&span.span_id());
            if trace.depths.is_empty() {
                traces.remove(&span.trace_id());
            }
        }
    }

    fn shard(&self, trace_id: TraceId) -> MutexGuard<'_, HashMap<TraceId, Trace>> {
        let hash = self.hasher.hash_one(trace_id);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        // There are as many as `SHARDS`, so the place is always there.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes first where there are caps: they know each span from its start to its end, also those that wait behind it, or
/// go no further.
pub(crate) fn counted<P: ProcessSpans>(caps: Option<&Arc<Caps>>, next: P) -> Box<dyn ProcessSpans> {
    match caps {
        Some(caps) => Box::new(Counted { caps: Arc::clone(caps), next }),
        None => Box::new(next),
    }
}

#[derive(Debug)]
struct Counted<P> {
    caps: Arc<Caps>,
    next: P,
}

impl<P: ProcessSpans> ProcessSpans for Counted<P> {
    fn on_start(&self, span: &mut SpanData, parent: &Context) {
        self.caps.started(&span.span_context, parent);
        self.next.on_start(span, parent);
    }

    fn on_end(&self, span: Box<SpanData>) {
        self.caps.ended(&span.span_context);
        self.next.on_end(span);
    }

    fn stop(&self) {
        self.next.stop();
    }
}

/// A sampler behind the switch of [`Live`] and the caps. One of the user's that panics records nothing.
#[derive(Debug, Clone)]
pub(crate) struct GuardedSampler<S> {
    pub(crate) inner: S,
    pub(crate) live: Arc<Live>,
    pub(crate) caps: Option<Arc<Caps>>,
    pub(crate) told: Arc<Once>,
}

impl<S: ShouldSample + Clone + 'static> ShouldSample for GuardedSampler<S> {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_off = self.live.is_off(Signal::Traces);
        if is_off {
            return nothing(parent_context);
        }
        let result =
            caught(|| self.inner.should_sample(parent_context, trace_id, name, span_kind, attributes, links));
        let Ok(result) = result else {
            self.told.warn("the sampler panicked; spans that it does so for are not recorded");
            return nothing(parent_context);
        };
        if result.decision == SamplingDecision::Drop {
            return result;
        }
        let Some(caps) = &self.caps else { return result };
        let parent = parent_context.filter(|context| context.has_active_span());
        if parent.is_some_and(|context| caps.has_cut(context, trace_id)) {
            return nothing(parent_context);
        }
        let parent = parent.map(|context| context.span().span_context().clone());
        if caps.allows(parent.as_ref(), trace_id) { result } else { nothing(parent_context) }
    }
}

fn nothing(parent: Option<&Context>) -> SamplingResult {
    let trace_state = parent
        .filter(|context| context.has_active_span())
        .map_or_else(TraceState::default, |context| context.span().span_context().trace_state().clone());
    SamplingResult { decision: SamplingDecision::Drop, attributes: Vec::new(), trace_state }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

    use super::Caps;

    fn context(span: u64) -> SpanContext {
        let (trace, span) = (TraceId::from(7), SpanId::from(span));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
    }

    fn below(parent: &SpanContext) -> Context {
        Context::new().with_remote_span_context(parent.clone())
    }

    #[test]
    fn a_chain_is_cut_at_its_depth_and_forgotten_at_its_end() {
        let caps = Arc::new(Caps::new(None, Some(3)).unwrap());
        let mut parent = context(1);
        caps.started(&parent, &Context::new());
        for span in 2..=3 {
            assert!(caps.allows(Some(&parent), TraceId::from(7)));
            caps.started(&context(span), &below(&parent));
            parent = context(span);
        }
        assert!(!caps.allows(Some(&parent), TraceId::from(7)), "a fourth level");
        assert!(caps.allows(Some(&context(1)), TraceId::from(7)), "a second child of the root");
        assert_eq!(caps.cut(), 1);
        (1..=3).for_each(|span| caps.ended(&context(span)));
        assert!(caps.shard(TraceId::from(7)).is_empty());
        assert!(caps.allows(None, TraceId::from(7)));
    }

    #[test]
    fn the_number_of_spans_is_bounded_while_the_trace_lives() {
        let caps = Caps::new(Some(100), None).unwrap();
        caps.started(&context(1), &Context::new());
        for span in 2..=100 {
            assert!(caps.allows(Some(&context(1)), TraceId::from(7)));
            caps.started(&context(span), &below(&context(1)));
            caps.ended(&context(span));
        }
        assert!(!caps.allows(Some(&context(1)), TraceId::from(7)));
        assert!(Caps::new(None, None).is_none());
    }
}
