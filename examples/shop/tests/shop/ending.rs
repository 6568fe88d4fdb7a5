//! The shop that stays up: it shows what else comes, and however it ends, no service stays.

use std::path::Path;
use std::process::{ChildStderr, Stdio};

use reqwest::Client;
use serde_json::json;

use crate::process::{Folder, Process, read_to_end, send_signal, shop};

/// A shop that is up. All its processes hold the other side of the pipe that is its standard error.
fn start() -> (Process, String, ChildStderr) {
    start_in(&std::env::temp_dir())
}

fn start_in(folder: &Path) -> (Process, String, ChildStderr) {
    let mut command = shop([]);
    command.stderr(Stdio::piped()).env("TMPDIR", folder);
    let mut process = Process::start(command);
    let stderr = process.child.stderr.take().expect("standard error is a pipe");
    let url = process.read_until(|line| {
        let (url, _) = line.strip_prefix("more orders: open ")?.split_once(' ')?;
        Some(url.to_owned())
    });
    (process, url, stderr)
}

#[test]
fn a_killed_parent_leaves_no_service() {
    // What it leaves is the folder of its database: here, one that the test removes.
    let folder = Folder::create();
    let (mut parent, _, stderr) = start_in(&folder.path);
    parent.kill();
    read_to_end(stderr);
}

#[test]
fn a_parent_that_is_asked_to_stop_stops_its_services_first() {
    let (mut parent, _, stderr) = start();
    parent.terminate();
    assert_eq!(parent.wait().code(), Some(0));
    assert_eq!(read_to_end(stderr), "");
}

#[test]
fn a_service_that_is_killed_is_named_with_what_ended_it() {
    let mut command = shop([]);
    command.stderr(Stdio::piped());
    let mut parent = Process::start(command);
    let stderr = parent.child.stderr.take().expect("standard error is a pipe");
    let pid: u32 = parent.read_until(|line| {
        let (_, pid) = line.trim_start().strip_prefix("orders ")?.split_once("pid ")?;
        pid.split_whitespace().next()?.parse().ok()
    });
    parent.read_until(|line| line.starts_with("more orders: ").then_some(()));

    send_signal("KILL", pid);
    let said = parent.read_until(|line| line.starts_with("orders has ended").then(|| line.to_owned()));
    assert_eq!(said, "orders has ended: signal: 9 (SIGKILL)");
    parent.terminate();
    assert_eq!(parent.wait().code(), Some(0));
    read_to_end(stderr);
}

#[tokio::test]
async fn what_a_browser_sends_is_shown_as_well() {
    let (mut parent, url, stderr) = start();
    let sent = Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("{url}/events"))
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .json(&json!({"page": "home"}))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 204);
    parent.read_until(|line| {
        line.starts_with("trace 0af7651916cd43dd8448eb211c80319c  1 service").then_some(())
    });
    let origin = parent.read_until(|line| Some(line.to_owned()));
    assert_eq!(origin, "(called from span b7ad6b7169203331, which was not received: a browser)");
    let span = parent.read_until(|line| Some(line.to_owned()));
    assert!(span.starts_with("gateway POST /events "), "{span}");
    parent.terminate();
    parent.read_until(|line| line.starts_with("service ").then_some(()));
    assert_eq!(parent.wait().code(), Some(0));
    assert_eq!(read_to_end(stderr), "");
}

#[test]
fn orders_that_were_not_sent_are_a_failure() {
    let mut process = Process::start(shop(["--orders", "100000"]));
    process.read_until(|line| line.starts_with("-- order 1: ").then_some(()));
    process.terminate();
    process.read_until(|line| line.starts_with("PROBLEM  stopped after ").then_some(()));
    assert_eq!(process.wait().code(), Some(1));
}
