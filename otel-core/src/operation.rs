//! The life of one operation: the one place where an instrumentation's spans end.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue};

use crate::bound::Bound;
use crate::propagation::hands_on;
use crate::started::Started;
use crate::tracer::NewSpan;
use crate::{Attributes, Convention, ErrorType, InFlight, attach_context, attach_for_exemplars, call_hook};

/// One operation that has started: a guard that ends its span and records its metrics once, on every way out.
///
/// | way out | span status, `error.type` |
/// |---|---|
/// | [`end`](Self::end) | what the convention says of the response |
/// | [`fail`](Self::fail) | `Error`, the given class |
/// | dropped | what the convention says of a cancellation; by default no error |
/// | panic after [`enter`](Self::enter) or inside [`run`](Self::run), or dropped while unwinding | `Error`, `panic` |
#[must_use = "dropping the operation ends it as cancelled"]
pub struct Operation<C: Convention> {
    /// Boxed, because operations move a lot: into a future, out of it, into a body, each in boxes of their own.
    state: Box<State<C>>,
}

struct State<C: Convention> {
    /// `None` when it has ended, or was inert from the start.
    running: Option<Running<C>>,
    context: Context,
    /// What the metrics carry.
    attributes: Vec<KeyValue>,
    outcome: Result<(), ErrorType>,
    in_flight: Option<InFlight>,
    is_recording: bool,
    /// Whether `run` makes the context current.
    attaches: bool,
    at_end: Option<AtEnd>,
    tally: C::Tally,
}

/// What it takes to end.
struct Running<C: Convention> {
    bound: Arc<Bound<C>>,
    started: Started,
}

type AtEnd = Box<dyn FnOnce(&mut Attributes<'_>) + Send + Sync>;

enum Exit {
    Ended,
    Failed(ErrorType),
    Dropped,
}

impl<C: Convention> Operation<C> {
    pub(crate) fn new(
        bound: Arc<Bound<C>>,
        span: NewSpan,
        attributes: Vec<KeyValue>,
        started: Started,
        in_flight: Option<InFlight>,
    ) -> Self {
        let mut operation = Self::inert(span.context);
        let state = &mut *operation.state;
        state.running = Some(Running { bound, started });
        state.is_recording = span.is_recording;
        state.attributes = attributes;
        state.in_flight = in_flight;
        operation
    }

    pub(crate) fn inert(context: Context) -> Self {
        // Made where it stays: it is large, and to build it elsewhere and copy it costs more than to fill it.
        let mut state: Box<State<C>> = Box::default();
        state.context = context;
        Self { state }
    }

    /// Whether nothing is recorded: the operation has ended, or none was wanted where it started.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.state.running.is_none()
    }

    /// The context with the operation's span: the parent of everything that happens inside.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.state.context
    }

    /// Adds attributes while the operation runs.
    pub fn attributes(&mut self) -> Attributes<'_> {
        if self.is_inert() {
            return Attributes::to_nobody();
        }
        self.state.attributes()
    }

    /// What the convention keeps of the operation: numbers that the metrics record at the end, for example.
    pub fn tally(&mut self) -> &mut C::Tally {
        &mut self.state.tally
    }

    /// Adds attributes at the end, on every way out: for facts that others gather while the operation runs.
    ///
    /// A second call replaces the first. `f` may run while the thread unwinds; if it panics, its attributes are lost.
    pub fn add_at_end(&mut self, f: impl FnOnce(&mut Attributes<'_>) + Send + Sync + 'static) {
        if !self.is_inert() {
            self.state.at_end = Some(Box::new(f));
        }
    }

    /// Renames the span, when something that belongs into the name is learnt late.
    pub fn update_name(&mut self, name: impl Into<Cow<'static, str>>) {
        if self.state.is_recording && !self.is_inert() {
            self.state.context.span().update_name(name);
        }
    }

    /// Takes the facts of the response; the operation goes on, for example until the body has passed.
    pub fn on_response(&mut self, response: &C::Response<'_>) {
        let State { running, context, is_recording, attributes, outcome, .. } = &mut *self.state;
        if let Some(running) = running {
            let mut attributes = Attributes::to_span(context, *is_recording, attributes);
            *outcome = running.bound.convention.on_response(response, &mut attributes);
        }
    }

    /// Makes the context current where [`run`](Self::run) would: for those who see to panics themselves.
    #[must_use]
    pub fn attach(&self) -> Option<ContextGuard> {
        if self.state.attaches { attach_context(&self.state.context) } else { None }
    }

    /// Lets [`run`](Self::run) leave the current context as it is, if this operation adds nothing to it: with metrics alone
    /// there is often nothing that the work inside could ask for, and attaching costs more than the rest.
    ///
    /// Only for an operation whose parent is the context that is current wherever its work runs, perhaps with what a
    /// propagator has read. What propagators of known formats read is looked for; one of another format counts as if it had
    /// read something.
    pub fn attach_only_if_needed(&mut self) {
        self.state.attaches = hands_on(&self.state.context)
            || self.state.running.as_ref().is_none_or(|running| running.bound.propagates_unknown_formats());
    }

    /// Makes the operation's context current until what is returned is dropped, on this thread, so not across an `.await`.
    /// A panic until then goes on, and ends the operation as failed.
    #[inline]
    #[must_use = "the context is current only as long as this is there"]
    pub fn enter(&mut self) -> Entered<'_, C> {
        let attached = self.attach();
        Entered { state: &mut self.state, was_panicking: std::thread::panicking(), _attached: attached }
    }

    /// Runs `f` with the operation's context current, as [`enter`](Self::enter) does.
    #[inline]
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        f()
    }

    /// Ends the operation with the outcome of its response.
    pub fn end(mut self) {
        self.state.finish(Exit::Ended);
    }

    /// Ends the operation as failed.
    pub fn fail(mut self, error_type: ErrorType) {
        self.state.finish(Exit::Failed(error_type));
    }
}

impl<C: Convention> Default for State<C> {
    fn default() -> Self {
        Self {
            running: None,
            context: Context::new(),
            attributes: Vec::new(),
            outcome: Ok(()),
            in_flight: None,
            is_recording: false,
            attaches: true,
            at_end: None,
            tally: C::Tally::default(),
        }
    }
}

impl<C: Convention> State<C> {
    /// Also while the operation ends, when it counts as inert already.
    fn attributes(&mut self) -> Attributes<'_> {
        Attributes::to_span(&self.context, self.is_recording, &mut self.attributes)
    }

    /// A panic of the convention or of a hook must not go on: in a drop, which may itself happen while unwinding, it would end
    /// the process.
    fn finish(&mut self, exit: Exit) {
        let Some(Running { bound, started }) = self.running.take() else { return };
        let elapsed = started.monotonic.elapsed();
        let failure = self.failure(exit, &bound.convention);
        let is_failed = failure.is_some();
        if let Some((error_type, is_exception)) = failure {
            if is_exception {
                call_hook(|| bound.convention.on_exception(&error_type, &self.context), ());
            }
            self.attributes().both("error.type", error_type);
        }
        // After the outcome, which must find room in a span that is full.
        if let Some(at_end) = self.at_end.take() {
            call_hook(|| at_end(&mut self.attributes()), ());
        }
        if self.is_recording {
            let span = self.context.span();
            if is_failed {
                // No description: the convention wants one only where it adds to what `error.type` says.
                span.set_status(Status::error(""));
            }
            span.end_with_timestamp(started.wall_clock + elapsed);
        }
        let _measured_in = attach_for_exemplars(&self.context);
        call_hook(|| bound.record(elapsed, &self.tally, &self.attributes, &self.context), ());
        self.in_flight = None;
    }

    /// What has failed, and whether that is an error or a panic and not what the response says.
    fn failure(&mut self, exit: Exit, convention: &C) -> Option<(ErrorType, bool)> {
        let outcome = match exit {
            Exit::Failed(error_type) => return Some((error_type, true)),
            Exit::Dropped if std::thread::panicking() => return Some((ErrorType::PANIC, true)),
            Exit::Dropped if self.outcome.is_ok() => convention.on_cancel(&mut self.attributes()),
            Exit::Dropped | Exit::Ended => std::mem::replace(&mut self.outcome, Ok(())),
        };
        outcome.err().map(|error_type| (error_type, false))
    }
}

impl<C: Convention> Drop for Operation<C> {
    fn drop(&mut self) {
        self.state.finish(Exit::Dropped);
    }
}

impl<C: Convention> fmt::Debug for Operation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("span_context", self.context().span().span_context())
            .field("is_inert", &self.is_inert())
            .finish_non_exhaustive()
    }
}

/// While it is there, an operation's context is current; made by [`Operation::enter`].
///
/// It ends the operation when the thread unwinds: whoever owns the operation may drop it only much later.
pub struct Entered<'a, C: Convention> {
    state: &'a mut State<C>,
    was_panicking: bool,
    _attached: Option<ContextGuard>,
}

impl<C: Convention> Drop for Entered<'_, C> {
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.state.finish(Exit::Failed(ErrorType::PANIC));
        }
    }
}

impl<C: Convention> fmt::Debug for Entered<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}
