//! The host and its operating system: <https://opentelemetry.io/docs/specs/semconv/resource/host/>.

use std::fs::read_to_string;
use std::path::Path;

use super::{Attribute, IN_POD, is_in_pod, known, some};
use crate::config::Variables;

const NAMES: [&str; 2] = ["HOSTNAME", "COMPUTERNAME"];

pub(super) const VARIABLES: &[&str] = &[NAMES[0], NAMES[1], IN_POD];

pub(super) fn detect(variables: &Variables) -> Vec<Attribute> {
    known([
        some("host.name", name(variables)),
        some("host.id", id(is_in_pod(variables))),
        some("host.arch", Some(arch(std::env::consts::ARCH))),
    ])
}

/// <https://opentelemetry.io/docs/specs/semconv/resource/os/>
pub(super) fn os(_: &Variables) -> Vec<Attribute> {
    let release = read_to_string("/etc/os-release").or_else(|_| read_to_string("/usr/lib/os-release"));
    let release = release.unwrap_or_default();
    known([
        some("os.type", Some(kind(std::env::consts::OS))),
        some("os.name", entry(&release, "NAME")),
        some("os.version", entry(&release, "VERSION_ID")),
        some("os.description", entry(&release, "PRETTY_NAME")),
        some("os.build_id", entry(&release, "BUILD_ID").or_else(kernel)),
    ])
}

fn name(variables: &Variables) -> Option<String> {
    let name = if cfg!(target_os = "linux") {
        read_to_string("/proc/sys/kernel/hostname").ok()
    } else {
        NAMES.iter().find_map(|name| variables.text(name))
    };
    filled(name)
}

/// "For non-containerized systems, this should be the machine-id." In a container the file is that of the image, or
/// empty, so it tells nothing there.
fn id(is_in_pod: bool) -> Option<String> {
    // Docker and Podman each leave a file; what runs pods may leave none.
    let has_mark = || ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists());
    if is_in_pod || has_mark() {
        return None;
    }
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| filled(read_to_string(path).ok()))
}

fn kernel() -> Option<String> {
    filled(read_to_string("/proc/sys/kernel/osrelease").ok())
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A value of `os-release`, which may be quoted.
fn entry(release: &str, key: &str) -> Option<String> {
    let value = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    filled(Some(value.trim().trim_matches(['"', '\'']).to_owned()))
}

/// Names of the semantic conventions where they differ from Rust's.
fn kind(os: &'static str) -> &'static str {
    match os {
        "macos" => "darwin",
        other => other,
    }
}

fn arch(arch: &'static str) -> &'static str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{arch, entry, id, kind};

    #[test]
    fn the_release_is_read_with_and_without_quotes() {
        let release = "NAME=\"Debian GNU/Linux\"\nVERSION_ID='13'\nBUILD_ID=7\nEMPTY=\"\"\nPRETTY_NAME=x\n";
        for (key, expected) in [
            ("NAME", Some("Debian GNU/Linux")),
            ("VERSION_ID", Some("13")),
            ("BUILD_ID", Some("7")),
            ("EMPTY", None),
            ("ID", None),
        ] {
            assert_eq!(entry(release, key).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn in_a_pod_the_file_of_the_image_is_not_the_hosts() {
        assert_eq!(id(true), None);
    }

    #[test]
    fn names_are_those_of_the_conventions() {
        assert_eq!((kind("macos"), kind("linux")), ("darwin", "linux"));
        assert_eq!((arch("x86_64"), arch("aarch64"), arch("riscv64")), ("amd64", "arm64", "riscv64"));
    }
}
