//! Functions of the user's, called so that a panic of theirs is a result and not the end of the application.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use otel_core::call_hook;

use crate::diagnostics;

/// The function panicked; the panic hook has shown where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// What `function` gives, unless it panics. What it was working on is the user's and is not looked at again.
pub(crate) fn caught<T>(function: impl FnOnce() -> T) -> Result<T, Panicked> {
    call_hook(|| Ok(function()), Err(Panicked))
}

/// What `future` gives, unless it panics.
pub(crate) async fn caught_while<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|context| match caught(|| future.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// What panicked for the first time is told, and no more: it runs for each request.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) fn warn(&self, message: &str) {
        if !self.0.swap(true, Ordering::Relaxed) {
            diagnostics::warn(message);
        }
    }
}

/// A propagator of the user's. One that panics reads and writes nothing.
pub(crate) struct CaughtPropagator {
    name: String,
    inner: Option<Box<dyn TextMapPropagator + Send + Sync>>,
    fields: Vec<String>,
    told: Arc<Once>,
}

type Make = dyn Fn() -> Box<dyn TextMapPropagator + Send + Sync> + Send + Sync;

impl CaughtPropagator {
    /// `told` is that of all propagators of this name.
    pub(crate) fn new(name: &str, make: &Make, told: &Arc<Once>) -> Self {
        let made = caught(|| {
            let inner = make();
            // Asked once: they are lent out, so a panic later could not be answered.
            let fields = inner.fields().map(str::to_owned).collect();
            (inner, fields)
        });
        let (inner, fields) = made.map_or((None, Vec::new()), |(inner, fields)| (Some(inner), fields));
        let propagator = Self { name: name.to_owned(), inner, fields, told: Arc::clone(told) };
        if propagator.inner.is_none() {
            propagator.tell("does nothing: the function that makes it panicked");
        }
        propagator
    }

    fn tell(&self, what: &str) {
        self.told.warn(&format!("the propagator {} {what}", self.name));
    }
}

impl TextMapPropagator for CaughtPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let Some(inner) = &self.inner else { return };
        if caught(|| inner.inject_context(context, injector)).is_err() {
            self.tell("panicked; a request goes out without its headers");
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let Some(inner) = &self.inner else { return context.clone() };
        caught(|| inner.extract_with_context(context, extractor)).unwrap_or_else(|Panicked| {
            self.tell("panicked; a request is taken without its headers");
            context.clone()
        })
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

impl fmt::Debug for CaughtPropagator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CaughtPropagator").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Panicked, caught, caught_while};

    #[test]
    fn what_was_thrown_is_not_thrown_again() {
        struct Thrown;
        impl Drop for Thrown {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(caught(|| std::panic::panic_any(Thrown)), Err::<(), _>(Panicked));
    }

    #[test]
    fn a_panic_between_two_polls_is_a_result() {
        let panicking = async {
            let mut is_first = true;
            std::future::poll_fn(|context| {
                assert!(std::mem::take(&mut is_first), "the second poll");
                context.waker().wake_by_ref();
                std::task::Poll::<()>::Pending
            })
            .await;
        };
        assert_eq!(futures_executor::block_on(caught_while(panicking)), Err(Panicked));
        assert_eq!(futures_executor::block_on(caught_while(async { 1 })), Ok(1));
    }
}
