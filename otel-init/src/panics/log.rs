//! Panics as log records.
//!
//! A thread of its own writes them. The one that panicked may hold any lock, and a second panic inside of the hook, by a rule
//! of the redaction for instance, would abort the process.

use std::sync::Weak;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::SpanContext;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::SdkLoggerProvider;

use crate::shutdown::Lifecycle;

/// Its own panics are not written: each would make the next.
const THREAD: &str = "otel-init-panic";

/// More at once are not written.
const MOST_WAITING: usize = 64;

/// As long as a panic waits at most until it is written: its thread may hold what the writer needs.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is told of one panic.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) body: String,
    /// `exception.*`.
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) span: SpanContext,
    pub(crate) ends_the_process: bool,
}

/// The way to the thread. The second half says that the record is in the queue.
pub(crate) struct PanicLog(SyncSender<(Panic, SyncSender<()>)>);

impl PanicLog {
    /// None if the system gives no thread: the panic is on its span and on standard error then.
    pub(crate) fn start(lifecycle: Weak<Lifecycle>) -> Option<Self> {
        let (sender, receiver) = sync_channel(MOST_WAITING);
        thread::Builder::new().name(THREAD.to_owned()).spawn(move || run(&lifecycle, &receiver)).ok()?;
        Some(Self(sender))
    }

    /// Writes a record, so that it is there for the flush that follows, and before a shutdown that does.
    pub(crate) fn tell(&self, panic: Panic) {
        // What the export does is no telemetry, and what fails in there is counted.
        if thread::current().name() == Some(THREAD) || Context::current().is_telemetry_suppressed() {
            return;
        }
        let (done, written) = sync_channel(1);
        if self.0.try_send((panic, done)).is_ok() {
            // Late or never: there is nothing more to do about it.
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

fn run(lifecycle: &Weak<Lifecycle>, panics: &Receiver<(Panic, SyncSender<()>)>) {
    for (panic, done) in panics {
        let Some(lifecycle) = lifecycle.upgrade() else { return };
        otel_core::call_hook(|| write(&lifecycle.pipeline.logger_provider, panic), ());
        // Nobody waits any more if it took long.
        let _ = done.try_send(());
    }
}

fn write(provider: &SdkLoggerProvider, panic: Panic) {
    let severity = if panic.ends_the_process { Severity::Fatal } else { Severity::Error };
    let logger = provider.logger("otel-init");
    let mut record = logger.create_log_record();
    record.set_severity_number(severity);
    record.set_severity_text(severity.name());
    record.set_timestamp(SystemTime::now());
    record.set_body(panic.body.into());
    let attributes = panic.attributes.into_iter();
    record.add_attributes(attributes.map(|kv| (kv.key, AnyValue::from(kv.value.as_str().into_owned()))));
    if panic.span.is_valid() {
        record.set_trace_context(panic.span.trace_id(), panic.span.span_id(), Some(panic.span.trace_flags()));
    }
    logger.emit(record);
}
