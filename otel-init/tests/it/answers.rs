//! Answers that are none, and answers that are seldom seen: each is told once, and the counts add up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::{SignalHealth, opentelemetry};

use crate::child::{self, alone};
use crate::faults::{SPANS, lifetime};
use crate::patient;
use crate::scripted::{Reaction, Scripted};

fn expect_refusal(test: &str, reaction: &Reaction, told: &str) {
    if child::is_child() {
        let collector = Scripted::start(std::slice::from_ref(reaction));
        let health = lifetime(&collector.http(), "http/protobuf");
        assert_eq!((health.failed, health.retries, collector.requests()), (SPANS, 0, 1), "{health:?}");
        return;
    }
    let finished = child::run(test, &[]);
    let lines = finished.lines("cannot export traces to http://127.0.0.1:");
    assert!(lines.len() == 1 && lines[0].contains(told), "{}", finished.console);
}

#[test]
fn one_without_an_end_is_no_delivery() {
    let told = "it has no end: there is a server, but it is no collector.";
    expect_refusal("answers::one_without_an_end_is_no_delivery", &Reaction::Flood(100 << 20), told);
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let location = "location: http://localhost:1/v1/traces?token=secret\r\n";
    let told = "a redirect to \"http://localhost\", which is not followed. The service goes on, but its telemetry is lost \
                until this works: make the collector itself the endpoint";
    let redirect = Reaction::status("307 Temporary Redirect", location);
    expect_refusal("answers::a_redirect_is_told_and_not_followed", &redirect, told);
}

#[test]
fn what_a_collector_says_of_what_it_took_repeats_no_secret_and_tells_what_is_lost() {
    let test = "answers::what_a_collector_says_of_what_it_took_repeats_no_secret_and_tells_what_is_lost";
    if child::is_child() {
        let partial = |rejected: u64, message: &str| {
            let body = format!(
                r#"{{"partialSuccess":{{"rejectedSpans":"{rejected}","errorMessage":"{message}"}}}}"#
            );
            let (head, length) = ("HTTP/1.1 200 OK\r\ncontent-type: application/json", body.len());
            Reaction::Answer(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}"))
        };
        let long = "x".repeat(1 << 20);
        let collector = Scripted::start(&[
            partial(0, "c0ffee1234 will expire"),
            partial(5000, "c0ffee1234, hunter2-in-url \\u001b[2J"),
            partial(1, &long),
            partial(1, ""),
        ]);
        let telemetry = patient()
            .with_endpoint(format!("{}?key=hunter2-in-url", collector.http()))
            .with_environment(|name| match name {
                "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer%20c0ffee1234".to_owned()),
                "OTEL_METRICS_EXPORTER" | "OTEL_LOGS_EXPORTER" => Some("none".to_owned()),
                _ => None,
            })
            .install()
            .unwrap();
        for _ in 0..4 {
            global::tracer("answers").start("span").end();
            telemetry.flush_blocking().unwrap();
        }
        telemetry.shutdown_blocking().unwrap();
        return;
    }
    let finished = child::run(test, &[]);
    for told in [
        "took traces, with a warning: \"REDACTED will expire\"; see its log",
        "rejected 1 of 1 in traces, which is lost: \"REDACTED, REDACTED [2J\"; see its log",
        "rejected 1 of 1 in traces, which is lost; see its log",
        &format!("which is lost: \"{}\"; see its log", "x".repeat(200)),
    ] {
        assert_eq!(finished.lines(told).len(), 1, "{told}: {}", finished.console);
    }
}

#[test]
fn one_of_http_1_0_is_enough() {
    alone("answers::one_of_http_1_0_is_enough", || {
        let answer = Reaction::LastAnswer("HTTP/1.0 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n");
        let health = lifetime(&Scripted::start(&[answer]).http(), "http/protobuf");
        assert_eq!((health.exported, health.retries), (SPANS, 0), "{health:?}");
    });
}

#[test]
fn one_over_ipv6_is_as_good() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return println!("skipped: no IPv6 here");
    };
    alone("answers::one_over_ipv6_is_as_good", || {
        let collector = Scripted::listening(listener.try_clone().unwrap(), &[Reaction::ok()]);
        assert_eq!(lifetime(&collector.http(), "http/protobuf").exported, SPANS);
    });
}

/// What follows a request over HTTP/2.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Taken,
    /// The whole message, and the end of the stream.
    WithoutTrailers,
    /// The head, and the end of the stream.
    WithoutMessage,
    /// "No more streams", before the answer to this one.
    LastTaken,
    /// "No more streams", and this one was not looked at.
    GoAway,
    /// The same with many words, which repeat a secret.
    Explained,
    /// The code of an error.
    Reset(u8),
    /// A part of the answer, and the end of the connection.
    Cut,
}

const PASSWORD: &str = "hunter2-hunter2";

fn over_http2(script: &'static [Reply]) -> (SignalHealth, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://user:{PASSWORD}@{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || serve(connection, script, &count));
        }
    });
    (lifetime(&endpoint, "grpc"), requests.load(Ordering::Acquire))
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// Also the acknowledgement of settings.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn serve(mut connection: TcpStream, script: &[Reply], count: &AtomicUsize) -> Option<()> {
    let mut preface = [0; 24];
    connection.read_exact(&mut preface).ok()?;
    connection.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        connection.read_exact(&mut payload).ok()?;
        if kind == SETTINGS && flags == 0 {
            connection.write_all(&frame(SETTINGS, END_STREAM, 0, &[])).ok()?;
        }
        if kind == DATA && flags & END_STREAM != 0 {
            let index = count.fetch_add(1, Ordering::AcqRel);
            let reply = *script.get(index).or(script.last())?;
            connection.write_all(&answer(reply, u32::from_be_bytes(stream))).ok()?;
            if matches!(reply, Reply::GoAway | Reply::Explained | Reply::Cut) {
                connection.shutdown(Shutdown::Write).ok()?;
                // What is not read would make a reset of the end, now and then, which is another cause.
                std::io::copy(&mut connection, &mut std::io::sink()).ok()?;
                return None;
            }
        }
    }
}

fn answer(reply: Reply, stream: u32) -> Vec<u8> {
    let ok = [0x88];
    let message = frame(DATA, 0, stream, &[0; 5]);
    let trailers = frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\x00\x0bgrpc-status\x010");
    let head = frame(HEADERS, END_HEADERS, stream, &ok);
    let taken = [head.clone(), message.clone(), trailers].concat();
    let go_away = |last: u32| frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
    match reply {
        Reply::Taken => taken,
        Reply::WithoutTrailers => [head, frame(DATA, END_STREAM, stream, &[0; 5])].concat(),
        Reply::WithoutMessage => frame(HEADERS, END_STREAM | END_HEADERS, stream, &ok),
        Reply::LastTaken => [go_away(stream), taken].concat(),
        Reply::GoAway => go_away(0),
        Reply::Explained => {
            let words = format!("{PASSWORD} {}", "is wrong ".repeat(1500));
            frame(GOAWAY, 0, 0, &[&[0; 8], words.as_bytes()].concat())
        }
        Reply::Reset(code) => frame(RST_STREAM, 0, stream, &[0, 0, 0, code]),
        Reply::Cut => [head, message].concat(),
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[test]
fn those_of_http_2_that_are_none_are_asked_for_again() {
    const REFUSED_STREAM: u8 = 7;
    const INTERNAL_ERROR: u8 = 2;
    for (name, script) in [
        ("goaway", &[Reply::GoAway, Reply::Taken] as &'static [Reply]),
        ("last", &[Reply::LastTaken]),
        ("refused", &[Reply::Reset(REFUSED_STREAM), Reply::Taken]),
        ("reset", &[Reply::Reset(INTERNAL_ERROR), Reply::Taken]),
        ("cut", &[Reply::Cut, Reply::Taken]),
        ("trailers", &[Reply::WithoutTrailers]),
    ] {
        row("answers::those_of_http_2_that_are_none_are_asked_for_again", name, || {
            let (health, requests) = over_http2(script);
            assert_eq!((health.exported, requests), (SPANS, script.len()), "{health:?}");
        });
    }
}

#[test]
fn those_of_http_2_that_always_fail_are_told_once() {
    for (name, script, told) in [
        ("goaway", Reply::GoAway, "ends connections"),
        ("explained", Reply::Explained, "is wrong"),
        ("reset", Reply::Reset(2), ""),
        ("cut", Reply::Cut, ""),
        ("message", Reply::WithoutMessage, "the answer is no gRPC message"),
    ] {
        let script: &'static [Reply] = Box::leak(Box::new([script]));
        let finished = row("answers::those_of_http_2_that_always_fail_are_told_once", name, || {
            let (health, _) = over_http2(script);
            assert_eq!(health.failed, SPANS, "{health:?}");
        });
        let Some(finished) = finished else { continue };
        let lines = finished.lines("cannot export traces to http://127.0.0.1:");
        assert!(lines.len() == 1 && lines[0].contains(told), "{name}: {}", finished.console);
        assert!(!lines[0].contains(PASSWORD) && lines[0].len() < 2000, "{name}: {lines:?}");
    }
}

/// Runs one row of a table in a process of its own.
fn row(test: &str, name: &str, action: impl FnOnce()) -> Option<child::Finished> {
    const ROW: &str = "TEST_ROW";
    if !child::is_child() {
        return Some(child::run(test, &[(ROW, name)]));
    }
    if std::env::var(ROW).unwrap() == name {
        action();
    }
    None
}
