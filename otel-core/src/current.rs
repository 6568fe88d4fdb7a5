//! The current context, for code that may also run while a thread ends.
//!
//! A value that a thread keeps for itself may hold futures, or a whole runtime, and drops them when the thread ends. The API's
//! place for the current context is gone then, perhaps, and to ask for it is a panic: in a destructor of the thread, the end
//! of the process.

use std::panic::catch_unwind;

use opentelemetry::trace::{SpanId, TraceContextExt, TraceId};
use opentelemetry::{Context, ContextGuard};

use crate::installed::KeptExemplars;

/// Whether the thread has a place for the current context. Its destructor runs before that of the place, which was there
/// first: values of a thread are dropped in reverse.
struct Place(bool);

impl Drop for Place {
    fn drop(&mut self) {}
}

thread_local! {
    static PLACE: Place = Place(catch_unwind(|| Context::map_current(|_| ())).is_ok());
}

#[inline]
fn has_place() -> bool {
    PLACE.try_with(|place| place.0).unwrap_or(false)
}

/// The current context; an empty one if the thread is ending and has none any more.
#[inline]
#[must_use]
pub fn current_context() -> Context {
    if has_place() { Context::current() } else { Context::new() }
}

/// Makes a context current until what is returned is dropped; `None` if the thread is ending and has no current context any
/// more.
#[inline]
#[must_use = "the context is current only as long as this is there"]
pub fn attach_context(context: &Context) -> Option<ContextGuard> {
    has_place().then(|| context.clone().attach())
}

/// The ids of the span that is current, if it is sampled: where an exemplar of what is measured now leads to. `None` also if
/// the thread is ending and has no current context any more.
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
///
/// let with = |flags| {
///     let span = SpanContext::new(1.into(), 2.into(), flags, false, TraceState::default());
///     let _current = otel_core::attach_context(&Context::new().with_remote_span_context(span));
///     otel_core::sampled_span()
/// };
/// assert_eq!(with(TraceFlags::SAMPLED), Some((1.into(), 2.into())));
/// assert_eq!(with(TraceFlags::NOT_SAMPLED), None);
/// ```
#[inline]
#[must_use]
pub fn sampled_span() -> Option<(TraceId, SpanId)> {
    if has_place() { Context::map_current(sampled_span_of) } else { None }
}

#[inline]
pub(crate) fn sampled_span_of(context: &Context) -> Option<(TraceId, SpanId)> {
    let span = context.span();
    let span = span.span_context();
    span.is_sampled().then(|| (span.trace_id(), span.span_id()))
}

/// The same for a span that is current and not sampled: it may be exported all the same, because of what its trace turned out
/// to be.
#[inline]
#[must_use]
pub fn unsampled_span() -> Option<(TraceId, SpanId)> {
    if has_place() { Context::map_current(unsampled_span_of) } else { None }
}

#[inline]
fn unsampled_span_of(context: &Context) -> Option<(TraceId, SpanId)> {
    let span = context.span();
    let span = span.span_context();
    (span.is_valid() && !span.is_sampled()).then(|| (span.trace_id(), span.span_id()))
}

/// Makes `context` current, for what is measured in it, until what is returned is dropped: if somebody keeps
/// [exemplars](crate::Install::with_exemplars), and what is current would lead them elsewhere.
#[inline]
#[must_use = "the context is current only as long as this is there"]
pub fn attach_for_exemplars(context: &Context) -> Option<ContextGuard> {
    let is_current = match crate::installed::exemplars() {
        KeptExemplars::None => true,
        KeptExemplars::Sampled => sampled_span_of(context) == sampled_span(),
        KeptExemplars::Unsampled => {
            sampled_span_of(context) == sampled_span() && unsampled_span_of(context) == unsampled_span()
        }
    };
    if is_current { None } else { attach_context(context) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

    use super::*;

    struct AtEnd;

    impl Drop for AtEnd {
        fn drop(&mut self) {
            drop(attach_context(&current_context()));
            assert_eq!(sampled_span(), None);
        }
    }

    thread_local! {
        static FIRST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }

    fn with_span(id: u64, flags: TraceFlags) -> Context {
        let span = SpanContext::new(1.into(), id.into(), flags, false, TraceState::default());
        Context::new().with_remote_span_context(span)
    }

    #[test]
    fn exemplars_lead_to_the_operation_and_nowhere_if_it_is_not_sampled() {
        let (sampled, other) = (with_span(2, TraceFlags::SAMPLED), with_span(3, TraceFlags::SAMPLED));
        let unsampled = with_span(4, TraceFlags::NOT_SAMPLED);
        let measured_in = |around: &Context, operation: &Context| {
            let _around = attach_context(around);
            let attached = attach_for_exemplars(operation);
            (attached.is_some(), sampled_span().map(|(_, span)| span))
        };
        assert_eq!(measured_in(&other, &sampled), (false, Some(3.into())), "nobody keeps any");
        crate::Install::new().with_exemplars(true).announce();
        assert_eq!(measured_in(&other, &sampled), (true, Some(2.into())));
        assert_eq!(measured_in(&other, &unsampled), (true, None));
        assert_eq!(measured_in(&Context::new(), &sampled), (true, Some(2.into())));
        assert_eq!(measured_in(&sampled, &sampled), (false, Some(2.into())), "it is current already");
        assert_eq!(measured_in(&Context::new(), &unsampled), (false, None));
        crate::Install::new().with_exemplars(true).with_exemplars_of_unsampled(true).announce();
        assert_eq!(measured_in(&Context::new(), &unsampled), (true, None));
        assert_eq!(measured_in(&unsampled, &unsampled), (false, None), "it is current already");
        assert_eq!(measured_in(&unsampled, &sampled), (true, Some(2.into())));
        crate::Install::new().announce();
    }

    /// A panic there ends the process of the test.
    #[test]
    fn a_thread_that_ends_may_ask_for_it() {
        for prepare in [|| (), || drop(Context::current()), || drop(current_context())] {
            let thread = std::thread::spawn(move || {
                FIRST.set(Some(AtEnd));
                prepare();
                LAST.set(Some(AtEnd));
            });
            thread.join().unwrap();
        }
    }
}
