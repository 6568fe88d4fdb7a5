//! What is logged after the guard was dropped.
//!
//! `let _ = Telemetry::builder().install()?;` compiles without a warning, and drops the guard at once. Nothing would tell why
//! the collector gets nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::diagnostics;

/// Whether there is something to tell. A process has one guard.
static IS_DUE: AtomicBool = AtomicBool::new(false);

/// The guard was dropped, and nobody had asked for a shutdown.
pub(crate) fn guard_dropped() {
    IS_DUE.store(true, Ordering::Relaxed);
}

/// Tells once that an event came too late.
pub(crate) struct Late;

impl<S: Subscriber> Layer<S> for Late {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        if IS_DUE.load(Ordering::Relaxed) && IS_DUE.swap(false, Ordering::Relaxed) {
            diagnostics::warn(
                "the telemetry ended when the guard of `install()` was dropped, and nothing is exported any more: keep it \
                 until the service ends, as in `let telemetry = ..`; `let _ = ..` drops it at once",
            );
        }
    }
}
