//! Spans on their way to the exporter: those that wait until it is known whether their trace is kept.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::trace::SpanData;

use super::buffer::{KeepBuffer, Released};
use super::ot_state;
use super::threshold::Threshold;
use crate::ticker::Ticker;
use crate::traces::ProcessSpans;

/// Holds spans back until it is known whether their trace is kept.
#[derive(Debug)]
pub(crate) struct SamplingProcessor<P> {
    inner: Arc<Inner<P>>,
    _sweeper: Option<Ticker>,
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

impl<P: ProcessSpans> Flush for Inner<P> {
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

impl<P: ProcessSpans> SamplingProcessor<P> {
    pub(super) fn new(buffer: Option<Arc<KeepBuffer>>, flusher: &Flusher, next: P) -> Self {
        let inner = Arc::new(Inner { buffer, next });
        let flushed: Arc<dyn Flush> = Arc::<Inner<P>>::clone(&inner);
        // An installation has one of these.
        let _ = flusher.0.set(Arc::downgrade(&flushed));
        let sweeper = sweeper(&inner);
        Self { inner, _sweeper: sweeper }
    }
}

/// Looks at what waits once a second, as long as the processor lives.
fn sweeper<P: ProcessSpans>(inner: &Arc<Inner<P>>) -> Option<Ticker> {
    let buffer = Arc::clone(inner.buffer.as_ref()?);
    let inner = Arc::downgrade(inner);
    let sweep = move || {
        let Some(inner) = inner.upgrade() else { return false };
        inner.forward(buffer.sweep(Instant::now(), false));
        true
    };
    Some(Ticker::start("otel-init-keep", sweep))
}

impl<P: ProcessSpans> Inner<P> {
    fn forward(&self, released: Vec<Released>) {
        for Released { mut span, is_kept } in released {
            if is_kept {
                mark_as_kept(&mut span);
            }
            self.next.on_end(Box::new(span));
        }
    }
}

impl<P: ProcessSpans> ProcessSpans for SamplingProcessor<P> {
    fn on_start(&self, span: &mut SpanData, parent: &Context) {
        if let Some(buffer) = &self.inner.buffer {
            let above = parent.span();
            let above = above.span_context();
            buffer.open(span.span_context.trace_id(), !above.is_valid() || above.is_remote());
        }
        self.inner.next.on_start(span, parent);
    }

    fn on_end(&self, span: Box<SpanData>) {
        match &self.inner.buffer {
            Some(buffer) => self.inner.forward(buffer.close(*span)),
            None => self.inner.next.on_end(span),
        }
    }

    fn stop(&self) {
        if let Some(buffer) = &self.inner.buffer {
            self.inner.forward(buffer.end());
        }
        self.inner.next.stop();
    }
}

/// It is exported, so it is sampled, and the threshold says that it stands for itself.
fn mark_as_kept(span: &mut SpanData) {
    let known = &span.span_context;
    let flags = known.trace_flags().with_sampled(true);
    let state = ot_state::with_threshold(known.trace_state(), Some(Threshold::ALWAYS));
    span.span_context = SpanContext::new(known.trace_id(), known.span_id(), flags, known.is_remote(), state);
}
