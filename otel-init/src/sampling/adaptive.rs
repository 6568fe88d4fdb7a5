//! A probability that follows the load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use super::composable::{ComposableSampler, Intent, NewSpan};
use super::export_feedback::ExportState;
use super::measured::Measured;
use super::samplers::percent;
use super::threshold::Threshold;

/// How often the probability is adjusted.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// The soonest, when a burst brings more than the target at once.
const SHORTEST: Duration = Duration::from_millis(10);
/// From here on a queue that fills lowers the probability.
const PRESSURE: f64 = 0.5;
/// What is left of the probability when the queue is full.
const LEAST: f64 = 0.1;

/// Samples with the probability that keeps to a target: so many traces, or so many spans, a second.
///
/// Once a second the probability is set to the target divided by what came lately, smoothed over some seconds; a burst
/// beyond the target sets it at once. When more than half of the export queue is full it goes down further, to a tenth when
/// all is full. Each trace carries the threshold it was sampled with, so counts stay right while the probability moves.
///
/// ```
/// use otel_init::sampling::{Adaptive, Sampling};
///
/// let sampling = Sampling::new(Adaptive::traces_per_second(50.0).with_max_ratio(0.5));
/// # let _ = sampling;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Adaptive {
    target: f64,
    unit: Unit,
    max_ratio: f64,
    state: Arc<State>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Traces,
    Spans,
}

impl Adaptive {
    /// Samples about so many of the traces that begin here, a second.
    pub fn traces_per_second(target: f64) -> Self {
        Self::new(target, Unit::Traces)
    }

    /// Samples so many traces that about this many spans are exported a second, those of traces that began elsewhere
    /// included.
    pub fn spans_per_second(target: f64) -> Self {
        Self::new(target, Unit::Spans)
    }

    /// An export budget: about so many spans a day.
    pub fn spans_per_day(budget: f64) -> Self {
        Self::new(budget / 86_400.0, Unit::Spans)
    }

    fn new(target: f64, unit: Unit) -> Self {
        let target = if target.is_nan() { 0.0 } else { target.max(0.0) };
        Self { target, unit, max_ratio: 1.0, state: Arc::new(State::new(target, 1.0)) }
    }

    /// The highest probability, 1 by default.
    pub fn with_max_ratio(mut self, ratio: f64) -> Self {
        self.max_ratio = if ratio.is_nan() { 0.0 } else { ratio.clamp(0.0, 1.0) };
        self.state = Arc::new(State::new(self.target, self.max_ratio));
        self
    }

    fn intent_at(&self, span: &NewSpan<'_>, now: Duration, export: impl FnOnce() -> ExportState) -> Intent {
        let state = &*self.state;
        state.seen.fetch_add(1, Ordering::Relaxed);
        if state.is_due(now) {
            self.adjust(now, export);
        }
        let threshold = Threshold::from_bits(state.threshold.load(Ordering::Relaxed));
        if threshold == Threshold::NEVER {
            return Intent::drop();
        }
        if threshold.samples(span.randomness()) {
            state.sampled.fetch_add(1, Ordering::Relaxed);
        }
        Intent::sample(threshold)
    }

    /// Measures and sets the probability. One thread does; the others go on with the one that was set before.
    #[cold]
    fn adjust(&self, now: Duration, export: impl FnOnce() -> ExportState) {
        let mut measured = match self.state.measured.try_lock() {
            Ok(measured) => measured,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if now.saturating_sub(measured.at) < SHORTEST {
            return;
        }
        let export = export();
        let (seen, sampled) =
            (self.state.seen.load(Ordering::Relaxed), self.state.sampled.load(Ordering::Relaxed));
        measured.add(now, seen, sampled, export.spans);
        let wanted = match self.unit {
            Unit::Traces => self.target,
            Unit::Spans => self.target / measured.spans_of_trace.unwrap_or(1.0).max(1.0),
        };
        let rate = measured.rate.unwrap_or(0.0);
        let ratio = if rate > 0.0 { wanted / rate } else { 1.0 };
        let threshold = Threshold::from_probability(ratio.min(self.max_ratio) * relief(export.queue));
        let burst = (2.0 * wanted * PERIOD.as_secs_f64()).max(10.0);
        self.state.threshold.store(threshold.bits(), Ordering::Relaxed);
        self.state.due.store(nanos(now + PERIOD), Ordering::Relaxed);
        self.state.burst.store(sampled.saturating_add(burst as u64), Ordering::Relaxed);
    }
}

/// What is left of the probability under the pressure of a queue that is so full.
fn relief(queue: f64) -> f64 {
    let over = ((queue - PRESSURE) / (1.0 - PRESSURE)).clamp(0.0, 1.0);
    1.0 - over * (1.0 - LEAST)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl ComposableSampler for Adaptive {
    fn intent(&self, span: &NewSpan<'_>) -> Intent {
        self.intent_at(span, self.state.origin.elapsed(), || ExportState::of(span))
    }

    fn reads_attributes(&self) -> bool {
        false
    }

    fn description(&self) -> String {
        let unit = if self.unit == Unit::Traces { "traces" } else { "spans" };
        let most = if self.max_ratio < 1.0 {
            format!(", at most {}", percent(self.max_ratio))
        } else {
            String::new()
        };
        format!("adaptive, {} {unit}/s{most}", (self.target * 100.0).round() / 100.0)
    }
}

/// The counters are written by every span that is decided here, the rest once a second.
#[derive(Debug)]
struct State {
    origin: Instant,
    seen: AtomicU64,
    sampled: AtomicU64,
    threshold: AtomicU64,
    /// When to adjust, in nanoseconds from `origin`.
    due: AtomicU64,
    /// How many samples are a burst, which is adjusted to before it is due.
    burst: AtomicU64,
    measured: Mutex<Measured>,
}

impl State {
    fn new(target: f64, max_ratio: f64) -> Self {
        let first = if target > 0.0 { Threshold::from_probability(max_ratio) } else { Threshold::NEVER };
        Self {
            origin: Instant::now(),
            seen: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
            threshold: AtomicU64::new(first.bits()),
            due: AtomicU64::new(nanos(PERIOD)),
            burst: AtomicU64::new((2.0 * target).max(10.0) as u64),
            measured: Mutex::default(),
        }
    }

    fn is_due(&self, now: Duration) -> bool {
        nanos(now) >= self.due.load(Ordering::Relaxed)
            || self.sampled.load(Ordering::Relaxed) >= self.burst.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::export_feedback::ExportState;
    use super::super::tests::{Random, new_span_of};
    use super::{Adaptive, relief};

    /// Sends `rate` traces a second for so many seconds; how many were sampled, and what they stand for together.
    fn drive(
        adaptive: &Adaptive,
        random: &mut Random,
        (from, seconds): (u64, u64),
        rate: u64,
        queue: f64,
        spans_of_trace: u64,
    ) -> (u64, f64) {
        let (mut sampled, mut counted, mut spans) = (0, 0.0, 0);
        for index in 0..rate * seconds {
            let now = Duration::from_secs(from)
                + Duration::from_secs(seconds) * index as u32 / (rate * seconds) as u32;
            let trace_id = random.trace_id();
            let intent = new_span_of(trace_id, |span| {
                let intent = adaptive.intent_at(span, now, || ExportState { spans, queue });
                intent.samples(span.randomness()).then_some(intent)
            });
            if let Some(intent) = intent {
                sampled += 1;
                counted += intent.threshold().unwrap().adjusted_count();
                spans += spans_of_trace;
            }
        }
        (sampled, counted)
    }

    #[test]
    fn it_holds_its_target_and_the_counts_stay_right_while_the_load_changes() {
        let (adaptive, mut random) = (Adaptive::traces_per_second(50.0), Random::new(1));
        let (mut total, mut counted) = (0, 0.0);
        // After the load went down, the probability goes up slowly.
        for (from, settling, rate) in [(0, 10, 20), (20, 10, 1000), (40, 10, 5000), (60, 40, 200)] {
            let (_, unsettled) = drive(&adaptive, &mut random, (from, settling), rate, 0.0, 1);
            let (sampled, settled) = drive(&adaptive, &mut random, (from + settling, 10), rate, 0.0, 1);
            let expected = rate.min(50) as f64 * 10.0;
            assert!((sampled as f64 - expected).abs() < 0.25 * expected + 20.0, "{sampled} at {rate}/s");
            total += rate * (settling + 10);
            counted += unsettled + settled;
        }
        assert!((counted / total as f64 - 1.0).abs() < 0.1, "{counted} of {total}");
    }

    #[test]
    fn a_burst_is_met_at_once() {
        let (adaptive, mut random) = (Adaptive::traces_per_second(10.0), Random::new(2));
        let (sampled, _) = drive(&adaptive, &mut random, (0, 1), 100_000, 0.0, 1);
        // Ten milliseconds of everything, the rest at the target.
        assert!(sampled < 1200, "{sampled}");
    }

    #[test]
    fn spans_are_counted_by_the_trace() {
        let (adaptive, mut random) = (Adaptive::spans_per_day(100.0 * 86_400.0), Random::new(3));
        drive(&adaptive, &mut random, (0, 20), 500, 0.0, 5);
        let (sampled, _) = drive(&adaptive, &mut random, (20, 20), 500, 0.0, 5);
        let spans = sampled * 5 / 20;
        assert!((75..=125).contains(&spans), "{spans} spans a second");
    }

    #[test]
    fn a_full_queue_lowers_the_probability_to_a_tenth() {
        assert_eq!((relief(0.0), relief(0.5)), (1.0, 1.0));
        assert!((relief(1.0) - 0.1).abs() < 1e-9 && (relief(0.75) - 0.55).abs() < 1e-9);
        let (adaptive, mut random) = (Adaptive::traces_per_second(1e9), Random::new(4));
        drive(&adaptive, &mut random, (0, 3), 1000, 1.0, 1);
        let (sampled, counted) = drive(&adaptive, &mut random, (3, 10), 1000, 1.0, 1);
        assert!((800..1200).contains(&sampled), "{sampled}");
        assert!((counted / 10_000.0 - 1.0).abs() < 0.15, "{counted}");
    }

    #[test]
    fn nothing_is_a_target_too_and_the_highest_probability_holds() {
        let mut random = Random::new(5);
        assert_eq!(drive(&Adaptive::traces_per_second(0.0), &mut random, (0, 3), 100, 0.0, 1).0, 0);
        let half = Adaptive::traces_per_second(1e9).with_max_ratio(0.5);
        let (sampled, _) = drive(&half, &mut random, (0, 10), 1000, 0.0, 1);
        assert!((4700..5300).contains(&sampled), "{sampled}");
    }
}
