//! What a failing test prints.

use super::TestTelemetry;

/// Prints the tree of a failing test. Made by [`TestTelemetry::show_on_failure`].
#[derive(Debug)]
#[must_use = "it prints when it is dropped at the end of the test"]
pub struct ShowOnFailure {
    telemetry: TestTelemetry,
}

impl ShowOnFailure {
    pub(super) fn new(telemetry: TestTelemetry) -> Self {
        Self { telemetry }
    }
}

impl Drop for ShowOnFailure {
    #[expect(clippy::print_stderr, reason = "the test harness captures this and shows it with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("telemetry of the failed test:\n{}", self.telemetry.tree());
        }
    }
}
