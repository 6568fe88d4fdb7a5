//! What this crate tells the operator.
//!
//! Everything goes through `tracing` under the target `otel_init`, which the OpenTelemetry layers leave out: a message
//! about a failed export must not be exported. Without any `tracing` subscriber it goes to standard error.

use std::cell::RefCell;
use std::io::Write;

use tracing::dispatcher;
use tracing::subscriber::NoSubscriber;

/// The target of every message of this crate.
pub(crate) const TARGET: &str = "otel_init";

pub(crate) fn warn(message: &str) {
    if has_subscriber() {
        tracing::warn!(target: TARGET, "{message}");
    } else if !is_held(warn, message) {
        to_stderr("warning", message);
    }
}

/// Reports that a trouble warned about is over.
pub(crate) fn info(message: &str) {
    if has_subscriber() {
        tracing::info!(target: TARGET, "{message}");
    } else {
        // Without a subscriber nobody wants it.
        let _ = is_held(info, message);
    }
}

/// Says at the start what goes where. A subscriber of the service's own comes later, so without one it goes where the
/// warnings of the start go.
pub(crate) fn start(message: &str) {
    if has_subscriber() {
        tracing::info!(target: TARGET, "{message}");
    } else {
        to_stderr("info", message);
    }
}

/// A message, and the function that was to say it.
type Said = (fn(&str), String);

thread_local! {
    /// What was said before there was a subscriber, while somebody holds it.
    static HELD: RefCell<Option<Vec<Said>>> = const { RefCell::new(None) };
}

/// Keeps what this thread says while there is no subscriber, and says it when it is dropped.
#[must_use]
pub(crate) struct Held;

pub(crate) fn hold() -> Held {
    HELD.set(Some(Vec::new()));
    Held
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.take().iter().flatten().for_each(|(say, message)| say(message));
    }
}

fn is_held(say: fn(&str), message: &str) -> bool {
    // A thread that ends has none any more.
    let kept =
        HELD.try_with(|held| held.borrow_mut().as_mut().map(|held| held.push((say, message.to_owned()))));
    kept.is_ok_and(|kept| kept.is_some())
}

/// For whoever looks for a mistake.
pub(crate) fn debug(message: &str) {
    if has_subscriber() {
        tracing::debug!(target: TARGET, "{message}");
    }
}

/// Whether this thread has a subscriber. `has_been_set` alone does not say: the one that was set may have been that of
/// another thread.
pub(crate) fn has_subscriber() -> bool {
    dispatcher::has_been_set() && dispatcher::get_default(|current| !current.is::<NoSubscriber>())
}

fn to_stderr(level: &str, message: &str) {
    // Nothing more can be done for the operator if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{TARGET}: {level}: {message}");
}
