//! The server and the clients each have a core, as they would have as two machines: otherwise what the clients cost would
//! slow the server down too.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;

const SERVER: &str = "0";
const CLIENTS: &str = "1";

/// This program again, on the server's core.
pub(crate) fn server() -> Command {
    let program = std::env::current_exe().unwrap();
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", SERVER]).arg(program);
    command
}

/// Keeps this thread, and those that it starts, on the clients' core.
pub(crate) fn stay_on_clients() {
    if !can_pin() {
        return println!("nobody has a core of his own: two cores and taskset are needed for that");
    }
    let id = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["--cpu-list", "--pid", CLIENTS, &id])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "taskset could not move this process");
}

fn can_pin() -> bool {
    let has_taskset = Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok();
    has_taskset && available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}
