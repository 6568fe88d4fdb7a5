//! When to try again, and who cannot wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::transport::Retry;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// While somebody waits for a flush or a shutdown, a destination that fails so often has to be given up.
const RETRIES_IN_A_HURRY: u32 = 3;

/// Delays that grow, each between half and all of its length, so that many processes do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    retries: u32,
    delay: Duration,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { retries: 0, delay: FIRST_DELAY }
    }

    /// How long to wait before the next attempt; `None` if there should be none.
    pub(super) fn next(&mut self, retry: Retry, is_urgent: bool) -> Option<Duration> {
        self.retries += 1;
        if retry == Retry::Never || (is_urgent && self.retries > RETRIES_IN_A_HURRY) {
            return None;
        }
        let delay = jittered(self.delay);
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        match retry {
            Retry::After(at_least) => Some(at_least.max(delay)),
            _ => Some(delay),
        }
    }
}

fn jittered(delay: Duration) -> Duration {
    let random = RandomIdGenerator::default().new_span_id().to_bytes()[0];
    delay / 2 + delay / 2 * u32::from(random) / 255
}

/// Whether somebody waits for the end of the exports.
#[derive(Debug, Default)]
pub(crate) struct Urgency {
    waiting: AtomicUsize,
    came: Notify,
}

impl Urgency {
    pub(super) fn is_set(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Resolves when somebody begins to wait, from this call on.
    pub(super) fn came(&self) -> Notified<'_> {
        self.came.notified()
    }

    /// Runs `action` while somebody waits for it.
    pub(crate) fn during<T>(&self, action: impl FnOnce() -> T) -> T {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.came.notify_waiters();
        let result = action();
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::{Backoff, LONGEST_DELAY, Urgency};
    use crate::export::transport::Retry;

    #[test]
    fn delays_grow_within_their_bounds() {
        let mut backoff = Backoff::new();
        let delays: Vec<_> = (0..10).map(|_| backoff.next(Retry::BackOff, false).unwrap()).collect();
        let mut expected = Duration::from_millis(100);
        for delay in delays {
            assert!(delay >= expected / 2 && delay <= expected, "{delay:?} of {expected:?}");
            expected = (expected * 2).min(LONGEST_DELAY);
        }
    }

    #[test]
    fn the_collector_decides_and_nobody_waits_for_ever() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.next(Retry::After(Duration::from_secs(7)), false), Some(Duration::from_secs(7)));
        assert_eq!(backoff.next(Retry::Never, false), None);
        let mut backoff = Backoff::new();
        let retries = (0..10).map_while(|_| backoff.next(Retry::BackOff, true)).count();
        assert_eq!(retries, 3);
    }

    #[test]
    fn who_comes_just_before_the_wait_is_not_missed() {
        let urgency = Urgency::default();
        let mut came = pin!(urgency.came());
        urgency.during(|| ());
        assert!(came.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}
