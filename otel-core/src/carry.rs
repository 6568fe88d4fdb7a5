//! Keeps the context where Rust's concurrency loses it.
//!
//! The current context belongs to a thread and, inside a future, to one poll. Work that moves elsewhere starts without
//! it: its spans become roots of new traces, its logs belong to none.
//!
//! | work moves by | keep the context with |
//! |---|---|
//! | `tokio::spawn` | `carry::spawn` (feature `tokio`) or [`carry::future`](future) |
//! | `tokio::task::spawn_blocking` | `carry::spawn_blocking` (feature `tokio`) or [`carry::closure`](closure) |
//! | `std::thread::spawn`, a thread pool, a timer's callback | [`carry::closure`](closure), [`carry::callback`](callback) |
//! | a channel | [`carry::Message`](Message) |
//! | a timer inside a future (`sleep`, `interval`) | nothing to do: the future keeps it between polls |
//!
//! ```
//! use opentelemetry::Context;
//! use otel_core::carry;
//!
//! #[derive(Debug, PartialEq)]
//! struct Order(u32);
//!
//! let _attached = Context::current_with_value(Order(7)).attach();
//! let seen = std::thread::spawn(carry::closure(|| Context::current().get::<Order>().map(|order| order.0)));
//! assert_eq!(seen.join().unwrap(), Some(7));
//! ```

use opentelemetry::Context;
use opentelemetry::context::{FutureExt, WithContext};

use crate::{attach_context, current_context};

/// `f`, to be called once anywhere, with the context that is current now.
pub fn closure<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let context = current_context();
    move || {
        let _attached = attach_context(&context);
        f()
    }
}

/// `f`, to be called any number of times anywhere, with the context that is current now.
pub fn callback<R>(mut f: impl FnMut() -> R) -> impl FnMut() -> R {
    let context = current_context();
    move || {
        let _attached = attach_context(&context);
        f()
    }
}

/// `future`, polled anywhere with the context that is current now.
pub fn future<F: Future>(future: F) -> WithContext<F> {
    future.with_current_context()
}

/// `tokio::spawn` with the context that is current now.
#[cfg(feature = "tokio")]
pub fn spawn<F>(task: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future(task))
}

/// `tokio::task::spawn_blocking` with the context that is current now.
#[cfg(feature = "tokio")]
pub fn spawn_blocking<R: Send + 'static>(
    f: impl FnOnce() -> R + Send + 'static,
) -> tokio::task::JoinHandle<R> {
    tokio::task::spawn_blocking(closure(f))
}

/// A value on its way through a channel, with the context of its sender.
///
/// ```
/// use otel_core::carry;
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// sender.send(carry::Message::new("order 7"))?;
///
/// let message = receiver.recv()?;
/// let (order, context) = message.into_parts();
/// let _attached = context.attach(); // child spans and logs belong to the sender's trace
/// assert_eq!(order, "order 7");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Message<T> {
    value: T,
    context: Context,
}

impl<T> Message<T> {
    /// `value` with the context that is current now.
    pub fn new(value: T) -> Self {
        Self { value, context: current_context() }
    }

    /// The value and the sender's context.
    pub fn into_parts(self) -> (T, Context) {
        (self.value, self.context)
    }
}
