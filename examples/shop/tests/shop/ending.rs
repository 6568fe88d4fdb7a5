//! However the parent ends, no service stays.

use std::process::Stdio;

use crate::process::{Process, read_to_end, shop};

/// A shop that is up. All its processes hold the other side of the pipe that is its standard error.
fn start() -> (Process, impl std::io::Read + Send + 'static) {
    let mut command = shop([]);
    command.stderr(Stdio::piped());
    let mut process = Process::start(command);
    let stderr = process.child.stderr.take().expect("standard error is a pipe");
    process.read_until(|line| line.starts_with("more orders: open http://").then_some(()));
    (process, stderr)
}

#[test]
fn a_killed_parent_leaves_no_service() {
    let (mut parent, stderr) = start();
    parent.kill();
    read_to_end(stderr);
}

#[test]
fn a_parent_that_is_asked_to_stop_stops_its_services_first() {
    let (mut parent, stderr) = start();
    parent.terminate();
    assert_eq!(parent.wait().code(), Some(0));
    assert_eq!(read_to_end(stderr), "");
}
