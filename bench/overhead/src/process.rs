//! Processes: this program again, with another task, and what they cost.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// Ends when it is dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

/// Where a process runs.
pub struct Place {
    pub core: usize,
    /// Only while nobody else needs the core.
    pub yields: bool,
}

impl Process {
    /// On one core, if `taskset` is there to see to it.
    pub fn start(arguments: &[&str], place: &Place, environment: &[(&str, String)]) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let core = place.core.to_string();
        let prefix = match (has_taskset(), place.yields) {
            (false, _) => vec![],
            (true, false) => vec!["taskset", "--cpu-list", &core],
            // Both are of util-linux.
            (true, true) => vec!["chrt", "--idle", "0", "taskset", "--cpu-list", &core],
        };
        let mut command = match prefix.split_first() {
            Some((first, others)) => {
                let mut command = Command::new(first);
                command.args(others).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| format!("{arguments:?} did not start"))?;
        Ok(Self { child, address })
    }

    /// Processor time of all threads so far.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory in megabytes: all of it, and what is not the program's file.
    pub fn memory(&self) -> Result<(f64, f64), Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let megabytes = |name: &str| -> Result<f64, Failure> {
            let kilobytes = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"));
            Ok(kilobytes.ok_or("no such line")?.trim().parse::<f64>()? * 1024.0 / 1e6)
        };
        Ok((megabytes("VmRSS:")?, megabytes("RssAnon:")?))
    }

    /// Has it send what is left, and waits for its end.
    pub fn finish(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this process on one core.
pub fn stay_on(core: usize) -> Result<(), Failure> {
    if has_taskset() {
        let id = std::process::id().to_string();
        Command::new("taskset")
            .args(["--cpu-list", "--pid", &core.to_string(), &id])
            .stdout(Stdio::null())
            .status()?;
    }
    Ok(())
}

pub fn has_taskset() -> bool {
    Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_ok()
}
