//! The life of one operation: the one place where an instrumentation's spans end.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use crate::instrumenter::Shared;
use crate::propagation::{is_sampling_forced, remote_decision};
use crate::{Attributes, Convention, ErrorType, InFlight};

/// One operation that has started: a guard that ends its span and records its metrics once, on every way out.
///
/// | way out | span status, `error.type` |
/// |---|---|
/// | [`end`](Self::end) | what the convention says of the response |
/// | [`fail`](Self::fail) | `Error`, the given class |
/// | dropped | what the convention says of a cancellation; by default no error |
/// | panic inside [`run`](Self::run), or dropped while unwinding | `Error`, `panic` |
#[must_use = "dropping the operation ends it as cancelled"]
pub struct Operation<C: Convention> {
    shared: Arc<Shared<C>>,
    context: Context,
    /// What the metrics carry.
    attributes: Vec<KeyValue>,
    /// `None` when it has ended, or was inert from the start.
    started: Option<Started>,
    outcome: Result<(), ErrorType>,
    in_flight: Option<InFlight>,
    is_recording: bool,
    /// Whether `run` makes the context current.
    attaches: bool,
    at_end: Option<AtEnd>,
    tally: C::Tally,
}

type AtEnd = Box<dyn FnOnce(&mut Attributes<'_>) + Send + Sync>;

/// Both clocks at the start. The end is read from the monotonic one alone, so a span's duration is the metric's value
/// and never negative.
pub(crate) struct Started {
    pub(crate) wall_clock: SystemTime,
    monotonic: Instant,
}

impl Started {
    pub(crate) fn now() -> Self {
        Self { wall_clock: SystemTime::now(), monotonic: Instant::now() }
    }

    /// For an operation that has no span, which is what the wall clock is for.
    pub(crate) fn without_span() -> Self {
        Self { wall_clock: SystemTime::UNIX_EPOCH, monotonic: Instant::now() }
    }
}

/// The context with the operation's span, or the parent's where there is none to record.
pub(crate) struct StartedSpan {
    pub(crate) context: Context,
    pub(crate) is_recording: bool,
}

enum Exit {
    Ended,
    Failed(ErrorType),
    Dropped,
}

impl Exit {
    fn is_exception(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Ended => false,
            Self::Dropped => std::thread::panicking(),
        }
    }
}

impl<C: Convention> Operation<C> {
    pub(crate) fn new(
        shared: Arc<Shared<C>>,
        span: StartedSpan,
        attributes: Vec<KeyValue>,
        started: Started,
        in_flight: Option<InFlight>,
    ) -> Self {
        let StartedSpan { context, is_recording } = span;
        Self {
            shared,
            context,
            attributes,
            started: Some(started),
            outcome: Ok(()),
            in_flight,
            is_recording,
            attaches: true,
            at_end: None,
            tally: C::Tally::default(),
        }
    }

    pub(crate) fn inert(shared: Arc<Shared<C>>, context: Context) -> Self {
        Self {
            shared,
            context,
            attributes: Vec::new(),
            started: None,
            outcome: Ok(()),
            in_flight: None,
            is_recording: false,
            attaches: true,
            at_end: None,
            tally: C::Tally::default(),
        }
    }

    /// Whether nothing is recorded: the operation has ended, or none was wanted where it started.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.started.is_none()
    }

    /// The context with the operation's span: the parent of everything that happens inside.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Adds attributes while the operation runs.
    pub fn attributes(&mut self) -> Attributes<'_> {
        if self.is_inert() {
            return Attributes::to_nobody();
        }
        self.attributes_at_end()
    }

    /// Also while the operation ends, when it counts as inert already.
    fn attributes_at_end(&mut self) -> Attributes<'_> {
        Attributes::to_span(&self.context, self.is_recording, &mut self.attributes)
    }

    /// The numbers that the metrics record at the end.
    pub fn tally(&mut self) -> &mut C::Tally {
        &mut self.tally
    }

    /// Adds attributes at the end, on every way out: for facts that others gather while the operation runs.
    ///
    /// A second call replaces the first. `f` may run while the thread unwinds; if it panics, its attributes are lost.
    pub fn add_at_end(&mut self, f: impl FnOnce(&mut Attributes<'_>) + Send + Sync + 'static) {
        if !self.is_inert() {
            self.at_end = Some(Box::new(f));
        }
    }

    /// Renames the span, when something that belongs into the name is learnt late.
    pub fn update_name(&mut self, name: impl Into<Cow<'static, str>>) {
        if self.is_recording && !self.is_inert() {
            self.context.span().update_name(name);
        }
    }

    /// Takes the facts of the response; the operation goes on, for example until the body has passed.
    pub fn on_response(&mut self, response: &C::Response<'_>) {
        if !self.is_inert() {
            let mut attributes = Attributes::to_span(&self.context, self.is_recording, &mut self.attributes);
            self.outcome = self.shared.convention.on_response(response, &mut attributes);
        }
    }

    /// Lets [`run`](Self::run) leave the current context as it is, if this operation adds nothing to it: with metrics alone
    /// there is often nothing that the work inside could ask for, and attaching costs more than the rest.
    ///
    /// Only for an operation whose parent is the context that is current wherever its work runs, perhaps with what a
    /// propagator has read. What propagators of known formats read is looked for; one of another format counts as if it had
    /// read something.
    pub fn attach_only_if_needed(&mut self) {
        let context = &self.context;
        self.attaches = context.has_active_span()
            || !context.baggage().is_empty()
            || remote_decision(context).is_some()
            || is_sampling_forced(context)
            || self.shared.propagates_unknown_formats();
    }

    /// Runs `f` with the operation's context attached. A panic in `f` goes on, and ends the operation as failed.
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let attached = self.attaches.then(|| self.context.clone().attach());
        let on_panic = FailOnUnwind(self);
        let result = f();
        std::mem::forget(on_panic);
        drop(attached);
        result
    }

    /// Ends the operation with the outcome of its response.
    pub fn end(mut self) {
        self.finish(Exit::Ended);
    }

    /// Ends the operation as failed.
    pub fn fail(mut self, error_type: ErrorType) {
        self.finish(Exit::Failed(error_type));
    }

    fn finish(&mut self, exit: Exit) {
        let Some(started) = self.started.take() else { return };
        let elapsed = started.monotonic.elapsed();
        let is_exception = exit.is_exception();
        let failure = self.failure(exit);
        if let Some(error_type) = failure.as_ref().filter(|_| is_exception) {
            contained(|| self.shared.convention.on_exception(error_type, &self.context));
        }
        let is_failed = failure.is_some();
        if let Some(error_type) = failure {
            self.attributes_at_end().both("error.type", error_type);
        }
        // After the outcome, which must find room in a span that is full.
        if let Some(at_end) = self.at_end.take() {
            contained(|| at_end(&mut self.attributes_at_end()));
        }
        if self.is_recording {
            let span = self.context.span();
            if is_failed {
                // No description: the convention wants one only where it adds to what `error.type` says.
                span.set_status(Status::error(""));
            }
            span.end_with_timestamp(started.wall_clock + elapsed);
        }
        contained(|| self.shared.record(elapsed, &self.tally, &self.attributes, &self.context));
        self.in_flight = None;
    }

    fn failure(&mut self, exit: Exit) -> Option<ErrorType> {
        match exit {
            Exit::Failed(error_type) => Some(error_type),
            Exit::Dropped if std::thread::panicking() => Some(ErrorType::PANIC),
            Exit::Dropped if self.outcome.is_ok() => {
                let mut attributes =
                    Attributes::to_span(&self.context, self.is_recording, &mut self.attributes);
                self.shared.convention.on_cancel(&mut attributes).err()
            }
            Exit::Dropped | Exit::Ended => std::mem::replace(&mut self.outcome, Ok(())).err(),
        }
    }
}

impl<C: Convention> Drop for Operation<C> {
    fn drop(&mut self) {
        self.finish(Exit::Dropped);
    }
}

impl<C: Convention> fmt::Debug for Operation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("span_context", self.context.span().span_context())
            .field("is_inert", &self.is_inert())
            .finish_non_exhaustive()
    }
}

/// Runs `f` where a panic must not go on: in a drop, which may itself happen while unwinding, it would end the process.
fn contained(f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        // Dropping what was thrown could throw again.
        std::mem::forget(panic);
    }
}

/// Ends the operation when `run` unwinds: whoever owns the operation may drop it only much later.
struct FailOnUnwind<'a, C: Convention>(&'a mut Operation<C>);

impl<C: Convention> Drop for FailOnUnwind<'_, C> {
    fn drop(&mut self) {
        self.0.finish(Exit::Failed(ErrorType::PANIC));
    }
}
