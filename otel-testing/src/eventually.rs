use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::deadline::deadline;

const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// What [`eventually`] waits for: `true`, or a value.
pub trait Condition {
    /// What is returned once it holds.
    type Value;

    /// The value, if the condition holds.
    fn into_value(self) -> Option<Self::Value>;
}

impl Condition for bool {
    type Value = ();

    fn into_value(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Condition for Option<T> {
    type Value = T;

    fn into_value(self) -> Option<T> {
        self
    }
}

/// Waits until `condition` returns `true` or `Some(value)`. Works on every executor, also on tokio with its clock paused.
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
/// When it has not by the end of `timeout`, naming the line of the call.
#[track_caller]
pub fn eventually<C: Condition>(
    timeout: Duration,
    mut condition: impl FnMut() -> C,
) -> impl Future<Output = C::Value> {
    let caller = Location::caller();
    async move {
        if let Some(value) = condition().into_value() {
            return value;
        }
        let mut ticks = ticks(timeout);
        while ticks.recv().await.is_some() {
            if let Some(value) = condition().into_value() {
                return value;
            }
        }
        match condition().into_value() {
            Some(value) => value,
            None => give_up(timeout, caller),
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
        if let Some(value) = condition().into_value() {
            return value;
        }
        if Instant::now() >= deadline {
            give_up(timeout, Location::caller());
        }
        thread::sleep(POLL_INTERVAL);
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
fn give_up(timeout: Duration, caller: &Location<'_>) -> ! {
    panic!("the condition at {caller} did not hold within {timeout:?}")
}
