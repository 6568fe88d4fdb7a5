//! Flushing and shutting down: on helper threads, within a bound, once.

mod completion;
mod report;
mod signal;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::Context;

pub use report::{FlushReport, ShutdownReport};
pub use signal::shutdown_signal;

use self::completion::Completion;
use crate::error::{FlushError, ShutdownError, SignalFailure};
use crate::pipeline::Outlet;
use crate::pipeline::Pipeline;
use crate::{Health, Signal};

pub(crate) type ShutdownResult = Result<ShutdownReport, ShutdownError>;
pub(crate) type Flushed = Completion<Result<FlushReport, FlushError>>;
type Attempt = fn(&Outlet, Duration) -> Result<(), SignalFailure>;

/// A machine that stands still for some seconds is as late for both bounds.
const LEEWAY: Duration = Duration::from_secs(30);

/// A pipeline with an end.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    pub(crate) pipeline: Pipeline,
    timeout: Duration,
    is_shutdown_begun: AtomicBool,
    shutdown: Completion<ShutdownResult>,
}

impl Lifecycle {
    pub(crate) fn new(pipeline: Pipeline, timeout: Duration) -> Self {
        Self { pipeline, timeout, is_shutdown_begun: AtomicBool::new(false), shutdown: Completion::new() }
    }

    /// Begins a flush; the result comes within the bound. After a shutdown it is what that could not deliver.
    pub(crate) fn begin_flush(self: &Arc<Self>) -> Arc<Flushed> {
        let completion = Arc::new(Completion::new());
        let (lifecycle, flushed) = (Arc::clone(self), Arc::clone(&completion));
        on_helper_thread("otel-init-flush", move || {
            let start = Instant::now();
            let failures = if lifecycle.is_shutdown_begun() {
                lifecycle.shutdown.wait().err().map(|error| error.failures).unwrap_or_default()
            } else {
                lifecycle.flush_all()
            };
            let health = Health::of(&lifecycle.pipeline);
            flushed.complete(if failures.is_empty() {
                Ok(FlushReport { health, elapsed: start.elapsed() })
            } else {
                Err(FlushError { failures, health: Box::new(health) })
            });
        });
        completion
    }

    /// Begins the shutdown if nobody did; the result comes within the bound, the same for everyone.
    pub(crate) fn begin_shutdown(self: &Arc<Self>) -> &Completion<ShutdownResult> {
        if !self.is_shutdown_begun.swap(true, Ordering::AcqRel) {
            let lifecycle = Arc::clone(self);
            on_helper_thread("otel-init-shutdown", move || {
                let result = lifecycle.run_shutdown();
                lifecycle.shutdown.complete(result);
            });
        }
        &self.shutdown
    }

    /// Whether someone asked for a shutdown before.
    pub(crate) fn is_shutdown_begun(&self) -> bool {
        self.is_shutdown_begun.load(Ordering::Acquire)
    }

    fn run_shutdown(&self) -> ShutdownResult {
        let start = Instant::now();
        let outlets = &self.pipeline.outlets;
        self.pipeline.stop_recording();
        outlets.iter().for_each(|outlet| outlet.monitor.shutting_down(start + self.timeout));
        // Metrics come last if there is time: the SDK counts what the other signals sent.
        let numbered = outlets.iter().cloned().enumerate();
        let (metrics, others): (Vec<_>, Vec<_>) =
            numbered.partition(|(_, outlet)| outlet.signal() == Signal::Metrics);
        let (done, pending) = mpsc::channel();
        let others_count = others.len();
        // Longer than anyone waits for it, so that the message for a missing answer is always ours.
        let patience = self.timeout + LEEWAY;
        start_attempts(others, patience, Outlet::shutdown, &done);
        let half = self.timeout / 2;
        let mut outcomes = collect(&pending, others_count, start + half);
        start_attempts(metrics, patience, Outlet::shutdown, &done);
        drop(done);
        let missing = outlets.len() - outcomes.len();
        outcomes.extend(collect(&pending, missing, start + self.timeout));
        let failures = self.failures(outlets, &outcomes);
        self.pipeline.cut();
        let failures: Vec<_> = outlets
            .iter()
            .zip(failures)
            .filter_map(|(outlet, failure)| failure.or_else(|| outlet.left_behind()))
            .collect();
        outlets.iter().for_each(Outlet::close);
        let health = Health::of(&self.pipeline);
        if failures.is_empty() {
            let mut signals: Vec<_> = outlets.iter().map(Outlet::signal).collect();
            signals.dedup();
            Ok(ShutdownReport { signals, health, elapsed: start.elapsed() })
        } else {
            Err(ShutdownError { failures, health: Box::new(health) })
        }
    }

    /// All signals at the same time, so that one dead destination does not take the others' time.
    fn flush_all(&self) -> Vec<SignalFailure> {
        let deadline = Instant::now() + self.timeout;
        let outlets = &self.pipeline.outlets;
        self.pipeline.sampling.flush();
        let (done, pending) = mpsc::channel();
        let numbered = outlets.iter().cloned().enumerate().collect();
        start_attempts(numbered, self.timeout, Outlet::flush, &done);
        drop(done);
        self.failures(outlets, &collect(&pending, outlets.len(), deadline)).into_iter().flatten().collect()
    }

    /// The failure of each outlet, if it has one: also of those without an outcome yet.
    fn failures(&self, outlets: &[Outlet], outcomes: &[Outcome]) -> Vec<Option<SignalFailure>> {
        outlets
            .iter()
            .enumerate()
            .map(|(index, outlet)| match outcomes.iter().find(|(done, _)| *done == index) {
                Some((_, result)) => result.clone().err(),
                None => Some(outlet.unanswered(&format!("within {:?}", self.timeout))),
            })
            .collect()
    }
}

/// The place of an outlet among all, and how it went.
type Outcome = (usize, Result<(), SignalFailure>);

fn start_attempts(
    outlets: Vec<(usize, Outlet)>,
    timeout: Duration,
    attempt: Attempt,
    done: &mpsc::Sender<Outcome>,
) {
    for (index, outlet) in outlets {
        let done = done.clone();
        on_helper_thread("otel-init-signal", move || {
            let result = attempt(&outlet, timeout);
            // Nobody listens after the deadline.
            let _ = done.send((index, result));
        });
    }
}

/// Up to `count` outcomes, as they come, until the deadline.
fn collect(pending: &mpsc::Receiver<Outcome>, count: usize, deadline: Instant) -> Vec<Outcome> {
    let next = |_| pending.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
    (0..count).map_while(next).collect()
}

/// Runs `work` on a thread of its own that records no telemetry, or here if the system gives no thread.
fn on_helper_thread(name: &str, work: impl Fn() + Send + Sync + 'static) {
    let work = Arc::new(work);
    let on_thread = Arc::clone(&work);
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        on_thread();
    });
    if spawned.is_err() {
        work();
    }
}
