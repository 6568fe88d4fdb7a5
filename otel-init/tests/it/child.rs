//! A test in a process of its own: the test binary, with the one test selected.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "TEST_CHILD_OF_OTEL_INIT";

/// Whether this is the process that was started by [`run`].
pub(crate) fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// What a child left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Standard error: the console of the service.
    pub(crate) console: String,
    /// Standard output, where the `console` exporter writes; the test harness does too.
    pub(crate) output: String,
    pub(crate) elapsed: Duration,
}

impl Finished {
    /// The lines of the console that contain `text`.
    pub(crate) fn lines(&self, text: &str) -> Vec<&str> {
        self.console.lines().filter(|line| line.contains(text)).collect()
    }
}

/// The test of this name as a process, not started.
pub(crate) fn command(test: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // With one thread, as on one processor, the harness begins a line that the first of the test's own would end.
    command.args(["--exact", test, "--nocapture", "--test-threads", "2"]).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("OTEL_") || text == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.env(MARK, "1").envs(variables.iter().copied());
    command
}

/// Runs the test of this name (`module::function`) again and fails unless it passed. The child has `variables` and no
/// other variable that concerns telemetry.
pub(crate) fn run(test: &str, variables: &[(&str, &str)]) -> Finished {
    let start = Instant::now();
    let output = command(test, variables).output().unwrap();
    let elapsed = start.elapsed();
    let console = String::from_utf8_lossy(&output.stderr).into_owned();
    let harness = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{test} failed in its own process:\n{harness}\n{console}");
    assert!(harness.contains("1 passed"), "no test is called {test}:\n{harness}");
    Finished { console, output: harness.into_owned(), elapsed }
}

/// Runs `action`, which is the whole test, in a process of its own.
pub(crate) fn alone(test: &str, action: impl FnOnce()) {
    told(test, "error", action);
}

/// The same with this `RUST_LOG`, for what the console says of it.
pub(crate) fn told(test: &str, rust_log: &str, action: impl FnOnce()) -> Option<Finished> {
    if is_child() {
        action();
        return None;
    }
    Some(run(test, &[("RUST_LOG", rust_log)]))
}
