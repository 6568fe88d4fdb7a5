//! The causes that the runbook explains are those that are told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::{Protocol, Signal, opentelemetry};
use otel_testing::{OtlpReceiver, TestCertificates};

use crate::child;
use crate::{NOBODY, patient};

const RUNBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/operations/runbook.md");
const CASE: &str = "TEST_CASE";

/// What goes wrong, and the protocol that is spoken.
const CASES: &[(&str, Protocol)] = &[
    ("nobody listens", Protocol::HttpProtobuf),
    ("nobody listens", Protocol::Grpc),
    ("no such host", Protocol::HttpProtobuf),
    ("no such host", Protocol::Grpc),
    ("silence", Protocol::HttpProtobuf),
    ("silence", Protocol::Grpc),
    ("the other port", Protocol::HttpProtobuf),
    ("the other port", Protocol::Grpc),
    ("HTTP/1.1 200 OK", Protocol::Grpc),
    ("TLS to a plain port", Protocol::HttpProtobuf),
    ("TLS to a plain port", Protocol::Grpc),
    ("plain text to a TLS port", Protocol::HttpProtobuf),
    ("plain text to a TLS port", Protocol::Grpc),
    ("an unknown authority", Protocol::HttpProtobuf),
    ("no certificates", Protocol::Grpc),
    ("HTTP/1.1 400 Bad Request", Protocol::HttpProtobuf),
    ("HTTP/1.1 429 Too Many Requests", Protocol::HttpProtobuf),
    ("HTTP/1.1 503 Service Unavailable", Protocol::HttpProtobuf),
    ("HTTP/1.1 404 Not Found", Protocol::HttpProtobuf),
    ("HTTP/1.1 401 Unauthorized", Protocol::HttpProtobuf),
    ("HTTP/1.1 403 Forbidden", Protocol::HttpProtobuf),
    ("HTTP/1.1 200 OK", Protocol::HttpProtobuf),
];

/// Answers whatever comes with this head and a body that is no OTLP, or never.
fn answering(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            if head != "silence" {
                let _ = write!(connection, "{head}\r\ncontent-length: 5\r\n\r\nhello");
            }
            open.push(connection);
        }
    });
    format!("http://{address}")
}

fn endpoint(case: &'static str, protocol: Protocol, receiver: &OtlpReceiver) -> String {
    let is_grpc = protocol == Protocol::Grpc;
    let (own, other) = match is_grpc {
        true => (receiver.grpc_endpoint(), receiver.http_endpoint()),
        false => (receiver.http_endpoint(), receiver.grpc_endpoint()),
    };
    match case {
        "nobody listens" => format!("http://{NOBODY}"),
        "no such host" => "http://collector.invalid:4318".to_owned(),
        "the other port" => other,
        "TLS to a plain port" => own.replace("http://", "https://"),
        "plain text to a TLS port" => own.replace("https://", "http://"),
        "an unknown authority" | "no certificates" => own,
        head => answering(head),
    }
}

fn cause(case: &'static str, protocol: Protocol) -> String {
    let receiver = match case {
        "plain text to a TLS port" | "an unknown authority" | "no certificates" => {
            OtlpReceiver::builder().with_tls(&TestCertificates::generate().unwrap()).start()
        }
        _ => OtlpReceiver::start(),
    };
    let receiver = receiver.unwrap();
    let telemetry = patient()
        .with_endpoint(endpoint(case, protocol, &receiver))
        .with_protocol(protocol)
        .with_exporters(Signal::Metrics, ["none"])
        .with_exporters(Signal::Logs, ["none"])
        .with_environment(move |name| match name {
            "OTEL_EXPORTER_OTLP_TIMEOUT" => Some("1000".to_owned()),
            // A file without certificates.
            "OTEL_EXPORTER_OTLP_CERTIFICATE" if case == "no certificates" => Some(RUNBOOK.to_owned()),
            _ => None,
        })
        .install()
        .unwrap();
    global::tracer("runbook").start("span").end();
    telemetry.shutdown_blocking().unwrap_err().failures()[0].cause().to_owned()
}

/// The texts of the first column of the table that begins so: what stands in backticks, up to an ellipsis.
fn explained<'a>(runbook: &'a str, begins: &str) -> Vec<&'a str> {
    let (_, table) = runbook.split_once(begins).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let first = rows.map(|row| row.split('|').nth(1).unwrap());
    first
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|text| text.trim_end_matches(".."))
        .collect()
}

#[test]
fn the_runbook_explains_what_is_told() {
    let test = "runbook::the_runbook_explains_what_is_told";
    if child::is_child() {
        let index: usize = std::env::var(CASE).unwrap().parse().unwrap();
        let (case, protocol) = CASES[index];
        let runbook = std::fs::read_to_string(RUNBOOK).unwrap();
        let (explained, cause) = (explained(&runbook, "| the cause says |"), cause(case, protocol));
        assert!(explained.len() > 10, "{explained:?}");
        let is_explained = explained.iter().any(|text| cause.contains(text));
        assert!(is_explained, "{case}, {protocol:?}: {cause:?} is none of {explained:?}");
        return;
    }
    if !Path::new(RUNBOOK).exists() {
        return println!("skipped: {RUNBOOK} is not there");
    }
    thread::scope(|scope| {
        for index in 0..CASES.len() {
            scope.spawn(move || child::run(test, &[(CASE, &index.to_string()), ("RUST_LOG", "off")]));
        }
    });
}

/// Texts of the operating system.
const FOREIGN: &[&str] =
    &["No space left on device", "Permission denied", "Too many open files", "No such file or directory"];

#[test]
fn what_the_runbook_quotes_is_in_the_code() {
    if !Path::new(RUNBOOK).exists() {
        return println!("skipped: {RUNBOOK} is not there");
    }
    const TABLE: &str = "| the warning says |";
    let runbook = std::fs::read_to_string(RUNBOOK).unwrap();
    let code = code_below(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    let is_told = |text: &&str| {
        let parts = parts(text);
        !parts.is_empty() && parts.iter().all(|part| code.contains(part) || FOREIGN.contains(&part.as_str()))
    };
    let tables = runbook.match_indices(TABLE).map(|(begins, _)| explained(&runbook[begins..], TABLE));
    let (told, missing): (Vec<_>, Vec<_>) = tables.flatten().partition(is_told);
    assert!(missing.is_empty() && told.len() > 40, "{missing:?} of {told:?}");
}

/// What of a quote is in one piece in the code, and enough to find something by: what stands between ellipses, names of
/// variables, and colons and commas, behind which a cause may follow.
fn parts(quote: &str) -> Vec<String> {
    let is_name = |word: &str| {
        word.len() > 4 && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    let words: Vec<_> = quote.split(' ').map(|word| if is_name(word) { ".." } else { word }).collect();
    let words = words.join(" ").replace(": ", "..").replace(", ", "..");
    let parts = words.split("..").map(|part| part.trim_matches([' ', ';', ':']));
    parts.filter(|part| part.len() >= "expected".len()).map(str::to_owned).collect()
}

/// All of it as one line, with texts as they are told, without comments, tests and pages.
fn code_below(folder: &Path) -> String {
    let is_told = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default();
        name != "tests" && name != "docs"
    };
    let read = |path: PathBuf| {
        if path.is_dir() {
            return code_below(&path);
        }
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let code: String = paths.filter(is_told).map(read).collect();
    code.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}
