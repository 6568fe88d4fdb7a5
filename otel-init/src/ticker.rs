//! Work that comes back once a second, on a thread of its own.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use opentelemetry::Context;

use crate::diagnostics;

const PERIOD: Duration = Duration::from_secs(1);

/// The work ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    _alive: Sender<()>,
}

impl Ticker {
    /// `work` says whether it wants to come back. It records no telemetry.
    pub(crate) fn start(name: &str, mut work: impl FnMut() -> bool + Send + 'static) -> Self {
        let (alive, gone) = mpsc::channel();
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            while gone.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) && work() {}
        });
        if let Err(error) = spawned {
            diagnostics::warn(&format!("the system gives no thread for {name}: {error}"));
        }
        Self { _alive: alive }
    }
}
