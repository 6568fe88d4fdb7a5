//! What can go wrong, one type per entry point.

use std::fmt;

use crate::config::FileError;
use crate::{Health, Signal};

/// In place of a value in which credentials may stand anywhere.
pub(crate) const NOT_SHOWN: &str = "(not shown: it may hold credentials)";

/// Why [`TelemetryBuilder::install`](crate::TelemetryBuilder::install) failed. Nothing is installed then.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct InstallError(#[from] InstallErrorKind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallErrorKind {
    #[error(
        "telemetry is already installed in this process: call `install()` once, early in `main`, and keep the guard"
    )]
    AlreadyInstalled,
    #[error(
        "a global `tracing` subscriber is already set: remove the other `init()`, or call \
         `without_tracing_subscriber()` and add `Telemetry::tracing_layer()` to your own subscriber"
    )]
    SubscriberAlreadySet,
    #[error("{setting} is {value:?}: {reason}")]
    InvalidConfiguration { setting: &'static str, value: String, reason: String },
    #[error("the configuration file {path} is not used: {error}")]
    File { path: String, error: FileError },
    #[error("cannot set up the export of {signal} to {endpoint}: {reason}")]
    Exporter { signal: Signal, endpoint: String, reason: String },
    #[error("a function given in code panicked while the configuration was put together")]
    Panicked,
    #[error(
        "cannot start the export threads: {0}; raise the limits of threads and open files (`ulimit -u`, `ulimit -n`), which the \
         service will need itself"
    )]
    Runtime(#[source] std::io::Error),
}

impl InstallError {
    pub(crate) fn invalid(setting: &'static str, value: String, reason: String) -> Self {
        InstallErrorKind::InvalidConfiguration { setting, value, reason }.into()
    }

    /// The URL may hold credentials, and where they are is uncertain in one that is none.
    pub(crate) fn endpoint(setting: &'static str, url: &str, reason: String) -> Self {
        let may_be_shown = !url.contains(['@', '?', '#']);
        let shown = if may_be_shown { url } else { NOT_SHOWN };
        Self::invalid(setting, shown.to_owned(), reason)
    }

    /// Telemetry was installed in this process before, whether it was shut down since or not.
    #[must_use]
    pub fn is_already_installed(&self) -> bool {
        matches!(self.0, InstallErrorKind::AlreadyInstalled)
    }

    /// Somebody else has set the global `tracing` subscriber.
    #[must_use]
    pub fn is_subscriber_already_set(&self) -> bool {
        matches!(self.0, InstallErrorKind::SubscriberAlreadySet)
    }

    /// A value given in code, or in the configuration file, cannot be used. A bad value in the environment is a warning,
    /// not an error.
    #[must_use]
    pub fn is_invalid_configuration(&self) -> bool {
        matches!(self.0, InstallErrorKind::InvalidConfiguration { .. } | InstallErrorKind::File { .. })
    }

    /// The line of the configuration file that is wrong, from 1; 0 if the file cannot be read.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match &self.0 {
            InstallErrorKind::File { error, .. } => Some(error.line),
            _ => None,
        }
    }

    /// The keys that lead to what is wrong in the configuration file, with dots.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match &self.0 {
            InstallErrorKind::File { error, .. } => Some(&error.key),
            _ => None,
        }
    }
}

/// What one signal could not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalFailure {
    pub(crate) signal: Signal,
    pub(crate) endpoint: String,
    pub(crate) cause: String,
}

impl SignalFailure {
    /// The signal that was not delivered.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Where it should have gone, without credentials.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The reason, as text for a person.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Display for SignalFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} to {}: {}", self.signal, self.endpoint, self.cause)
    }
}

/// Why [`Telemetry::flush`](crate::Telemetry::flush) could not deliver everything.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("telemetry was not flushed completely: {} ({health})", Joined(.failures))]
pub struct FlushError {
    pub(crate) failures: Vec<SignalFailure>,
    pub(crate) health: Box<Health>,
}

impl FlushError {
    /// One entry for each signal that failed, at least one.
    #[must_use]
    pub fn failures(&self) -> &[SignalFailure] {
        &self.failures
    }

    /// What was delivered and what was lost, signal by signal, since the installation.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}

/// Why [`Telemetry::shutdown`](crate::Telemetry::shutdown) could not deliver everything. Telemetry is shut down all
/// the same.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("telemetry was not delivered at shutdown: {} ({health})", Joined(.failures))]
pub struct ShutdownError {
    pub(crate) failures: Vec<SignalFailure>,
    pub(crate) health: Box<Health>,
}

impl ShutdownError {
    /// One entry for each signal that failed, at least one.
    #[must_use]
    pub fn failures(&self) -> &[SignalFailure] {
        &self.failures
    }

    /// What was delivered and what was lost, signal by signal, since the installation.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}

/// `main` shows the error that it returns by `Debug`, and whoever sees it there should be able to read it.
macro_rules! debug_for_people {
    ($($error:ty),+) => {
        $(impl fmt::Debug for $error {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        })+
    };
}

debug_for_people!(InstallError, FlushError, ShutdownError);

struct Joined<'a>(&'a [SignalFailure]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            write!(formatter, "{}{failure}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{InstallError, InstallErrorKind};

    #[test]
    fn threads_that_the_system_does_not_give_are_told_with_what_to_do() {
        let error = InstallErrorKind::Runtime(std::io::Error::from_raw_os_error(11));
        let told = InstallError::from(error).to_string();
        assert!(told.starts_with("cannot start the export threads: "), "{told}");
        assert!(told.contains("ulimit -u") && told.contains("ulimit -n"), "{told}");
    }
}
