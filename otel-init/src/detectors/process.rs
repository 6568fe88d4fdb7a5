//! The process: <https://opentelemetry.io/docs/specs/semconv/resource/process/>.
//!
//! The arguments stay out: people put passwords there.

use std::path::Path;

use opentelemetry::{Key, Value};

use super::some;
use crate::config::Variables;

pub(super) const VARIABLES: &[&str] = &["USER", "LOGNAME", "USERNAME"];

pub(super) fn detect(variables: &Variables) -> Vec<(Key, Value)> {
    let executable = std::env::current_exe().ok();
    let name =
        executable.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy().into_owned());
    let path = executable.as_deref().map(|path| path.to_string_lossy().into_owned());
    let command = std::env::args_os().next().map(|command| command.to_string_lossy().into_owned());
    let owner = VARIABLES.iter().find_map(|name| variables.text(name));
    [
        some("process.pid", Some(i64::from(std::process::id()))),
        some("process.parent_pid", parent()),
        some("process.executable.name", name),
        some("process.executable.path", path),
        some("process.command", command),
        some("process.owner", owner),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(unix)]
fn parent() -> Option<i64> {
    Some(i64::from(std::os::unix::process::parent_id()))
}

#[cfg(not(unix))]
fn parent() -> Option<i64> {
    None
}
