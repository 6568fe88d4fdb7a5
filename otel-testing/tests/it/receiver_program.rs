//! The program `otel-receiver`, run as a shell would.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use reqwest::blocking::Client;
use serde_json::{Value, json};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

/// A file that is removed in the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("otel-receiver-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn as_argument(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otel-receiver"));
    command.args(arguments);
    for signal in ["", "TRACES_", "METRICS_", "LOGS_"] {
        command.env_remove(format!("OTEL_EXPORTER_OTLP_{signal}ENDPOINT"));
        command.env_remove(format!("OTEL_EXPORTER_OTLP_{signal}PROTOCOL"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A trace of one root and one span whose parent is not there.
fn send(endpoint: &str) {
    let span = |id: &str, parent: &str, name: &str| {
        json!({
            "traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": "1000000000", "endTimeUnixNano": "1001900000",
        })
    };
    let checkout = span("eee19b7ec3c1b174", "", "checkout");
    let mut charge = span("eee19b7ec3c1b175", "aaaaaaaaaaaaaaaa", "charge");
    charge["links"] = json!([{"traceId": "bb".repeat(16), "spanId": "cc".repeat(8)}]);
    let spans = [checkout, charge];
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "by hand"}}]},
        "scopeSpans": [{"spans": spans}],
    }]});
    let request =
        Client::new().post(format!("{endpoint}/v1/traces")).header("content-type", "application/json");
    assert_eq!(request.body(body.to_string()).send().unwrap().status(), 200);
}

/// The program without a command, and where it takes OTLP over HTTP.
fn start(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let mut child =
        program(&["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]).args(arguments).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut announced = String::new();
    errors.read_line(&mut announced).unwrap();
    let endpoint = announced.trim().rsplit(' ').next().unwrap().to_owned();
    (child, errors, endpoint)
}

fn end(child: Child, mut errors: BufReader<std::process::ChildStderr>) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut errors, &mut said).unwrap();
    (output.status.code(), text(&output.stdout), said)
}

#[test]
fn it_ends_when_what_it_expects_has_come() {
    let expected = File::new(
        "met.json",
        r#"{"spans": [{"name": "checkout", "kind": "server", "root": true}], "services": ["by hand"]}"#,
    );
    let lines = File::new("lines.jsonl", "");
    let (child, errors, endpoint) =
        start(&["--timeout", "60", "--expect", expected.as_argument(), "--json", lines.as_argument()]);
    send(&endpoint);
    let (code, shown, said) = end(child, errors);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        shown,
        format!(
            "trace {TRACE}\n  by hand: checkout 1.9ms server\n  by hand: charge 1.9ms server (parent missing)\n    * link \
             {{trace_id=\"{}\"}}\n",
            "bb".repeat(16)
        )
    );
    assert_eq!(
        said,
        "2 spans in 1 traces of 1 services, 1 orphans, 0 log records, 0 metrics, 0 items dropped\n"
    );
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&lines.0).unwrap()).unwrap();
    assert_eq!(line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"], TRACE);
}

#[test]
fn lines_on_standard_output_stand_alone() {
    let expected = File::new("piped.json", r#"{"spans": [{"name": "checkout"}]}"#);
    let (child, errors, endpoint) =
        start(&["--timeout", "60", "--expect", expected.as_argument(), "--json", "-"]);
    send(&endpoint);
    let (code, shown, said) = end(child, errors);
    assert_eq!(code, Some(0), "{said}");
    let line: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"], TRACE);
}

#[test]
fn what_is_not_met_in_time_is_named_and_fails() {
    let expected = File::new("unmet.json", r#"{"spans": [{"name": "refund"}], "most_orphans": 0}"#);
    // Within the time of the command, and of what comes after it nothing.
    let arguments = ["--quiet", "--timeout", "0", "--expect", expected.as_argument()];
    let output = run_command(&[("TEST_POSTS", "1")], &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(!text(&output.stdout).contains("trace"), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    assert!(said.contains("\nwhat is no OTLP came too, the first one: POST /: "), "{said}");
    assert!(
        said.contains("expected one span like this, there is none:\n  \"refund\"\nthe closest is"),
        "{said}"
    );
    assert!(
        said.contains("expected at most 0 orphans, there are 1:\n  \"charge\"\n2 expectations are not met")
    );
}

/// The command is this test binary, which runs `the_command` alone.
fn run_command(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program(arguments);
    command.args(["--", std::env::current_exe().unwrap().to_str().unwrap()]);
    command.args(["--exact", "receiver_program::the_command"]).env("TEST_AS_COMMAND", "1");
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn the_command() {
    if std::env::var_os("TEST_AS_COMMAND").is_none() {
        return;
    }
    for (name, value) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_EXPORTER_OTLP_")) {
        writeln!(std::io::stderr(), "{name}={value};").unwrap();
    }
    let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap();
    if std::env::var("OTEL_EXPORTER_OTLP_PROTOCOL").unwrap() == "http/protobuf" {
        send(&endpoint);
        if std::env::var_os("TEST_POSTS").is_some() {
            assert_eq!(Client::new().post(&endpoint).send().unwrap().status(), 404);
        }
    } else {
        writeln!(std::io::stderr(), "told to send to {endpoint}").unwrap();
        std::process::exit(7);
    }
}

#[test]
fn a_command_is_told_where_to_send_and_its_failure_is_passed_on() {
    let output = run_command(&[], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("by hand: checkout 1.9ms server"), "{}", text(&output.stdout));

    let output = run_command(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], &[]);
    assert_eq!(output.status.code(), Some(7));
    let said = text(&output.stderr);
    let grpc =
        said.split_whitespace().find(|word| word.starts_with("http://")).unwrap().trim_end_matches(',');
    assert!(said.contains(&format!("told to send to {grpc}\n")), "{said}");
}

/// A service that is set up for collectors of its own sends nothing there, and everything here.
#[test]
fn a_command_sends_each_signal_here_wherever_its_environment_says() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", ""),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector:4317"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"),
    ];
    let output = run_command(&variables, &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let (grpc, http) = said.lines().next().unwrap().split_once(", over HTTP on ").unwrap();
    let grpc = grpc.strip_prefix("OTLP over gRPC on ").unwrap();
    for (name, value) in [
        ("ENDPOINT", http),
        ("PROTOCOL", "http/protobuf"),
        ("TRACES_ENDPOINT", &format!("{http}/v1/traces")),
        ("METRICS_ENDPOINT", grpc),
        ("METRICS_PROTOCOL", "grpc"),
        ("LOGS_ENDPOINT", grpc),
    ] {
        assert!(said.contains(&format!("OTEL_EXPORTER_OTLP_{name}={value};\n")), "{name}: {said}");
    }
    let general = text(&run_command(&[], &[]).stderr);
    assert!(!general.contains("TRACES_ENDPOINT"), "{general}");
}

#[test]
fn a_timeout_that_is_none_is_refused() {
    for timeout in ["-1", "NaN", "soon"] {
        let timeout = format!("--timeout={timeout}");
        let output = program(&[&timeout, "--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{timeout}");
        let said = text(&output.stderr);
        assert!(said.contains("expected a number of seconds"), "{said}");
    }
}

#[test]
fn what_it_cannot_do_is_said() {
    let cases = [
        (vec!["--expect", "/nowhere/expected.json"], "/nowhere/expected.json: No such file"),
        (vec!["--json", "/nowhere/lines"], "/nowhere/lines: No such file"),
        (vec!["--", "/nowhere/command"], "/nowhere/command: No such file"),
        (vec!["--grpc", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
    ];
    for (arguments, reason) in cases {
        let output = program(&arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("otel-receiver: {reason}")), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn it_shows_a_trace_when_it_has_settled_and_ends_at_a_signal() {
    let (mut child, errors, endpoint) = start(&[]);
    send(&endpoint);
    let mut shown = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    assert_eq!(line, format!("trace {TRACE}\n"));
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let (code, _, said) = end(child, errors);
    assert_eq!(code, Some(0), "{said}");
}
