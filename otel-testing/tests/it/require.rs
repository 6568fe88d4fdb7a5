use std::fs;
use std::process::{Command, Output};

use otel_testing::{require_service, shared_file};

/// This test is run again in a process of its own, where it is the one that looks for the missing file and service.
const INNER: &str = "OTEL_TESTING_INNER";

#[test]
fn missing_things_skip_in_the_open_or_fail_where_demanded() {
    if std::env::var_os(INNER).is_some() {
        assert_eq!(shared_file!("no such folder/no such file"), None);
        assert_eq!(require_service("no such service", None), None);
        return;
    }
    let skipped = run_inner(&[]);
    let output = String::from_utf8(skipped.stderr).unwrap();
    assert!(skipped.status.success(), "{output}");
    // The harness captures nothing of this, although the test passes.
    let test = "require::missing_things_skip_in_the_open_or_fail_where_demanded";
    assert!(output.contains(&format!("SKIPPED {test}: ")), "{output}");
    assert!(output.contains("no such file is not there (REQUIRE_SHARED=1 makes this a failure)"), "{output}");
    assert!(output.contains("no such service is not configured (REQUIRE_SERVICES=1 makes"), "{output}");

    for (required, message) in [
        ("REQUIRE_SHARED", "no such file is not there, and REQUIRE_SHARED=1 demands it"),
        ("REQUIRE_SERVICES", "no such service is not configured, and REQUIRE_SERVICES=1 demands it"),
    ] {
        let failed = run_inner(&[required]);
        assert!(!failed.status.success());
        let output = String::from_utf8(failed.stdout).unwrap();
        assert!(output.contains(message), "{output}");
    }
}

#[test]
fn what_is_there_is_returned() {
    let url = Some("http://127.0.0.1:1".to_owned());
    assert_eq!(require_service("a service", url.clone()), url);

    let folder = std::env::temp_dir().join(format!("otel-testing-require-{}", std::process::id()));
    let package = folder.join("workspace/services/shop");
    fs::create_dir_all(&package).unwrap();
    fs::create_dir_all(folder.join("shared/vectors")).unwrap();
    fs::write(folder.join("workspace/Cargo.toml"), "[workspace]\nmembers = [\"services/shop\"]\n").unwrap();
    fs::write(package.join("Cargo.toml"), "[package]\n").unwrap();
    fs::write(folder.join("shared/vectors/cases.json"), "[]").unwrap();
    let found = shared_file(package.to_str().unwrap(), "vectors/cases.json").map(fs::read_to_string);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found.unwrap().unwrap(), "[]");
}

fn run_inner(required: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "require::missing_things_skip_in_the_open_or_fail_where_demanded"]);
    command.env_remove("REQUIRE_SHARED").env_remove("REQUIRE_SERVICES").env(INNER, "1");
    for variable in required {
        command.env(variable, "1");
    }
    command.output().unwrap()
}
