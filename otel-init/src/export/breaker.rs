//! A pause after repeated failure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many exports in a row must fail.
const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether a destination is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitState {
    /// Exports are sent.
    Closed,
    /// After repeated failure, or because the collector asked for it, nothing is sent for a while. Spans and log records
    /// wait: what comes finds room up to a quarter of that of [`Queue::Encoded`](crate::Queue::Encoded), or goes to the disk.
    /// What leaves another queue meanwhile, and data points, wait up to 16 MiB, of which the oldest give way.
    Open,
    /// The pause is over: the next export is an attempt, which decides.
    HalfOpen,
}

/// The circuit breaker of one destination.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug)]
struct State {
    failures: u32,
    pause: Duration,
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { failures: 0, pause: FIRST_PAUSE, open_until: None }))
    }

    pub(super) fn state(&self, now: Instant) -> CircuitState {
        match self.lock().open_until {
            None => CircuitState::Closed,
            Some(until) if now < until => CircuitState::Open,
            Some(_) => CircuitState::HalfOpen,
        }
    }

    pub(super) fn succeeded(&self) {
        *self.lock() = State { failures: 0, pause: FIRST_PAUSE, open_until: None };
    }

    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.lock();
        let was_probe = state.open_until.is_some();
        state.failures = state.failures.saturating_add(1);
        if was_probe || state.failures >= FAILURES {
            state.open_until = Some(now + state.pause);
            state.pause = (state.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The collector wants to be left alone for so long.
    pub(super) fn pause(&self, now: Instant, pause: Duration) {
        self.lock().open_until = Some(now + pause.min(LONGEST_PAUSE));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Breaker, CircuitState, FAILURES, FIRST_PAUSE, LONGEST_PAUSE};

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_a_success() {
        let breaker = Breaker::new();
        let start = Instant::now();
        for _ in 1..FAILURES {
            breaker.failed(start);
        }
        assert_eq!(breaker.state(start), CircuitState::Closed);
        breaker.succeeded();
        for _ in 1..FAILURES {
            breaker.failed(start);
        }
        assert_eq!(breaker.state(start), CircuitState::Closed);
        breaker.failed(start);
        assert_eq!(breaker.state(start), CircuitState::Open);
        let later = start + FIRST_PAUSE;
        assert_eq!(breaker.state(later), CircuitState::HalfOpen);
        breaker.failed(later);
        assert_eq!(breaker.state(later + FIRST_PAUSE), CircuitState::Open, "the second pause is longer");
        assert_eq!(breaker.state(later + FIRST_PAUSE * 2), CircuitState::HalfOpen);
        breaker.succeeded();
        assert_eq!(breaker.state(later), CircuitState::Closed);
    }

    #[test]
    fn pauses_are_bounded_and_follow_the_collector() {
        let breaker = Breaker::new();
        let start = Instant::now();
        for _ in 0..100 {
            breaker.failed(start);
        }
        assert_eq!(breaker.state(start + LONGEST_PAUSE), CircuitState::HalfOpen);
        breaker.succeeded();
        breaker.pause(start, Duration::from_secs(10));
        assert_eq!(breaker.state(start + Duration::from_secs(9)), CircuitState::Open);
        assert_eq!(breaker.state(start + Duration::from_secs(10)), CircuitState::HalfOpen);
        breaker.pause(start, Duration::from_secs(100_000));
        assert_eq!(breaker.state(start + LONGEST_PAUSE), CircuitState::HalfOpen);
    }
}
