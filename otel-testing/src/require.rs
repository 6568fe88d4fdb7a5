//! Tests that need something outside of the repository: they skip in the open, or fail where it must be there.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file or folder `path` of the folder `shared` that lies beside the workspace of the package in `manifest_dir`. `None`
/// if it is not there, which was then said on standard error, past the capture of the test harness.
/// The macro [`shared_file!`](crate::shared_file!) fills in `manifest_dir`.
///
/// # Panics
///
/// When it is missing and the environment has `REQUIRE_SHARED=1`.
#[must_use]
#[track_caller]
pub fn shared_file(manifest_dir: &str, path: &str) -> Option<PathBuf> {
    let workspace = workspace_root(Path::new(manifest_dir));
    let file = workspace.join("../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    skip("REQUIRE_SHARED", &format!("{} is not there", file.display()));
    None
}

/// The URL of a service that a test needs, or `None`, said on standard error, past the capture of the test harness.
/// `service` names it for the person who reads that; `url` is what the test found, usually from the environment.
///
/// ```
/// let url = otel_testing::require_service("PostgreSQL (DATABASE_URL)", Some("postgres://localhost/test".to_owned()));
/// assert!(url.is_some());
/// ```
///
/// # Panics
///
/// When `url` is `None` or empty and the environment has `REQUIRE_SERVICES=1`.
#[must_use]
#[track_caller]
pub fn require_service(service: &str, url: Option<String>) -> Option<String> {
    let url = url.filter(|url| !url.is_empty());
    if url.is_none() {
        skip("REQUIRE_SERVICES", &format!("{service} is not configured"));
    }
    url
}

/// Finds a file of the folder `shared` beside the workspace, or skips the test in the open.
///
/// `None` means: return from the test. That was then said on standard error, past the capture of the test harness, and
/// with `REQUIRE_SHARED=1` in the environment the macro panics instead.
///
/// ```no_run
/// let Some(vectors) = otel_testing::shared_file!("vectors/traceparent.json") else { return };
/// let text = std::fs::read_to_string(vectors).expect("a readable file");
/// ```
#[macro_export]
macro_rules! shared_file {
    ($path:expr) => {
        $crate::shared_file(env!("CARGO_MANIFEST_DIR"), $path)
    };
}

#[track_caller]
#[expect(clippy::panic, reason = "this is a test assertion")]
fn skip(variable: &str, reason: &str) {
    let test = std::thread::current().name().unwrap_or("unnamed").to_owned();
    if std::env::var(variable).is_ok_and(|value| value == "1") {
        panic!("{reason}, and {variable}=1 demands it");
    }
    // Writing to the handle goes past the harness, which captures the print macros only. One write keeps the line whole.
    let line = format!("SKIPPED {test}: {reason} ({variable}=1 makes this a failure)\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The outermost folder above `manifest_dir` whose manifest has a `[workspace]`, or `manifest_dir` itself.
fn workspace_root(manifest_dir: &Path) -> PathBuf {
    let is_workspace = |folder: &&Path| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
    };
    manifest_dir.ancestors().filter(is_workspace).last().unwrap_or(manifest_dir).to_path_buf()
}
