//! A point in time that no timeout overflows.

use std::time::{Duration, Instant};

/// The end of `timeout` from now; a year from now if the clock cannot express it.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + YEAR)
}
