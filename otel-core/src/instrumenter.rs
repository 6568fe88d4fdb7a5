//! Starts operations: the one place where an instrumentation's spans begin.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arc_swap::ArcSwapOption;
use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{Link, Span, SpanBuilder, TraceContextExt, Tracer};
use opentelemetry::{Context, InstrumentationScope};

use crate::operation::{Operation, Started};
use crate::{Attributes, Convention, Providers, install_generation, sampler_reads_attributes};

/// While the tracer has no effect, one operation in so many looks the global provider up again, for programs that set
/// it by hand without [`announce_install`](crate::announce_install).
const LOOK_AGAIN_EVERY: u32 = 64;

/// Starts the operations of one [`Convention`].
///
/// Cloning shares the configuration and the instruments. Providers are taken when the first operation starts, and
/// taken anew when others are installed, so an instrumenter may be built before the SDK is.
pub struct Instrumenter<C: Convention> {
    shared: Arc<Shared<C>>,
}

impl<C: Convention> Instrumenter<C> {
    /// An instrumenter whose spans and instruments carry `scope`.
    #[must_use]
    pub fn new(scope: InstrumentationScope, providers: Providers, convention: C) -> Self {
        let (bound, without_tracer) = (ArcSwapOption::empty(), AtomicU32::new(0));
        Self { shared: Arc::new(Shared { scope, providers, convention, bound, without_tracer }) }
    }

    /// The conventions that all operations share.
    #[must_use]
    pub fn convention(&self) -> &C {
        &self.shared.convention
    }

    /// The providers and the propagator.
    #[must_use]
    pub fn providers(&self) -> &Providers {
        &self.shared.providers
    }

    /// Starts an operation as a child of the span in `parent`.
    ///
    /// With telemetry suppressed in `parent` the operation is inert: no span, no metric, and its context is `parent`.
    /// So an exporter that uses an instrumented client never feeds itself. It is inert too where nothing is installed.
    pub fn start(&self, parent: &Context, request: &C::Request<'_>) -> Operation<C> {
        self.start_with_links(parent, request, Vec::new())
    }

    /// Like [`start`](Self::start), with links to other spans: of the messages in a batch, of an untrusted caller.
    pub fn start_with_links(
        &self,
        parent: &Context,
        request: &C::Request<'_>,
        links: Vec<Link>,
    ) -> Operation<C> {
        let shared = &self.shared;
        if parent.is_telemetry_suppressed() {
            return Operation::inert(Arc::clone(shared), parent.clone());
        }
        let bound = shared.bound();
        if bound.is_noop() {
            return Operation::inert(Arc::clone(shared), parent.clone());
        }
        let in_flight = shared.convention.in_flight(&bound.metrics, request);
        let started = Started::now();
        let (span, attributes) = shared.start_span(&bound.tracer, parent, request, links, &started);
        bound.note_effect(&span, parent);
        Operation::new(Arc::clone(shared), parent, span, attributes, started, in_flight)
    }
}

impl<C: Convention> Clone for Instrumenter<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C: Convention> fmt::Debug for Instrumenter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumenter")
            .field("scope", &self.shared.scope.name())
            .field("providers", &self.shared.providers)
            .finish_non_exhaustive()
    }
}

/// What all operations of an instrumenter share.
pub(crate) struct Shared<C: Convention> {
    scope: InstrumentationScope,
    providers: Providers,
    pub(crate) convention: C,
    bound: ArcSwapOption<Bound<C>>,
    /// Operations whose tracer had no effect.
    without_tracer: AtomicU32,
}

/// What was taken from the providers.
pub(crate) struct Bound<C: Convention> {
    generation: u64,
    tracer: BoxedTracer,
    /// Known after the first span.
    tracer_is_noop: AtomicBool,
    pub(crate) metrics: C::Metrics,
    meter_is_noop: bool,
}

impl<C: Convention> Bound<C> {
    fn is_noop(&self) -> bool {
        self.meter_is_noop && self.tracer_is_noop.load(Ordering::Relaxed)
    }

    /// An SDK gives every span an id of its own, sampled or not; the no-op tracer hands back the parent's or none.
    fn note_effect(&self, span: &BoxedSpan, parent: &Context) {
        let context = span.span_context();
        if !context.is_valid() || context.span_id() == parent.span().span_context().span_id() {
            self.tracer_is_noop.store(true, Ordering::Relaxed);
        }
    }
}

impl<C: Convention> Shared<C> {
    /// The tracer and the instruments, taken at the first operation and taken anew when something was installed since.
    pub(crate) fn bound(&self) -> Arc<Bound<C>> {
        match &*self.bound.load() {
            Some(bound) if self.is_current(bound) => Arc::clone(bound),
            _ => self.bind(),
        }
    }

    fn is_current(&self, bound: &Bound<C>) -> bool {
        if bound.generation != install_generation() {
            return false;
        }
        let look_again = bound.tracer_is_noop.load(Ordering::Relaxed)
            && !self.providers.has_own_tracer_provider()
            && self.without_tracer.fetch_add(1, Ordering::Relaxed) % LOOK_AGAIN_EVERY == LOOK_AGAIN_EVERY - 1;
        !look_again
    }

    #[cold]
    fn bind(&self) -> Arc<Bound<C>> {
        // Read first: an install while the rest is read is then seen as new by the next operation.
        let generation = install_generation();
        let bound = Arc::new(Bound {
            generation,
            tracer: self.providers.tracer(self.scope.clone()),
            tracer_is_noop: AtomicBool::new(false),
            metrics: self.convention.metrics(&self.providers.meter(self.scope.clone())),
            meter_is_noop: self.providers.meter_is_noop(),
        });
        self.bound.store(Some(Arc::clone(&bound)));
        bound
    }

    fn start_span(
        &self,
        tracer: &BoxedTracer,
        parent: &Context,
        request: &C::Request<'_>,
        links: Vec<Link>,
        started: &Started,
    ) -> (BoxedSpan, Attributes) {
        let attributes_first = self.providers.has_own_tracer_provider() || sampler_reads_attributes();
        let mut attributes = Attributes::for_span(attributes_first);
        if attributes_first {
            self.convention.on_start(request, &mut attributes);
        }
        let mut builder = SpanBuilder::from_name(self.convention.span_name(request))
            .with_kind(C::SPAN_KIND)
            .with_start_time(started.wall_clock);
        builder.attributes = Some(attributes.take_span());
        builder.links = (!links.is_empty()).then_some(links);
        let mut span = tracer.build_with_context(builder, parent);
        attributes.set_wants_span(span.is_recording());
        if !attributes_first {
            self.convention.on_start(request, &mut attributes);
            span.set_attributes(attributes.take_span());
        }
        (span, attributes)
    }
}
