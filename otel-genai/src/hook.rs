//! Calls of the user's functions.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `hook` returns, or `otherwise` when it panics: telemetry never breaks the call that it observes.
pub(crate) fn call_hook<T>(hook: impl FnOnce() -> T, otherwise: T) -> T {
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| {
        // Dropping what was thrown could throw again.
        std::mem::forget(panic);
        otherwise
    })
}
