//! The process: <https://opentelemetry.io/docs/specs/semconv/resource/process/>.
//!
//! The arguments stay out: people put passwords there.

use std::path::Path;

use super::{Attribute, known, some};
use crate::config::Variables;

pub(super) const VARIABLES: &[&str] = &["USER", "LOGNAME", "USERNAME"];

pub(super) fn detect(variables: &Variables) -> Vec<Attribute> {
    let executable = std::env::current_exe().ok();
    let name =
        executable.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy().into_owned());
    let path = executable.as_deref().map(|path| path.to_string_lossy().into_owned());
    let command = std::env::args_os().next().map(|command| command.to_string_lossy().into_owned());
    let owner = VARIABLES.iter().find_map(|name| variables.text(name));
    known([
        some("process.pid", Some(i64::from(std::process::id()))),
        some("process.parent_pid", parent()),
        some("process.executable.name", name),
        some("process.executable.path", path),
        some("process.command", command),
        some("process.owner", owner),
    ])
}

#[cfg(unix)]
fn parent() -> Option<i64> {
    Some(i64::from(std::os::unix::process::parent_id()))
}

#[cfg(not(unix))]
fn parent() -> Option<i64> {
    None
}

#[cfg(test)]
mod tests {
    use opentelemetry::Value;

    use super::{VARIABLES, detect};
    use crate::config::{Environment, Variables};

    #[test]
    fn the_process_is_this_one_and_its_arguments_are_left_out() {
        let lookup = |name: &str| (name == "LOGNAME").then(|| "till".to_owned());
        let found = detect(&Variables::read(VARIABLES, &Environment::new(&lookup)));
        let value =
            |key: &str| found.iter().find(|(known, _)| known.as_str() == key).map(|(_, value)| value.clone());
        let executable = std::env::current_exe().unwrap();
        let command = std::env::args().next().unwrap();
        for (key, expected) in [
            ("process.pid", Value::from(i64::from(std::process::id()))),
            ("process.executable.path", executable.to_string_lossy().into_owned().into()),
            (
                "process.executable.name",
                executable.file_stem().unwrap().to_string_lossy().into_owned().into(),
            ),
            ("process.command", command.into()),
            ("process.owner", "till".into()),
        ] {
            assert_eq!(value(key), Some(expected), "{key}");
        }
        #[cfg(unix)]
        assert_eq!(value("process.parent_pid"), Some(i64::from(std::os::unix::process::parent_id()).into()));
        assert!(found.iter().all(|(key, _)| !key.as_str().contains("arg")), "{found:?}");
    }
}
