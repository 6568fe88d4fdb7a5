//! A panic on the span it happened in.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Weak};
use std::thread;

use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use crate::shutdown::Lifecycle;

/// Puts a hook before the one that is set, which runs as before. It does nothing once the guard is gone.
pub(crate) fn install(lifecycle: &Arc<Lifecycle>) {
    let lifecycle = Arc::downgrade(lifecycle);
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        record(info);
        flush(&lifecycle);
        previous(info);
    }));
}

fn record(info: &PanicHookInfo<'_>) {
    let context = Context::current();
    let span = context.span();
    if !span.is_recording() {
        return;
    }
    let payload = info.payload();
    let text =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("a panic without a text").to_owned();
    let mut attributes =
        vec![KeyValue::new("exception.type", "panic"), KeyValue::new("exception.message", message.clone())];
    let backtrace = Backtrace::capture();
    let stacktrace = match (info.location(), backtrace.status()) {
        (_, BacktraceStatus::Captured) => Some(backtrace.to_string()),
        (Some(location), _) => Some(location.to_string()),
        (None, _) => None,
    };
    attributes.extend(stacktrace.map(|stacktrace| KeyValue::new("exception.stacktrace", stacktrace)));
    span.add_event("exception", attributes);
    span.set_status(Status::error(message));
}

/// Sends what is finished. A panic of the main thread ends the process soon, so that thread waits; the others go on.
fn flush(lifecycle: &Weak<Lifecycle>) {
    let Some(lifecycle) = lifecycle.upgrade() else {
        return;
    };
    if lifecycle.is_shutdown_begun() {
        return;
    }
    let flushed = lifecycle.begin_flush();
    if thread::current().name() == Some("main") {
        // What could not be delivered is told by the shutdown.
        let _ = flushed.wait();
    }
}
