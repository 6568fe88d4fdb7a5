//! What happens when telemetry cannot be installed.

/// What [`TelemetryBuilder::install`](crate::TelemetryBuilder::install) does about a configuration that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnError {
    /// It fails, with nothing installed. The default.
    #[default]
    Fail,
    /// It says why on the console and gives back a guard that does nothing: the service starts without telemetry. The
    /// console shows the service's logs all the same. Only a second installation still fails.
    Disable,
}
