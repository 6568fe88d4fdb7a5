//! The declarative configuration file, as `OTEL_CONFIG_FILE` names it.

use std::path::PathBuf;
use std::{env, fs, process, thread};

use otel_init::{InstallError, SettingSource, Telemetry};

/// Whatever the bytes are, the file is taken or refused, and who reads the refusal knows where to look: a line that is there,
/// and the keys that lead to it unless the text is no YAML at all. What is taken is taken again as the same.
pub fn config_file(data: &[u8]) {
    let path = path();
    fs::write(&path, data).expect("the folder of temporary files can be written");
    // A carriage return alone ends a line of YAML, too.
    let lines = data.iter().filter(|byte| [b'\n', b'\r'].contains(byte)).count() + 1;
    let (first, second) = (check(&path), check(&path));
    // Not left behind by a run that is ended.
    let _ = fs::remove_file(&path);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first, second);
            for (name, source) in &first {
                if let SettingSource::File { line } = source {
                    assert!((1..=lines).contains(line), "{name}: line {line} of {lines}");
                }
            }
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.to_string(), second.to_string());
            names_its_place(&first, lines);
        }
        (first, second) => panic!("{first:?} and then {second:?}"),
    }
}

/// The names and sources of what would be in force.
fn check(path: &std::path::Path) -> Result<Vec<(String, SettingSource)>, InstallError> {
    let lookup = |name: &str| match name {
        "EMPTY" => Some(String::new()),
        "ONE" => Some("1".to_owned()),
        "TEXT" => Some("a: [b".to_owned()),
        _ => None,
    };
    let builder = Telemetry::builder()
        .with_environment(lookup)
        // Which look at the machine and not at the file.
        .with_detection_timeout(std::time::Duration::ZERO)
        .with_config_file(path.display().to_string());
    let checked = builder.check()?;
    let settings = checked.settings().iter();
    let settings = settings.filter(|setting| !setting.name().starts_with("resource.attributes."));
    Ok(settings.map(|setting| (setting.name().to_owned(), setting.source().clone())).collect())
}

fn names_its_place(error: &InstallError, lines: usize) {
    assert!(error.is_invalid_configuration(), "{error}");
    let message = error.to_string();
    let Some(line) = error.line() else { panic!("no line: {message}") };
    // The end of the text may be the line after the last one.
    assert!((1..=lines + 1).contains(&line), "line {line} of {lines}: {message}");
    assert!(message.contains(&format!("line {line}: ")), "{message}");
    let key = error.key().unwrap_or_default();
    assert!(key.is_empty() || message.contains(key), "{key}: {message}");
}

/// One for each thread, because tests run at the same time.
fn path() -> PathBuf {
    let name = format!("otel-fuzz-{}-{:?}.yaml", process::id(), thread::current().id());
    // In memory, where the system has it.
    let shared = PathBuf::from("/dev/shm");
    let folder = if shared.is_dir() { shared } else { env::temp_dir() };
    folder.join(name)
}

#[cfg(test)]
mod tests {
    use crate::tests::drive;

    #[test]
    fn the_file() {
        let seeds =
            [include_str!("../seeds/config_file/all.yaml"), include_str!("../seeds/config_file/guide.yaml")];
        drive(super::config_file, &seeds);
    }
}
