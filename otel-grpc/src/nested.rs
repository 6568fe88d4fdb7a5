//! Two server layers around one service give one span.

use std::cell::Cell;

thread_local! {
    static IS_SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a server layer further out is polling us: it observes this call already.
pub(crate) fn is_serving() -> bool {
    IS_SERVING.get()
}

/// Runs `f` as the inside of a server layer, or as the outside of one: a client that calls a server in the same process
/// begins another call.
pub(crate) fn with_serving<R>(serving: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_SERVING.set(self.0);
        }
    }
    let _restore = Restore(IS_SERVING.replace(serving));
    f()
}
