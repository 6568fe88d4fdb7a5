//! The start of an operation, as it is needed at its end.

use std::time::{Instant, SystemTime};

/// Both clocks at the start. The end is read from the monotonic one alone, so a span's duration is the metric's value
/// and never negative.
pub(crate) struct Started {
    pub(crate) wall_clock: SystemTime,
    pub(crate) monotonic: Instant,
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
