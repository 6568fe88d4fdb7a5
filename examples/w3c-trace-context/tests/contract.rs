//! What the validation suite looks at, over real sockets: the headers that come out for those that went in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Stdio;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

/// The service, and the harness that it calls back.
struct Suite {
    _service: Child,
    service: String,
    harness: String,
    received: mpsc::Receiver<HeaderMap>,
}

impl Suite {
    async fn start() -> Self {
        let mut service = Command::new(env!("CARGO_BIN_EXE_w3c-trace-context"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(service.stdout.take().unwrap()).read_line(&mut first).await.unwrap();
        let url = first.trim().strip_prefix("listening on ").unwrap().to_owned();

        let (sender, received) = mpsc::channel(16);
        let app = Router::new().route(
            "/callback",
            post(move |headers: HeaderMap| async move { sender.send(headers).await.unwrap() }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let harness = format!("http://{}/callback", listener.local_addr().unwrap());
        tokio::spawn(IntoFuture::into_future(axum::serve(listener, app)));
        Self { _service: service, service: format!("{url}/test"), harness, received }
    }

    /// Sends the headers, and returns `traceparent` and the joined `tracestate` of the service's call.
    async fn send(&mut self, headers: &[(&'static str, &str)]) -> (Vec<String>, String) {
        self.send_for(headers, 1).await.remove(0)
    }

    /// The same for so many calls.
    async fn send_for(
        &mut self,
        headers: &[(&'static str, &str)],
        calls: usize,
    ) -> Vec<(Vec<String>, String)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let list = vec![json!({ "url": self.harness, "arguments": [] }); calls];
        let answer =
            reqwest::Client::new().post(&self.service).headers(map).json(&list).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut all = Vec::new();
        for _ in 0..calls {
            all.push(self.received().await);
        }
        all
    }

    /// Sends these lines of a head as they are: clients write names in lower case.
    async fn send_as_written(&mut self, lines: &str) -> (Vec<String>, String) {
        let address = self.service.trim_start_matches("http://").trim_end_matches("/test");
        let body = json!([{ "url": self.harness, "arguments": [] }]).to_string();
        let length = body.len();
        let head = format!("POST /test HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("{head}content-length: {length}\r\nconnection: close\r\n{lines}\r\n{body}");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        self.received().await
    }

    async fn received(&mut self) -> (Vec<String>, String) {
        let called = self.received.recv().await.unwrap();
        let all = |name: &str| -> Vec<String> {
            called.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        (all("traceparent"), all("tracestate").join(","))
    }

    /// Whether the trace goes on; checks that exactly one well-formed `traceparent` comes out either way.
    async fn continues(&mut self, headers: &[(&'static str, &str)]) -> bool {
        let (parents, _) = self.send(headers).await;
        let [parent] = &parents[..] else { panic!("one traceparent, not {parents:?}") };
        let parts: Vec<_> = parent.split('-').collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!((parts[0], &lengths[..]), ("00", &[2, 32, 16, 2][..]), "{parent}");
        assert_ne!(parts[2], "1234567890123456", "the service is a parent of its own");
        parts[1] == TRACE
    }
}

#[tokio::test]
async fn traces_go_on_or_begin_anew() {
    let mut suite = Suite::start().await;
    for (value, goes_on) in [
        (PARENT, true),
        ("cc-12345678901234567890123456789012-1234567890123456-01", true),
        ("cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like", true),
        ("cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like", false),
        ("00-12345678901234567890123456789012-1234567890123456-01.", false),
        ("00-12345678901234567890123456789012-1234567890123456-01-more", false),
        ("ff-12345678901234567890123456789012-1234567890123456-01", false),
        ("0.-12345678901234567890123456789012-1234567890123456-01", false),
        ("0000-12345678901234567890123456789012-1234567890123456-01", false),
        ("00-00000000000000000000000000000000-1234567890123456-01", false),
        ("00-.2345678901234567890123456789012-1234567890123456-01", false),
        ("00-1234567890123456789012345678901.-1234567890123456-01", false),
        ("00-123456789012345678901234567890123-1234567890123456-01", false),
        ("00-1234567890123456789012345678901-1234567890123456-01", false),
        ("00-12345678901234567890123456789012-123456789012345.-01", false),
        ("00-12345678901234567890123456789012-1234567890123456-0.", false),
        (".0-12345678901234567890123456789012-1234567890123456-01", false),
        ("000-12345678901234567890123456789012-1234567890123456-01", false),
        ("0-12345678901234567890123456789012-1234567890123456-01", false),
        ("00-12345678901234567890123456789012-0000000000000000-01", false),
        ("00-12345678901234567890123456789012-.234567890123456-01", false),
        ("00-12345678901234567890123456789012-12345678901234567-01", false),
        ("00-12345678901234567890123456789012-123456789012345-01", false),
        ("00-12345678901234567890123456789012-1234567890123456-.0", false),
        ("00-12345678901234567890123456789012-1234567890123456-001", false),
        ("00-12345678901234567890123456789012-1234567890123456-1", false),
    ] {
        assert_eq!(suite.continues(&[("traceparent", value)]).await, goes_on, "{value}");
    }
    assert!(!suite.continues(&[]).await);
    assert!(!suite.continues(&[("traceparent", PARENT), ("traceparent", PARENT)]).await);
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t"), (" \t", " ")] {
        let value = format!("{before}{PARENT}{after}");
        assert!(
            suite.continues(&[("traceparent", &value)]).await,
            "spaces around are no part of it: {value:?}"
        );
    }
    for name in ["trace-parent", "trace.parent"] {
        assert!(!suite.continues(&[(name, PARENT)]).await, "{name}");
    }
}

#[tokio::test]
async fn names_of_headers_have_no_case() {
    let mut suite = Suite::start().await;
    for (parent, state) in [
        ("TraceParent", "TraceState"),
        ("TrAcEpArEnT", "TrAcEsTaTe"),
        ("TRACEPARENT", "TRACESTATE"),
        ("traceparent", "tracestate"),
    ] {
        let (parents, states) =
            suite.send_as_written(&format!("{parent}: {PARENT}\r\n{state}: foo=1\r\n")).await;
        assert_eq!(parents[0].split('-').nth(1), Some(TRACE), "{parent}");
        assert_eq!(states, "foo=1", "{state}");
    }
}

#[tokio::test]
async fn each_call_has_a_parent_of_its_own() {
    let mut suite = Suite::start().await;
    let zero = "00-00000000000000000000000000000000-1234567890123456-01";
    for (header, goes_on) in [(Some(PARENT), true), (None, false), (Some(zero), false)] {
        let headers: Vec<_> = header.into_iter().map(|parent| ("traceparent", parent)).collect();
        let calls = suite.send_for(&headers, 3).await;
        let parts = |at: usize| -> BTreeSet<_> {
            calls.iter().map(|(parents, _)| parents[0].split('-').nth(at).unwrap().to_owned()).collect()
        };
        let (traces, parents) = (parts(1), parts(2));
        assert_eq!((traces.len(), parents.len()), (1, 3), "{header:?}");
        assert_eq!(traces.contains(TRACE), goes_on, "{header:?}");
    }
}

#[tokio::test]
async fn the_random_flag_is_kept_and_set_for_traces_that_begin_here() {
    let mut suite = Suite::start().await;
    for flags in ["02", "03"] {
        let parent = format!("00-{TRACE}-1234567890123456-{flags}");
        let (with, _) = suite.send(&[("traceparent", &parent)]).await;
        assert!(with[0].starts_with(&format!("00-{TRACE}-")), "{with:?}");
        assert!(with[0].ends_with(&format!("-{flags}")), "{with:?}");
    }
    let (without, _) = suite.send(&[("traceparent", PARENT)]).await;
    assert!(without[0].ends_with("-01"), "{without:?}");
    let (fresh, _) = suite.send(&[]).await;
    assert!(fresh[0].ends_with("-03"), "{fresh:?}");
}

#[tokio::test]
async fn tracestate_is_joined_kept_in_order_or_left_out() {
    let mut suite = Suite::start().await;
    let parent = ("traceparent", PARENT);
    let members = |count: u32| (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
    let (full, long) = (members(32), members(33));
    let letters: String = ('a'..='z').collect();
    let values: String = (' '..='~').filter(|character| !matches!(character, ',' | '=')).collect();
    let every = format!("{letters}0123456789_-*/={values}");
    let every_with_vendor = format!("{letters}0123456789_-*/@a-z0-9_-*/={values}");
    let (key, longer_key) = (format!("{}=1", "z".repeat(256)), format!("{}=1", "z".repeat(257)));
    let tenant = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let long_tenant = format!("{}@v=1", "t".repeat(242));
    let long_vendor = format!("t@{}=1", "v".repeat(15));
    let (whole, too_long) = (format!("{}@=1", "t".repeat(255)), format!("{}@=1", "t".repeat(256)));
    let with_key = |member: &str| format!("foo=1,{member}");
    let (kept_key, kept_tenant) = (with_key(&key), with_key(&tenant));
    // The parts of level 1 have no lengths of their own in level 2; the key has.
    let (kept_long_tenant, kept_long_vendor) = (with_key(&long_tenant), with_key(&long_vendor));
    let kept_whole = with_key(&whole);
    for (states, expected) in [
        (vec![&*full], &*full),
        (vec![&*every], &*every),
        (vec![&*every_with_vendor], &*every_with_vendor),
        (vec!["foo=1", &*key], &*kept_key),
        (vec!["foo=1", &*longer_key], ""),
        (vec!["foo=1", &*tenant], &*kept_tenant),
        (vec!["foo=1", &*long_tenant], &*kept_long_tenant),
        (vec!["foo=1", &*long_vendor], &*kept_long_vendor),
        (vec!["foo=1", &*whole], &*kept_whole),
        (vec!["foo=1", &*too_long], ""),
        (vec![" \t foo=1 \t"], "foo=1"),
        (vec!["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (vec!["foo=1", ""], "foo=1"),
        (vec!["", "foo=1"], "foo=1"),
        (vec!["foo=1", "foo=2"], "foo=1,foo=2"),
        (vec!["foo@bar@baz=1,bar=2"], "foo@bar@baz=1,bar=2"), // likewise
        (vec!["FOO=1"], ""),
        (vec!["foo=bar=baz"], ""),
        (vec!["foo=,bar=3"], ""),
        (vec!["foo=1,bar=2"], "foo=1,bar=2"),
        (vec!["foo=1", "", "bar=2", "rojo=1"], "foo=1,bar=2,rojo=1"),
        (vec!["foo=1 \t , \t bar=2"], "foo=1,bar=2"),
        (vec!["foo@=1,bar=2"], "foo@=1,bar=2"), // level 2 allows the sign anywhere but in front
        (vec!["foo@@bar=1,bar=2"], "foo@@bar=1,bar=2"),
        (vec!["@foo=1,bar=2"], ""),
        (vec!["foo.bar=1"], ""),
        (vec!["foo=1,foo=2"], "foo=1,foo=2"), // level 2 leaves it to whoever sent it
        (vec!["foo =1"], ""),
        (vec!["foo=1,=2"], ""),
        (vec![&long], ""),
    ] {
        let headers: Vec<_> =
            std::iter::once(parent).chain(states.iter().map(|state| ("tracestate", *state))).collect();
        let (_, state) = suite.send(&headers).await;
        assert_eq!(state, expected, "{states:?}");
    }
    for name in ["trace-state", "trace.state"] {
        let (_, state) = suite.send(&[parent, (name, "foo=1")]).await;
        assert_eq!(state, "", "{name}");
    }
    let (_, alone) = suite.send(&[("tracestate", "foo=1")]).await;
    assert_eq!(alone, "", "without traceparent it means nothing");
}
