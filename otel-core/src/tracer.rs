//! Tracers of any type, without the detour through boxed spans.
//!
//! `opentelemetry::global` boxes each span, and a context boxes what it is given once more. A tracer whose type is known
//! where the provider is handed over saves one of the two, and a copy of the span.

use opentelemetry::trace::{Span, SpanBuilder, SpanContext, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope};

/// Makes tracers, whatever their type is.
pub(crate) trait MakeTracer: Send + Sync {
    fn tracer(&self, scope: InstrumentationScope) -> Box<dyn StartSpan>;
}

impl<P> MakeTracer for P
where
    P: TracerProvider + Send + Sync,
    P::Tracer: Send + Sync + 'static,
    <P::Tracer as Tracer>::Span: Send + Sync + 'static,
{
    fn tracer(&self, scope: InstrumentationScope) -> Box<dyn StartSpan> {
        Box::new(self.tracer_with_scope(scope))
    }
}

/// Starts spans, whatever their type is.
pub(crate) trait StartSpan: Send + Sync {
    fn start(&self, builder: SpanBuilder, parent: &Context) -> NewSpan;
}

/// A span that has started, in the context that holds it; the parent's context where there is none to record.
pub(crate) struct NewSpan {
    pub(crate) context: Context,
    pub(crate) is_recording: bool,
    /// Whether the tracer made a span at all. An SDK gives every span an id of its own, sampled or not; the no-op tracer
    /// hands back the parent's or none.
    pub(crate) is_noop: bool,
}

impl<T> StartSpan for T
where
    T: Tracer + Send + Sync,
    T::Span: Send + Sync + 'static,
{
    fn start(&self, builder: SpanBuilder, parent: &Context) -> NewSpan {
        let span = self.build_with_context(builder, parent);
        let is_recording = span.is_recording();
        let is_noop = is_of_parent(span.span_context(), parent);
        // Of a span that records nothing only the ids are worth keeping, which needs neither the box nor the lock of a span.
        let context = match (is_recording, is_noop) {
            (true, _) => parent.with_span(span),
            // The span around, if there is one, may record.
            (false, true) => parent.clone(),
            (false, false) => parent.with_remote_span_context(span.span_context().clone()),
        };
        NewSpan { context, is_recording, is_noop }
    }
}

/// The whole context is compared: a caller may guess an id, but an SDK's own span is never remote.
fn is_of_parent(span_context: &SpanContext, parent: &Context) -> bool {
    !span_context.is_valid() || span_context == parent.span().span_context()
}
