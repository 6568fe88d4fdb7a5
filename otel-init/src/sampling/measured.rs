//! The load lately: a moving average, in which what is older weighs less and less.

use std::time::Duration;

use super::adaptive::PERIOD;

/// How long what was measured counts: after this time it has lost two thirds of its weight.
const MEMORY: Duration = Duration::from_secs(5);

/// What was measured up to now.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) at: Duration,
    seen: u64,
    sampled: u64,
    spans: u64,
    /// Traces a second that might be sampled; `None` before the first measurement.
    pub(super) rate: Option<f64>,
    /// Spans that are exported for each trace that is sampled.
    pub(super) spans_of_trace: Option<f64>,
}

impl Measured {
    pub(super) fn add(&mut self, now: Duration, seen: u64, sampled: u64, spans: u64) {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        let weight = 1.0 - (-elapsed / MEMORY.as_secs_f64()).exp();
        let smooth = |old: Option<f64>, new: f64| old.map_or(new, |old| old + weight * (new - old));
        let rate = seen.saturating_sub(self.seen) as f64 / elapsed;
        // Up at once, because a burst costs; down slowly, because the next may follow.
        self.rate =
            Some(smooth(self.rate, rate).max(if elapsed < PERIOD.as_secs_f64() { rate } else { 0.0 }));
        let new_samples = sampled.saturating_sub(self.sampled);
        if new_samples > 0 && spans > 0 {
            let spans_of_trace = spans.saturating_sub(self.spans) as f64 / new_samples as f64;
            self.spans_of_trace = Some(smooth(self.spans_of_trace, spans_of_trace));
        }
        (self.at, self.seen, self.sampled, self.spans) = (now, seen, sampled, spans);
    }
}
