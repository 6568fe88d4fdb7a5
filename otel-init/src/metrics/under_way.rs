//! Which callbacks of instruments run now.
//!
//! The SDK collects when it has called all of them. One that does not return keeps it from that, and looks from outside like a
//! collector that does not answer.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The names of their instruments, from the one that runs longest. Of the whole process, as the instruments are.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// As long as it is there, a callback of this instrument runs.
#[must_use]
pub(super) struct UnderWay<'a>(&'a str);

impl<'a> UnderWay<'a> {
    pub(super) fn begin(instrument: &'a str) -> Self {
        names().push(instrument.to_owned());
        Self(instrument)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut names = names();
        // Another one of the same name is as good: who asks wants to know the name.
        if let Some(place) = names.iter().rposition(|name| name == self.0) {
            names.remove(place);
        }
    }
}

/// The instrument whose callback runs longest, if one runs.
pub(crate) fn callback_under_way() -> Option<String> {
    names().first().cloned()
}

fn names() -> MutexGuard<'static, Vec<String>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}
