//! What became of the exports of one signal, and the one line the operator gets when they fail.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::advice::{advice, of_own, of_running_disk};
use super::breaker::{Breaker, CircuitState};
use super::encoded::TOO_LARGE;
use super::message::Rejected;
use super::retry::Urgency;
use super::tally::Tally;
use super::warnings::Warnings;
use crate::config::OtlpConfig;
use crate::error::SignalFailure;
use crate::{Protocol, Signal, diagnostics};

/// Watches the exports of one signal to one destination.
#[derive(Debug)]
pub(crate) struct Monitor {
    signal: Signal,
    endpoint: String,
    authority: String,
    kind: &'static str,
    advice: fn(&str) -> &'static str,
    warnings: Arc<Warnings>,
    failed_exports: AtomicU64,
    /// Why the last export failed; `None` after one that worked.
    last_cause: Mutex<Option<LastCause>>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) urgency: Urgency,
    pub(super) breaker: Breaker,
    /// When the shutdown gives up, once it has begun.
    shutdown_ends: OnceLock<Instant>,
    /// Sends what waits on disk.
    drain: OnceLock<Drain>,
}

/// Why an export failed, and where what it was about is kept, if it is.
#[derive(Debug)]
struct LastCause {
    text: String,
    kept: Option<&'static str>,
}

const ON_DISK: Option<&str> = Some("on disk");
const IN_MEMORY: Option<&str> = Some("in memory");
/// What is told of a request that was still on its way when the time of the shutdown was up.
const CUT: &str = "the collector did not answer by the end of the shutdown";

struct Drain(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Drain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Drain")
    }
}

/// How a destination is called.
#[derive(Debug)]
pub(super) struct Target {
    /// Without credentials.
    shown: String,
    /// Destinations that share it share their warnings.
    authority: String,
    kind: &'static str,
    /// What to do about a cause.
    advice: fn(&str) -> &'static str,
}

impl Target {
    pub(super) fn of(otlp: &OtlpConfig) -> Self {
        let (shown, authority) = (otlp.endpoint.shown(), otlp.endpoint.authority());
        let kind = match otlp.protocol {
            Protocol::Grpc => "otlp_grpc",
            Protocol::HttpProtobuf => "otlp_http",
            Protocol::HttpJson => "otlp_http_json",
        };
        Self { shown: shown.to_owned(), authority: authority.to_owned(), kind, advice }
    }

    pub(super) fn standard_output() -> Self {
        Self { advice, ..Self::own("standard output") }
    }

    /// An exporter of the user's.
    pub(super) fn own(name: &str) -> Self {
        Self { shown: name.to_owned(), authority: name.to_owned(), kind: "otel_init", advice: of_own }
    }
}

impl Monitor {
    pub(super) fn new(signal: Signal, target: Target, warnings: Arc<Warnings>) -> Self {
        Self {
            signal,
            endpoint: target.shown,
            authority: target.authority,
            kind: target.kind,
            advice: target.advice,
            warnings,
            failed_exports: AtomicU64::new(0),
            last_cause: Mutex::new(None),
            tally: Arc::default(),
            urgency: Urgency::default(),
            breaker: Breaker::new(),
            shutdown_ends: OnceLock::new(),
            drain: OnceLock::new(),
        }
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// How the exporter is called in the conventions, without the signal: `otlp_grpc`.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn circuit(&self) -> CircuitState {
        self.breaker.state(Instant::now())
    }

    /// Whether nothing is sent for now.
    pub(super) fn is_paused(&self) -> bool {
        self.circuit() == CircuitState::Open
    }

    /// Sends what waits on disk, which the SDK knows nothing of. Blocks.
    pub(crate) fn drain(&self) {
        if let Some(Drain(drain)) = self.drain.get() {
            drain();
        }
    }

    pub(super) fn drain_with(&self, drain: impl Fn() + Send + Sync + 'static) {
        // Once, by the one sender.
        let _ = self.drain.set(Drain(Box::new(drain)));
    }

    /// The shutdown has begun, and waits until then.
    pub(crate) fn shutting_down(&self, until: Instant) {
        // There is one.
        let _ = self.shutdown_ends.set(until);
    }

    /// How many exports have failed so far.
    pub(crate) fn failed_exports(&self) -> u64 {
        self.failed_exports.load(Ordering::Acquire)
    }

    /// A failure of this signal, for the reason given or, better, for the reason the last export failed for.
    pub(crate) fn failure(&self, otherwise: &str) -> SignalFailure {
        // What waits in memory is lost with the shutdown.
        let is_lost = |kept| kept == IN_MEMORY && self.shutdown_ends.get().is_some();
        let cause = match &*self.cause() {
            Some(LastCause { text, kept: kept @ Some(place) }) if !is_lost(*kept) => {
                format!("{text} (kept {place})")
            }
            Some(LastCause { text, .. }) => text.clone(),
            None => otherwise.to_owned(),
        };
        SignalFailure { signal: self.signal, endpoint: self.endpoint.clone(), cause }
    }

    pub(super) fn last_cause(&self) -> Option<String> {
        self.cause().as_ref().map(|cause| cause.text.clone())
    }

    /// Why an export failed that the shutdown has cut. What was wrong before says more than that time was up, and was told.
    pub(super) fn why_cut(&self) -> String {
        self.last_cause().unwrap_or_else(|| CUT.to_owned())
    }

    pub(super) fn succeeded(&self, items: u64, rejected: u64) {
        self.tally.exported(items, rejected);
        let was_failing = self.cause().take().is_some();
        if was_failing && self.warnings.recovered(&self.authority) {
            diagnostics::info(&format!("exporting {} to {} works again", self.signal, self.endpoint));
        }
    }

    pub(super) fn failed(&self, items: u64, cause: &str) {
        self.tally.failed(items, cause);
        self.failed_for(cause, None);
        let effect = match self.shutdown_ends.get() {
            Some(_) => {
                let number = Number::of(items);
                format!("The service is shutting down: {items} {} {} lost", number.items, number.are)
            }
            None if cause.ends_with(TOO_LARGE) => "It is lost, and others are not".to_owned(),
            None => "The service goes on, but its telemetry is lost until this works".to_owned(),
        };
        self.warn_failing(cause, &effect);
    }

    /// What could not be delivered waits to be sent again.
    pub(super) fn kept_in_memory(&self, cause: &str) {
        self.failed_for(cause, IN_MEMORY);
        let left = self.shutdown_ends.get().map(|end| end.saturating_duration_since(Instant::now()));
        self.warn_failing(cause, &effect_of_waiting(left));
    }

    /// What waited to be sent again is not.
    pub(super) fn given_up(&self, items: u64, cause: &str) {
        self.tally.taken(items);
        self.failed(items, cause);
    }

    fn warn_failing(&self, cause: &str, effect: &str) {
        if self.warnings.may_warn(&self.authority, cause, Instant::now()) {
            diagnostics::warn(&format!(
                "cannot export {} to {}: {cause}. {effect}: {}. This message comes at most once a minute.",
                self.signal,
                self.endpoint,
                (self.advice)(cause)
            ));
        }
    }

    /// The user's exporter did not end as it should: upstream's processors keep that to themselves.
    pub(super) fn ended_badly(&self, cause: &str) {
        self.failed_for(cause, None);
    }

    /// A request on disk was refused for good.
    pub(super) fn failed_on_disk(&self, items: u64, cause: &str) {
        self.tally.sent_from_disk(items);
        self.failed(items, cause);
    }

    /// What could not be delivered stays on disk.
    pub(super) fn postponed(&self, cause: &str) {
        self.tally.postponed(cause);
        self.failed_for(cause, ON_DISK);
        self.warn_failing(cause, "It is kept on disk and sent when this works, by this process or the next");
    }

    pub(super) fn warn_disk(&self, folder: &Path, cause: &str) {
        if self.warnings.may_warn("disk", cause, Instant::now()) {
            let folder = folder.display();
            diagnostics::warn(&format!(
                "the disk buffer {folder} does not take {}: {cause}. They are sent from memory until it does: {}.",
                self.signal,
                of_running_disk(cause)
            ));
        }
    }

    /// What was sent stays in the folder.
    pub(super) fn warn_disk_keeps(&self, folder: &Path, cause: &str) {
        if self.warnings.may_warn("disk, sent", cause, Instant::now()) {
            let folder = folder.display();
            diagnostics::warn(&format!(
                "the disk buffer {folder} does not let go of {} that were sent: {cause}. Let this service write there, or \
                 they are sent once more when it starts again.",
                self.signal
            ));
        }
    }

    /// Somebody else has deleted files, or damaged them.
    pub(super) fn missing_on_disk(&self, count: u64, folder: &Path) {
        self.tally.lost_from_disk(count);
        let Number { items, were, are } = Number::of(count);
        diagnostics::warn(&format!(
            "{count} {items} of {} that {were} kept on disk {are} lost: their files are gone or damaged, in {}. Let nobody but this \
             service write there",
            self.signal,
            folder.display()
        ));
    }

    /// The collector took the request, but not all of it, or has something to say about it.
    pub(super) fn warn_rejected(&self, rejected: &Rejected, items: u64) {
        let Some(what) = verdict(self.signal, rejected, items) else { return };
        let message = &rejected.message;
        // Apart from its failures: what it says may differ each time.
        let place = format!("{}, what it took", self.authority);
        if self.warnings.may_warn(&place, message, Instant::now()) {
            let why = if message.is_empty() { String::new() } else { format!(": {message:?}") };
            diagnostics::warn(&format!(
                "the collector at {} {what}{why}; see its log for more",
                self.endpoint
            ));
        }
    }

    fn failed_for(&self, cause: &str, kept: Option<&'static str>) {
        *self.cause() = Some(LastCause { text: cause.to_owned(), kept });
        self.failed_exports.fetch_add(1, Ordering::Release);
    }

    fn cause(&self) -> MutexGuard<'_, Option<LastCause>> {
        self.last_cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the collector did with the items that are to be counted, if it is worth a warning.
fn verdict(signal: Signal, rejected: &Rejected, items: u64) -> Option<String> {
    let count = rejected.count.min(items);
    match (count, rejected.count) {
        // "partial_success.error_message ... can also be used for warnings without rejected items".
        (0, 0) => (!rejected.message.is_empty()).then(|| format!("took {signal}, with a warning")),
        // They made room on disk meanwhile, and were told as lost by that.
        (0, _) => None,
        _ => Some(format!("rejected {count} of {items} in {signal}, which {} lost", Number::of(count).are)),
    }
}

/// What becomes of what waits in memory, where a shutdown leaves it this long.
fn effect_of_waiting(left: Option<Duration>) -> String {
    match left {
        Some(left) if left < Duration::from_millis(100) => {
            "The service is shutting down: what was not sent is lost".to_owned()
        }
        Some(left) => format!("The service is shutting down: what is not sent within {left:.1?} is lost"),
        None => "The service goes on, and its telemetry waits in memory while there is room".to_owned(),
    }
}

/// The words for one, or for many.
struct Number {
    items: &'static str,
    were: &'static str,
    are: &'static str,
}

impl Number {
    fn of(count: u64) -> Self {
        match count {
            1 => Self { items: "item", were: "was", are: "is" },
            _ => Self { items: "items", were: "were", are: "are" },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::{CUT, Monitor, Number, Rejected, Target, advice, effect_of_waiting, verdict};
    use crate::Signal;

    #[test]
    fn an_export_that_the_shutdown_cuts_fails_for_what_was_wrong_before() {
        let monitor = Monitor::new(Signal::Traces, Target::own("a:1"), Arc::default());
        assert_eq!(monitor.why_cut(), CUT);
        monitor.tally.collected(3);
        monitor.failed(1, "refused");
        assert_eq!(monitor.why_cut(), "refused");
        let may_warn = monitor.warnings.may_warn("a:1", &monitor.why_cut(), Instant::now());
        assert!(!may_warn, "it was told");
        monitor.succeeded(1, 0);
        assert_eq!(monitor.why_cut(), CUT);
    }

    #[test]
    fn a_shutdown_that_was_cut_is_told_as_a_collector_that_does_not_answer_and_without_time_left() {
        assert!(advice(CUT).starts_with("the collector has too much to do"), "{}", advice(CUT));
        let told = |left| effect_of_waiting(Some(left));
        assert_eq!(told(Duration::ZERO), "The service is shutting down: what was not sent is lost");
        let is_told = "The service is shutting down: what is not sent within 4.4s is lost";
        assert_eq!(told(Duration::from_millis(4400)), is_told);
    }

    #[test]
    fn a_rejection_of_what_is_counted_elsewhere_is_no_warning_about_what_was_taken() {
        let told = |count, message: &str, items| {
            verdict(Signal::Traces, &Rejected { count, message: message.to_owned() }, items)
        };
        assert_eq!(told(0, "", 3), None);
        assert_eq!(told(0, "expires", 3).as_deref(), Some("took traces, with a warning"));
        assert_eq!(told(1, "", 3).as_deref(), Some("rejected 1 of 3 in traces, which is lost"));
        assert_eq!(told(9, "", 3).as_deref(), Some("rejected 3 of 3 in traces, which are lost"));
        assert_eq!([told(2, "", 0), told(2, "no room", 0)], [None, None]);
    }

    #[test]
    fn one_is_lost_and_many_are() {
        let told = |count| {
            let Number { items, were, are } = Number::of(count);
            format!("{count} {items} that {were} there {are} lost")
        };
        assert_eq!(told(1), "1 item that was there is lost");
        assert_eq!([told(0), told(2)], [0, 2].map(|count| format!("{count} items that were there are lost")));
    }

    #[test]
    fn what_is_kept_on_disk_is_told_as_such_and_its_cause_is_no_other_one() {
        let monitor = Monitor::new(Signal::Traces, Target::own("a:1"), Arc::default());
        for _ in 0..2 {
            monitor.postponed(&monitor.last_cause().unwrap_or_else(|| "refused".to_owned()));
            assert_eq!(monitor.why_cut(), "refused");
            assert_eq!(monitor.failure("").cause(), "refused (kept on disk)");
        }
        assert!(!monitor.warnings.may_warn("a:1", "refused", Instant::now()), "it was told");
        assert_eq!(monitor.failed_exports(), 2);
    }

    #[test]
    fn what_waits_in_memory_when_a_shutdown_fails_is_not_told_as_kept() {
        let monitor = Monitor::new(Signal::Traces, Target::own("a:1"), Arc::default());
        monitor.kept_in_memory("refused");
        assert_eq!(monitor.failure("").cause(), "refused (kept in memory)");
        monitor.shutting_down(Instant::now());
        assert_eq!(monitor.failure("").cause(), "refused");
        monitor.postponed("refused");
        assert_eq!(monitor.failure("").cause(), "refused (kept on disk)");
    }
}
