//! What became of the exports of one signal, and the one line the operator gets when they fail.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

use super::runtime::RuntimeEntry;
use crate::config::OtlpConfig;
use crate::error::SignalFailure;
use crate::{Signal, diagnostics};

/// A destination that stays away is mentioned this often.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Watches the exports of one signal to one destination.
#[derive(Debug)]
pub(crate) struct Monitor {
    signal: Signal,
    endpoint: String,
    authority: String,
    timeout: Duration,
    runtime: RuntimeEntry,
    warnings: Arc<Warnings>,
    failed: AtomicU64,
    causes: Mutex<Causes>,
}

#[derive(Debug, Default)]
struct Causes {
    /// What the connection said. Upstream's HTTP exporter hides it behind "network error".
    transport: Option<String>,
    /// Why the last export failed; `None` after one that worked.
    last: Option<String>,
}

impl Monitor {
    pub(super) fn new(config: &OtlpConfig, runtime: RuntimeEntry, warnings: Arc<Warnings>) -> Self {
        Self {
            signal: config.signal,
            endpoint: config.endpoint.shown().to_owned(),
            authority: config.endpoint.authority().to_owned(),
            timeout: config.timeout,
            runtime,
            warnings,
            failed: AtomicU64::new(0),
            causes: Mutex::new(Causes::default()),
        }
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// How many exports have failed so far.
    pub(crate) fn failed_exports(&self) -> u64 {
        self.failed.load(Ordering::Acquire)
    }

    /// A failure of this signal, for the reason given or, better, for the reason the last export failed for.
    pub(crate) fn failure(&self, otherwise: &str) -> SignalFailure {
        let cause = self.causes().last.clone().unwrap_or_else(|| otherwise.to_owned());
        SignalFailure { signal: self.signal, endpoint: self.endpoint.clone(), cause }
    }

    /// Runs one export inside the private runtime, bounded in time; upstream bounds neither a request nor the wait for
    /// an answer.
    pub(super) async fn export(&self, export: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        // Made inside the runtime: a timer looks for one when it is made.
        let bounded = async { tokio::time::timeout(self.timeout, export).await };
        let result = match self.runtime.run(bounded).await {
            Ok(result) => result.unwrap_or(Err(OTelSdkError::Timeout(self.timeout))),
            // The shutdown that cut it reports it.
            Err(_cut) => return Err(OTelSdkError::AlreadyShutdown),
        };
        match &result {
            Ok(()) => self.succeeded(),
            Err(error) => self.failed(error),
        }
        result
    }

    /// Keeps what the connection said, for the failure that follows.
    pub(super) fn transport_failed(&self, cause: String) {
        self.causes().transport = Some(cause);
    }

    fn succeeded(&self) {
        let mut causes = self.causes();
        causes.transport = None;
        let was_failing = causes.last.take().is_some();
        drop(causes);
        if was_failing && self.warnings.recovered(&self.authority) {
            diagnostics::info(&format!("exporting {} to {} works again", self.signal, self.endpoint));
        }
    }

    fn failed(&self, error: &OTelSdkError) {
        let mut causes = self.causes();
        let cause = causes.transport.take().unwrap_or_else(|| describe(error));
        causes.last = Some(cause.clone());
        drop(causes);
        self.failed.fetch_add(1, Ordering::Release);
        if self.warnings.may_warn(&self.authority, &cause, Instant::now()) {
            diagnostics::warn(&format!(
                "cannot export {} to {}: {cause}. The service goes on, but its telemetry is lost until this works: \
                 start a collector there, or point OTEL_EXPORTER_OTLP_ENDPOINT to one. This message comes at most once \
                 a minute.",
                self.signal, self.endpoint
            ));
        }
    }

    fn causes(&self) -> MutexGuard<'_, Causes> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe(error: &OTelSdkError) -> String {
    match error {
        OTelSdkError::Timeout(after) => format!("the collector did not answer within {after:?}"),
        OTelSdkError::AlreadyShutdown => "telemetry was shut down".to_owned(),
        // "TonicTracesClient export failed with gRPC code: Unavailable: .."
        OTelSdkError::InternalFailure(reason) => match reason.split_once("gRPC code: ") {
            Some((_, status)) => format!("gRPC status {status}"),
            None => reason.clone(),
        },
    }
}

/// Which warnings were given lately. The signals share it, because they mostly share the collector.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    given: Mutex<HashMap<(String, String), Instant>>,
}

impl Warnings {
    /// Whether this cause, at this host and port, was not mentioned within the last minute; it counts as mentioned
    /// from now on.
    fn may_warn(&self, authority: &str, cause: &str, now: Instant) -> bool {
        /// More causes than this within a minute are noise.
        const LIMIT: usize = 8;
        let mut given = self.lock();
        given.retain(|_, at| now.duration_since(*at) < WARNING_INTERVAL);
        let key = (authority.to_owned(), cause.to_owned());
        if given.contains_key(&key) || given.len() >= LIMIT {
            return false;
        }
        given.insert(key, now);
        true
    }

    /// Whether there was a warning about this host and port that has to be taken back. True for the first signal that
    /// asks.
    fn recovered(&self, authority: &str) -> bool {
        let key = (authority.to_owned(), "works again".to_owned());
        let mut given = self.lock();
        let is_known = given.keys().any(|(known, cause)| known == authority && *cause != key.1);
        is_known && given.insert(key, Instant::now()).is_none()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Instant>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use opentelemetry_sdk::error::OTelSdkError;

    use super::{WARNING_INTERVAL, Warnings, describe};

    #[test]
    fn a_warning_comes_once_a_minute_for_each_cause() {
        let warnings = Warnings::default();
        let start = Instant::now();
        assert!(warnings.may_warn("a:1", "refused", start));
        assert!(!warnings.may_warn("a:1", "refused", start + Duration::from_secs(59)));
        assert!(warnings.may_warn("a:1", "timeout", start));
        assert!(warnings.may_warn("b:1", "refused", start));
        assert!(warnings.may_warn("a:1", "refused", start + WARNING_INTERVAL));
    }

    #[test]
    fn causes_without_end_are_bounded() {
        let warnings = Warnings::default();
        let start = Instant::now();
        let given =
            (0..100).filter(|index| warnings.may_warn("a:1", &format!("cause {index}"), start)).count();
        assert_eq!(given, 8);
    }

    #[test]
    fn a_recovery_is_told_once_and_only_after_a_warning() {
        let warnings = Warnings::default();
        assert!(!warnings.recovered("a:1"));
        assert!(warnings.may_warn("a:1", "refused", Instant::now()));
        assert!(!warnings.recovered("b:1"));
        assert!(warnings.recovered("a:1"));
        assert!(!warnings.recovered("a:1"));
    }

    #[test]
    fn the_name_of_the_upstream_client_is_left_out() {
        let error = OTelSdkError::InternalFailure(
            "TonicLogsClient export failed with gRPC code: Unavailable: refused".to_owned(),
        );
        assert_eq!(describe(&error), "gRPC status Unavailable: refused");
    }
}
