//! The runtime that exporting runs on, apart from the application's.
//!
//! It makes exporting independent of the application's runtime, or its absence: nothing deadlocks when the application
//! shuts down on a current-thread runtime. Its threads suppress telemetry, so the HTTP and gRPC clients never report
//! the export itself.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;

use opentelemetry::Context;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use crate::panics::caught;

/// Owns the threads. They stop when this is dropped.
#[derive(Debug)]
pub(crate) struct ExportRuntime {
    // Only `None` during `drop`.
    runtime: Option<Runtime>,
    cut: watch::Sender<bool>,
    entry: RuntimeEntry,
}

/// A way to run a future inside the runtime, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeEntry {
    handle: Handle,
    cut: watch::Receiver<bool>,
}

/// Exporting was ended while, or before, this ran.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut;

impl ExportRuntime {
    pub(crate) fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder
            // Spans and log records are encoded where they end; this one moves bytes.
            .worker_threads(1)
            .thread_name("otel-init-export")
            .enable_io()
            .enable_time()
            // The guard restores the thread's context when dropped; here it must hold for the thread's life.
            .on_thread_start(|| std::mem::forget(Context::enter_telemetry_suppressed_scope()));
        // Where no file can be opened, tokio panics in place of some of its errors.
        let runtime = caught(|| builder.build()).unwrap_or_else(|_| {
            Err(io::Error::other("tokio panicked, as it does without free file descriptors"))
        })?;
        let (cut, receiver) = watch::channel(false);
        let entry = RuntimeEntry { handle: runtime.handle().clone(), cut: receiver };
        Ok(Self { runtime: Some(runtime), cut, entry })
    }

    pub(crate) fn entry(&self) -> &RuntimeEntry {
        &self.entry
    }

    /// Ends every export that is running and refuses the next ones. The threads stop when this is dropped.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }
}

impl Drop for ExportRuntime {
    fn drop(&mut self) {
        self.cut();
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime blocks, which panics inside another runtime.
            runtime.shutdown_background();
        }
    }
}

impl RuntimeEntry {
    /// Runs `future` on the runtime's own threads, until it is done or the runtime ends.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(future));
    }

    /// Runs `build` where it finds this runtime as the current one.
    #[cfg(test)]
    pub(crate) fn enter<T>(&self, build: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        build()
    }

    /// Runs `future` on this thread, which belongs to no runtime.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Whether exporting was ended.
    pub(crate) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    /// Polls `future` with this runtime as the current one, whoever drives it, until it is done or cut.
    pub(crate) async fn run<F: Future>(&self, future: F) -> Result<F::Output, Cut> {
        let mut receiver = self.cut.clone();
        let mut cut = pin!(async move {
            // An error means that the runtime is gone, which is the same.
            let _ = receiver.wait_for(|is_cut| *is_cut).await;
        });
        let mut future = pin!(future);
        poll_fn(|context| {
            // First, because a timer of a stopped runtime panics when it is polled.
            if cut.as_mut().poll(context).is_ready() {
                return std::task::Poll::Ready(Err(Cut));
            }
            let _entered = self.handle.enter();
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cut, ExportRuntime};

    #[test]
    fn timers_work_on_a_thread_without_a_runtime() {
        let runtime = ExportRuntime::start().unwrap();
        let timer = runtime.entry().run(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            1
        });
        assert_eq!(futures_executor::block_on(timer), Ok(1));
    }

    #[test]
    fn its_threads_suppress_telemetry() {
        let runtime = ExportRuntime::start().unwrap();
        let spawned = runtime
            .entry()
            .enter(|| tokio::spawn(async { opentelemetry::Context::is_current_telemetry_suppressed() }));
        assert!(futures_executor::block_on(spawned).unwrap());
    }

    #[test]
    fn a_cut_ends_what_waits_and_what_comes() {
        let runtime = ExportRuntime::start().unwrap();
        let entry = runtime.entry().clone();
        let waiting = std::thread::spawn({
            let entry = entry.clone();
            move || {
                futures_executor::block_on(entry.run(async {
                    tokio::time::sleep(Duration::from_secs(600)).await;
                }))
            }
        });
        drop(runtime);
        assert_eq!(waiting.join().unwrap(), Err(Cut));
        assert_eq!(futures_executor::block_on(entry.run(async {})), Err(Cut));
    }
}
