//! Starts operations: the one place where an instrumentation's spans begin.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
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
        let bound = ArcSwap::from_pointee(Bound::new(&scope, &providers, &convention));
        let ineffective = AtomicU32::new(0);
        Self { shared: Arc::new(Shared { scope, providers, convention, bound, ineffective }) }
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
    /// So an exporter that uses an instrumented client never feeds itself.
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
        let in_flight = shared.convention.in_flight(&bound.metrics, request);
        let started = Started::now();
        let (span, attributes) = shared.start_span(&bound.tracer, parent, request, links, &started);
        shared.note_effect(&span, parent);
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
    bound: ArcSwap<Bound<C>>,
    /// Operations since the start whose tracer had no effect.
    ineffective: AtomicU32,
}

/// What was taken from the providers.
pub(crate) struct Bound<C: Convention> {
    generation: u64,
    tracer: BoxedTracer,
    pub(crate) metrics: C::Metrics,
}

impl<C: Convention> Bound<C> {
    fn new(scope: &InstrumentationScope, providers: &Providers, convention: &C) -> Self {
        // Read first: an install between the two reads is then seen as new.
        let generation = install_generation();
        Self {
            generation,
            tracer: providers.tracer(scope.clone()),
            metrics: convention.metrics(&providers.meter(scope.clone())),
        }
    }
}

impl<C: Convention> Shared<C> {
    /// The tracer and the instruments, taken anew when something was installed since.
    pub(crate) fn bound(&self) -> arc_swap::Guard<Arc<Bound<C>>> {
        let bound = self.bound.load();
        if bound.generation == install_generation() {
            return bound;
        }
        drop(bound);
        self.bind_again();
        self.bound.load()
    }

    #[cold]
    fn bind_again(&self) {
        self.bound.store(Arc::new(Bound::new(&self.scope, &self.providers, &self.convention)));
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

    /// Looks the global provider up again from time to time while spans come from none.
    ///
    /// An SDK gives every span an id of its own, sampled or not; the no-op tracer hands back the parent's or none.
    fn note_effect(&self, span: &BoxedSpan, parent: &Context) {
        let context = span.span_context();
        let has_effect = context.is_valid() && context.span_id() != parent.span().span_context().span_id();
        if has_effect || self.providers.has_own_tracer_provider() {
            return;
        }
        let seen = self.ineffective.fetch_add(1, Ordering::Relaxed);
        if seen % LOOK_AGAIN_EVERY == LOOK_AGAIN_EVERY - 1 {
            self.bind_again();
        }
    }
}
