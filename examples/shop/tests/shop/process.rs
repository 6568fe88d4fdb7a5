//! Processes of the shop, which do not outlive their test.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// The bound of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// On a machine that stands still for some seconds, the bank of the slow card is still the only one that takes too long.
const SLOWLY: [(&str, &str); 4] = [
    ("SHOP_ORDERS_PEER_TIMEOUT_MS", "6000"),
    ("SHOP_SLOW_CARD_MS", "120000"),
    ("SHOP_GATEWAY_PEER_TIMEOUT_MS", "60000"),
    ("SHOP_REQUEST_TIMEOUT_MS", "120000"),
];

/// The shop with these arguments, and without what the shell of the test is set up for.
pub(crate) fn shop<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.args(arguments).stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("OTEL_")
            || name.starts_with("SHOP_")
            || ["RUST_LOG", "DATABASE_URL"].contains(&&*name)
        {
            command.env_remove(&variable);
        }
    }
    command.envs(SLOWLY);
    command
}

/// A running process, killed when the test forgets it.
pub(crate) struct Process {
    pub(crate) child: Child,
    /// Read by a thread of its own, so that every wait for a line has a bound and the process never waits for us.
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the shop starts");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let said = BufReader::new(stdout).lines().map_while(Result::ok);
            for line in said {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Reads lines until one is wanted, and gives what `wanted` makes of it.
    pub(crate) fn read_until<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            if let Some(found) = wanted(&line.expect("the process says what is waited for")) {
                return found;
            }
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        send_signal("TERM", self.child.id());
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// Waits for the end, within the bound.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        otel_testing::eventually_blocking(PATIENCE, || {
            self.child.try_wait().expect("the process can be waited for")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal, such as `TERM`, to a process.
pub(crate) fn send_signal(name: &str, pid: u32) {
    // The shell has `kill` built in; a program of that name may be missing.
    let command = format!("kill -{name} {pid}");
    let sent = Command::new("sh").args(["-c", &command]).status().expect("there is a shell");
    assert!(sent.success());
}

/// Reads to the end of a pipe, which comes when the last process that holds its other side has ended.
pub(crate) fn read_to_end(mut pipe: impl Read + Send + 'static) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = pipe.read_to_string(&mut text);
        let _ = sender.send(text);
    });
    receiver.recv_timeout(PATIENCE).expect("a process still holds the pipe")
}

/// A folder that is gone with the test.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn create() -> Self {
        let path = std::env::temp_dir().join(format!("shop-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).expect("there is room for a folder");
        Self { path }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
