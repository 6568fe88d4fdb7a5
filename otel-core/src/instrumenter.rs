//! Starts operations: the one place where an instrumentation's spans begin.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use opentelemetry::trace::{Link, SpanBuilder, TraceContextExt};
use opentelemetry::{Context, InstrumentationScope, KeyValue};

use crate::bound::Bound;
use crate::operation::Operation;
use crate::propagation::hands_on;
use crate::started::Started;
use crate::tracer::NewSpan;
use crate::{Attributes, Convention, Providers, install_generation, sampler_reads_attributes};

/// While the tracer has no effect, one operation in so many looks the global provider up again, for programs that set
/// it by hand without [`announce_install`](crate::announce_install).
const LOOK_AGAIN_EVERY: u32 = 64;

/// Room for what a typical operation sets, so that the list is allocated once.
const SPAN_CAPACITY: usize = 16;

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
        let (convention, bound) = (Arc::new(convention), ArcSwapOption::empty());
        let may_be_idle = AtomicBool::new(true);
        Self { shared: Arc::new(Shared { scope, providers, convention, bound, may_be_idle }) }
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

    /// Whether there is neither anything that would record an operation nor a propagator that could hand a context on: ask
    /// before doing work for either. What is installed later is noticed, as [`start`](Self::start) notices it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_idle = |bound: &Arc<Bound<C>>| bound.is_idle();
        // A busy one is not asked in full: that costs as much as starting, where what was installed since is noticed.
        self.shared.may_be_idle.load(Ordering::Relaxed)
            && self.shared.with_bound(is_idle)
            // Asked once more, so that an idle instrumenter looks for providers too.
            && self.shared.with_bound_at_start(is_idle)
    }

    /// Whether there is something in `context`, which the propagator has read, that must reach the work inside of a request
    /// even if nobody observes it. A propagator of another format than those of this crate counts as if it had read something.
    #[must_use]
    pub fn hands_on(&self, context: &Context) -> bool {
        hands_on(context) || self.shared.with_bound(|bound| bound.propagates_unknown_formats())
    }

    /// Starts an operation as a child of the span in `parent`.
    ///
    /// The operation is inert where nothing would be recorded: with telemetry suppressed in `parent`, so that an
    /// exporter that uses an instrumented client never feeds itself, and as long as no provider is installed.
    pub fn start(&self, parent: &Context, request: &C::Request<'_>) -> Operation<C> {
        self.start_with_links(parent, request, Vec::new())
    }

    /// Calls `f` with the instruments, for what is measured apart from operations: a pool of connections, a queue.
    pub fn with_metrics<R>(&self, f: impl FnOnce(&C::Metrics) -> R) -> R {
        self.shared.with_bound(|bound| f(&bound.metrics))
    }

    /// An operation that records nothing and only hands `context` on, for a request that nobody wants observed.
    pub fn inert(&self, context: Context) -> Operation<C> {
        Operation::inert(context)
    }

    /// Like [`start`](Self::start), with links to other spans: of the messages in a batch, of an untrusted caller.
    pub fn start_with_links(
        &self,
        parent: &Context,
        request: &C::Request<'_>,
        links: Vec<Link>,
    ) -> Operation<C> {
        let shared = &self.shared;
        shared.with_bound_at_start(|bound| {
            if bound.is_noop() || parent.is_telemetry_suppressed() {
                return Operation::inert(parent.clone());
            }
            let in_flight = shared.convention.in_flight(&bound.metrics, request);
            let started = if bound.has_tracer() { Started::now() } else { Started::without_span() };
            let mut attributes = Vec::new();
            let span = match bound.has_tracer() {
                true => shared.start_span(bound, parent, request, links, &started, &mut attributes),
                false => shared.start_without_span(parent, request, &mut attributes),
            };
            Operation::new(Arc::clone(bound), span, attributes, started, in_flight)
        })
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
    convention: Arc<C>,
    bound: ArcSwapOption<Bound<C>>,
    /// `false` while what was bound last does something.
    may_be_idle: AtomicBool,
}

thread_local! {
    /// Operations that found something missing, by thread: a shared count would be a line that all threads write.
    static MISSES: Cell<u32> = const { Cell::new(0) };
}

fn is_time_to_look_again() -> bool {
    let misses = MISSES.get().wrapping_add(1);
    MISSES.set(misses);
    misses % LOOK_AGAIN_EVERY == 0
}

impl<C: Convention> Shared<C> {
    /// Calls `f` with the tracer and the instruments, taken at the first operation and taken anew when something was
    /// installed since. They are borrowed: a reference count would be a line that all threads write.
    fn with_bound<R>(&self, f: impl FnOnce(&Arc<Bound<C>>) -> R) -> R {
        match &*self.bound.load() {
            Some(bound) if bound.generation == install_generation() => f(bound),
            other => f(&self.bind(other.as_deref())),
        }
    }

    /// Like [`with_bound`](Self::with_bound), for an operation that starts: from time to time it looks for providers that
    /// were set without a word.
    fn with_bound_at_start<R>(&self, f: impl FnOnce(&Arc<Bound<C>>) -> R) -> R {
        self.with_bound(|bound| match self.misses(bound) && is_time_to_look_again() {
            false => f(bound),
            true => f(&self.bind(Some(bound))),
        })
    }

    /// What was given by hand stays as it is; a global provider may still come.
    fn misses(&self, bound: &Bound<C>) -> bool {
        bound.meter_is_noop || !(bound.has_tracer() || self.providers.has_own_tracer_provider())
    }

    #[cold]
    fn bind(&self, before: Option<&Bound<C>>) -> Arc<Bound<C>> {
        // Read first: an install while the rest is read is then seen as new by the next operation.
        let generation = install_generation();
        let kept = before.filter(|before| before.generation == generation && !before.meter_is_noop);
        let metrics = match kept {
            Some(before) => Arc::clone(&before.metrics),
            None => Arc::new(self.convention.metrics(&self.providers.meter(self.scope.clone()))),
        };
        let bound = Arc::new(Bound {
            convention: Arc::clone(&self.convention),
            generation,
            tracer: self.providers.tracer(self.scope.clone()),
            tracer_is_noop: AtomicBool::new(false),
            recorded_last_root: AtomicBool::new(false),
            metrics,
            meter_is_noop: kept.is_none() && self.providers.meter_is_noop(),
            propagates: self.providers.propagates(),
        });
        self.may_be_idle.store(bound.meter_is_noop, Ordering::Relaxed);
        self.bound.store(Some(Arc::clone(&bound)));
        bound
    }

    fn start_span(
        &self,
        bound: &Bound<C>,
        parent: &Context,
        request: &C::Request<'_>,
        links: Vec<Link>,
        started: &Started,
        metric_attributes: &mut Vec<KeyValue>,
    ) -> NewSpan {
        let mut builder = SpanBuilder::from_name(self.convention.span_name(request))
            .with_kind(self.convention.span_kind(request))
            .with_start_time(started.wall_clock);
        builder.links = (!links.is_empty()).then_some(links);
        let attributes_first = self.attributes_first(bound, parent);
        if attributes_first {
            builder.attributes = Some(self.span_attributes(request, metric_attributes));
        }
        let span = bound.tracer.start(builder, parent);
        bound.note_effect(&span, parent);
        if !attributes_first && span.is_recording {
            span.context.span().set_attributes(self.span_attributes(request, metric_attributes));
        } else if !attributes_first {
            self.convention.on_start(request, &mut Attributes::to_metrics(metric_attributes));
        }
        span
    }

    /// What the span starts with, and what metrics carry. As a list, in which hooks see what is there.
    fn span_attributes(
        &self,
        request: &C::Request<'_>,
        metric_attributes: &mut Vec<KeyValue>,
    ) -> Vec<KeyValue> {
        let mut span_attributes = Vec::with_capacity(SPAN_CAPACITY);
        self.convention.on_start(request, &mut Attributes::to_lists(&mut span_attributes, metric_attributes));
        span_attributes
    }

    /// With metrics alone there is nothing to build and to attach but the caller's context.
    fn start_without_span(
        &self,
        parent: &Context,
        request: &C::Request<'_>,
        metric_attributes: &mut Vec<KeyValue>,
    ) -> NewSpan {
        self.convention.on_start(request, &mut Attributes::to_metrics(metric_attributes));
        NewSpan { context: parent.clone(), is_recording: false, is_noop: true }
    }

    /// Whether the attributes are built before the span.
    ///
    /// A sampler that reads them leaves no choice. Otherwise it is a guess at whether the span will be recorded: then a
    /// list that is handed over whole is the cheapest, else most of the attributes are never built at all.
    fn attributes_first(&self, bound: &Bound<C>, parent: &Context) -> bool {
        if self.providers.has_own_tracer_provider() || sampler_reads_attributes() {
            return true;
        }
        let parent = parent.span();
        match parent.span_context() {
            context if context.is_valid() => context.is_sampled(),
            _ => bound.recorded_last_root.load(Ordering::Relaxed),
        }
    }
}
