use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the user's function `hook` returns, or `otherwise` when it panics: telemetry never breaks what it observes. The
/// panic's message reaches the process's panic hook as ever.
///
/// ```
/// # std::panic::set_hook(Box::new(|_| {}));
/// assert_eq!(otel_core::call_hook(|| 7, 0), 7);
/// assert_eq!(otel_core::call_hook(|| panic!("a bug of the application"), 0), 0);
/// ```
pub fn call_hook<T>(hook: impl FnOnce() -> T, otherwise: T) -> T {
    // A hook borrows only a view of the operation and its own captures; a half-done change of those is the user's to see.
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| {
        // Dropping what was thrown could throw again.
        std::mem::forget(panic);
        otherwise
    })
}
