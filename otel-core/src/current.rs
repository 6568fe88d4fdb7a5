//! The current context, for code that may also run while a thread ends.
//!
//! A value that a thread keeps for itself may hold futures, or a whole runtime, and drops them when the thread ends. The API's
//! place for the current context is gone then, perhaps, and to ask for it is a panic: in a destructor of the thread, the end
//! of the process.

use std::panic::catch_unwind;

use opentelemetry::{Context, ContextGuard};

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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    struct AtEnd;

    impl Drop for AtEnd {
        fn drop(&mut self) {
            drop(attach_context(&current_context()));
        }
    }

    thread_local! {
        static FIRST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
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
