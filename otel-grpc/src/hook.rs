//! Calls of the user's functions.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `hook` returns, or `otherwise` when it panics: telemetry never breaks the call it observes. The panic's message
/// reaches the process's panic hook as ever.
pub(crate) fn call_hook<T>(hook: impl FnOnce() -> T, otherwise: T) -> T {
    // The hook borrows only the call's view and its own captures; a half-done change of those is the user's to see.
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| {
        // Dropping what was thrown could throw again.
        std::mem::forget(panic);
        otherwise
    })
}
