//! Waiting for a condition, with a bound.

use std::fmt;
use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::deadline::deadline;

const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// What [`eventually`] waits for: `true`, a value, or a value where there was a reason why not.
pub trait Condition {
    /// What is returned once it holds.
    type Value;

    /// The value, if the condition holds; if not, why, for the message of the failure. The reason may be empty.
    ///
    /// # Errors
    ///
    /// When it does not hold.
    fn into_result(self) -> Result<Self::Value, String>;
}

impl Condition for bool {
    type Value = ();

    fn into_result(self) -> Result<(), String> {
        self.then_some(()).into_result()
    }
}

impl<T> Condition for Option<T> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.ok_or_else(String::new)
    }
}

impl<T, E: fmt::Display> Condition for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, String> {
        self.map_err(|reason| reason.to_string())
    }
}

/// Waits until `condition` returns `true`, `Some(value)` or `Ok(value)`. Works on every executor, also on tokio with its clock
/// paused.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::time::Duration;
/// let (sender, receiver) = std::sync::mpsc::channel();
/// std::thread::spawn(move || sender.send(7));
/// let value = otel_testing::eventually(Duration::from_secs(5), || receiver.try_recv().ok()).await;
/// assert_eq!(value, 7);
/// # });
/// ```
///
/// # Panics
///
/// When it has not by the end of `timeout`, naming the line of the call, and the last error that the condition returned:
///
/// ```should_panic
/// # use otel_testing::TestTelemetry;
/// # let telemetry = TestTelemetry::new();
/// let one_span = || if telemetry.spans().len() == 1 { Ok(()) } else { Err(telemetry.tree()) };
/// otel_testing::eventually_blocking(std::time::Duration::from_millis(10), one_span);
/// ```
#[track_caller]
pub fn eventually<C: Condition>(
    timeout: Duration,
    mut condition: impl FnMut() -> C,
) -> impl Future<Output = C::Value> {
    let caller = Location::caller();
    async move {
        if let Ok(value) = condition().into_result() {
            return value;
        }
        let mut ticks = ticks(timeout);
        while ticks.recv().await.is_some() {
            if let Ok(value) = condition().into_result() {
                return value;
            }
        }
        match condition().into_result() {
            Ok(value) => value,
            Err(reason) => give_up(timeout, caller, &reason),
        }
    }
}

/// As [`eventually`], for code that is not async.
///
/// # Panics
///
/// When the condition does not hold by the end of `timeout`.
#[track_caller]
pub fn eventually_blocking<C: Condition>(timeout: Duration, mut condition: impl FnMut() -> C) -> C::Value {
    let deadline = deadline(timeout);
    loop {
        match condition().into_result() {
            Ok(value) => return value,
            Err(reason) if Instant::now() >= deadline => give_up(timeout, Location::caller(), &reason),
            Err(_) => thread::sleep(POLL_INTERVAL),
        }
    }
}

/// Ticks of a thread, not of tokio: a timer of the runtime under test may be paused or not there at all.
fn ticks(timeout: Duration) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    let deadline = deadline(timeout);
    thread::spawn(move || {
        while Instant::now() < deadline && !sender.is_closed() {
            thread::sleep(POLL_INTERVAL);
            // Full means that the last tick was not seen yet; then this one is not needed.
            let _ = sender.try_send(());
        }
    });
    receiver
}

#[expect(clippy::panic, reason = "this is a test assertion")]
fn give_up(timeout: Duration, caller: &Location<'_>, reason: &str) -> ! {
    let because = if reason.is_empty() { "" } else { ": " };
    panic!("the condition at {caller} did not hold within {timeout:?}{because}{reason}")
}
