//! A panic on the span it happened in, and as a log record.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use super::log::{Panic, PanicLog};
use crate::shutdown::{Flushed, Lifecycle};

/// Puts a hook before the one that is set, which runs as before. It does nothing once the guard is gone.
pub(crate) fn install(lifecycle: &Arc<Lifecycle>) {
    let lifecycle = Arc::downgrade(lifecycle);
    let log = PanicLog::start(Weak::clone(&lifecycle));
    let previous = panic::take_hook();
    let last = Mutex::new(None);
    panic::set_hook(Box::new(move |info| {
        let ends = ends_the_process(thread::current().name(), cfg!(panic = "abort"));
        record(info, ends, log.as_ref());
        flush(&lifecycle, ends, &last);
        previous(info);
    }));
}

fn record(info: &PanicHookInfo<'_>, ends_the_process: bool, log: Option<&PanicLog>) {
    let payload = info.payload();
    let text =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("a panic without a text").to_owned();
    let attributes = attributes(info, message.clone());
    let context = Context::current();
    let span = context.span();
    if span.is_recording() {
        span.add_event("exception", attributes.clone());
        span.set_status(Status::error(message.clone()));
    }
    if let Some(log) = log {
        let body = match info.location() {
            Some(location) => format!("panicked at {location}: {message}"),
            None => format!("panicked: {message}"),
        };
        log.tell(Panic { body, attributes, span: span.span_context().clone(), ends_the_process });
    }
}

/// <https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/>
fn attributes(info: &PanicHookInfo<'_>, message: String) -> Vec<KeyValue> {
    let backtrace = Backtrace::capture();
    let stacktrace = match (info.location(), backtrace.status()) {
        (_, BacktraceStatus::Captured) => Some(backtrace.to_string()),
        (Some(location), _) => Some(location.to_string()),
        (None, _) => None,
    };
    let mut attributes =
        vec![KeyValue::new("exception.type", "panic"), KeyValue::new("exception.message", message)];
    attributes.extend(stacktrace.map(|stacktrace| KeyValue::new("exception.stacktrace", stacktrace)));
    attributes.extend(thread::current().name().map(|name| KeyValue::new("thread.name", name.to_owned())));
    attributes
}

/// The last flush for a thread that goes on.
type Last = Mutex<Option<Arc<Flushed>>>;

/// Sends what is finished. A panic that ends the process waits for that; the other threads go on. They may panic with each
/// request while the collector is away: one flush is under way for all of them.
fn flush(lifecycle: &Weak<Lifecycle>, ends_the_process: bool, last: &Last) {
    let Some(lifecycle) = lifecycle.upgrade() else {
        return;
    };
    if lifecycle.is_shutdown_begun() {
        return;
    }
    if ends_the_process {
        // What could not be delivered is told by the shutdown.
        let _ = lifecycle.begin_flush().wait();
        return;
    }
    // Who holds it begins one.
    if let Ok(mut last) = last.try_lock()
        && last.as_ref().is_none_or(|flushed| flushed.is_complete())
    {
        *last = Some(lifecycle.begin_flush());
    }
}

/// A panic of the main thread does, soon, and one of any thread where panics abort, as soon as the hooks have run.
fn ends_the_process(thread: Option<&str>, aborts: bool) -> bool {
    aborts || thread == Some("main")
}

#[cfg(test)]
mod tests {
    use super::ends_the_process;

    #[test]
    fn where_panics_abort_each_of_them_is_the_last() {
        for (thread, aborts, expected) in [
            (Some("main"), false, true),
            (Some("tokio-runtime-worker"), false, false),
            (None, false, false),
            (Some("tokio-runtime-worker"), true, true),
            (None, true, true),
        ] {
            assert_eq!(ends_the_process(thread, aborts), expected, "{thread:?} {aborts}");
        }
    }
}
