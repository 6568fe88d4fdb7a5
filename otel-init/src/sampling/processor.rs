//! Spans on their way to the exporter: those that wait, and the flags of all.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use otel_core::propagation::has_random_trace_id;

use super::buffer::{KeepBuffer, Released};
use super::ot_state;
use super::threshold::Threshold;
use super::ticker::Ticker;

/// <https://www.w3.org/TR/trace-context-2/#random-trace-id-flag>
const RANDOM: TraceFlags = TraceFlags::new(0x02);
/// Marks a span whose trace id is not known to be random, from its start to its end. The SDK keeps no flag for it.
const NOT_RANDOM: &str = "otel_init.trace_id.not_random";

/// Holds spans back until it is known whether their trace is kept, and completes their flags.
#[derive(Debug)]
pub(crate) struct SamplingProcessor<P> {
    inner: Arc<Inner<P>>,
    flusher: Flusher,
    sweeper: Option<Ticker>,
}

/// Lets go of what waits without need, for a flush that does not come from the provider.
#[derive(Clone, Debug, Default)]
pub(super) struct Flusher(Arc<OnceLock<Weak<dyn Flush>>>);

impl Flusher {
    pub(super) fn flush(&self) {
        if let Some(inner) = self.0.get().and_then(Weak::upgrade) {
            inner.flush();
        }
    }
}

trait Flush: fmt::Debug + Send + Sync {
    fn flush(&self);
}

impl<P: SpanProcessor> Flush for Inner<P> {
    fn flush(&self) {
        if let Some(buffer) = &self.buffer {
            self.forward(buffer.sweep(Instant::now(), true));
        }
    }
}

#[derive(Debug)]
struct Inner<P> {
    buffer: Option<Arc<KeepBuffer>>,
    next: P,
}

impl<P: SpanProcessor + 'static> SamplingProcessor<P> {
    pub(super) fn new(buffer: Option<Arc<KeepBuffer>>, flusher: Flusher, next: P) -> Self {
        Self { inner: Arc::new(Inner { buffer, next }), flusher, sweeper: None }
    }

    /// Looks at what waits once a second, as long as the processor lives.
    fn sweeper(&self) -> Option<Ticker> {
        let buffer = Arc::clone(self.inner.buffer.as_ref()?);
        let inner = Arc::downgrade(&self.inner);
        let sweep = move || {
            let Some(inner) = inner.upgrade() else { return false };
            inner.forward(buffer.sweep(Instant::now(), false));
            true
        };
        Some(Ticker::start("otel-init-keep", sweep))
    }
}

impl<P: SpanProcessor> Inner<P> {
    fn forward(&self, released: Vec<Released>) {
        for Released { mut span, is_kept } in released {
            complete_flags(&mut span, is_kept);
            self.next.on_end(span);
        }
    }
}

impl<P: SpanProcessor + 'static> SpanProcessor for SamplingProcessor<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if let Some(buffer) = &self.inner.buffer {
            let parent = context.span();
            let parent = parent.span_context();
            buffer.open(span.span_context().trace_id(), !parent.is_valid() || parent.is_remote());
        }
        let is_told = span.span_context().trace_flags() & RANDOM == RANDOM;
        if !is_told && !has_random_trace_id(context) {
            span.set_attribute(KeyValue::new(NOT_RANDOM, true));
        }
        self.inner.next.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        match &self.inner.buffer {
            Some(buffer) => self.inner.forward(buffer.close(span)),
            None => {
                complete_flags(&mut span, false);
                self.inner.next.on_end(span);
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.flush();
        self.inner.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if let Some(buffer) = &self.inner.buffer {
            self.inner.forward(buffer.end());
        }
        self.inner.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Called once, when the provider is built, before anybody shares what is inside.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.next.set_resource(resource);
        }
        if self.sweeper.is_none() {
            let inner: Arc<dyn Flush> = Arc::clone(&self.inner) as Arc<dyn Flush>;
            let _ = self.flusher.0.set(Arc::downgrade(&inner));
            self.sweeper = self.sweeper();
        }
    }
}

/// The random flag, which the SDK's own context cannot hold for a trace that began here; for a kept span the sampled flag
/// and the threshold that says that it stands for itself.
fn complete_flags(span: &mut SpanData, is_kept: bool) {
    let marker = span.attributes.iter().position(|attribute| attribute.key.as_str() == NOT_RANDOM);
    if let Some(index) = marker {
        span.attributes.remove(index);
    }
    let known = &span.span_context;
    let mut flags = known.trace_flags();
    if marker.is_none() {
        flags = flags | RANDOM;
    }
    let state = if is_kept {
        flags = flags.with_sampled(true);
        ot_state::with_threshold(known.trace_state(), Some(Threshold::ALWAYS))
    } else if flags == known.trace_flags() {
        return;
    } else {
        TraceState::clone(known.trace_state())
    };
    span.span_context = SpanContext::new(known.trace_id(), known.span_id(), flags, known.is_remote(), state);
}
