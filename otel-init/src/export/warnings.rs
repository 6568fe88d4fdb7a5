//! Which warnings the operator got lately, so that none comes a thousand times.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::sender::PAUSED;

/// A destination that stays away is mentioned this often.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Which warnings were given lately. The signals share it, because they mostly share the collector.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    given: Mutex<HashMap<(String, String), Instant>>,
}

impl Warnings {
    /// Whether this cause, at this host and port, was not mentioned within the last minute; it counts as mentioned
    /// from now on.
    pub(super) fn may_warn(&self, authority: &str, cause: &str, now: Instant) -> bool {
        /// More causes than this of one place within a minute are noise, which keeps no other quiet.
        const LIMIT: usize = 8;
        let mut given = self.lock();
        given.retain(|_, at| now.duration_since(*at) < WARNING_INTERVAL);
        let key = key(authority, cause);
        let is_of_this = |(known, _): &&(String, String)| known == authority;
        if given.contains_key(&key) || given.keys().filter(is_of_this).count() >= LIMIT {
            return false;
        }
        given.insert(key, now);
        given.remove(&recovery(authority));
        true
    }

    /// The start has mentioned this cause, for which exports will fail.
    pub(super) fn told(&self, authority: &str, cause: &str, now: Instant) {
        self.lock().insert(key(authority, cause), now);
    }

    /// Whether there was a warning about this host and port that has to be taken back. True for the first signal that
    /// asks.
    pub(super) fn recovered(&self, authority: &str) -> bool {
        let key = recovery(authority);
        let mut given = self.lock();
        let is_known = given.keys().any(|(known, cause)| known == authority && *cause != key.1);
        is_known && given.insert(key, Instant::now()).is_none()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Instant>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(authority: &str, cause: &str) -> (String, String) {
    // That the export is paused for it makes no other cause.
    (authority.to_owned(), cause.trim_start_matches(PAUSED).to_owned())
}

/// That it was told since the last warning that exporting works again.
fn recovery(authority: &str) -> (String, String) {
    (authority.to_owned(), "works again".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_comes_once_a_minute_for_each_cause() {
        let warnings = Warnings::default();
        let start = Instant::now();
        assert!(warnings.may_warn("a:1", "refused", start));
        assert!(!warnings.may_warn("a:1", "refused", start + Duration::from_secs(59)));
        assert!(!warnings.may_warn("a:1", &format!("{PAUSED}refused"), start + Duration::from_secs(59)));
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
        assert!(warnings.may_warn("b:1", "refused", start), "who is noisy keeps nobody else quiet");
    }

    #[test]
    fn a_recovery_is_told_once_and_only_after_a_warning() {
        let warnings = Warnings::default();
        assert!(!warnings.recovered("a:1"));
        assert!(warnings.may_warn("a:1", "refused", Instant::now()));
        assert!(!warnings.recovered("b:1"));
        assert!(warnings.recovered("a:1"));
        assert!(!warnings.recovered("a:1"));
        // The next outage has an end too, however soon it is there.
        assert!(warnings.may_warn("a:1", "silence", Instant::now()));
        assert!(warnings.recovered("a:1"));
        assert!(!warnings.recovered("a:1"));
    }
}
