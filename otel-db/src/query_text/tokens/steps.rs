//! Counts the bytes that the tokenizer looks at, for the test that its work is linear.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

pub(in crate::query_text) fn count(steps: usize) {
    STEPS.set(STEPS.get() + steps);
}

/// The steps of this thread since the last call.
pub(in crate::query_text) fn take() -> usize {
    STEPS.replace(0)
}
