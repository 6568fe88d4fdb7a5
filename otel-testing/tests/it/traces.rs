use otel_testing::{OtlpReceiver, ReceivedTrace};
use reqwest::blocking::Client;
use serde_json::json;

/// Spans as (service, span id, parent span id, name), in one trace; ids are short for `…0001`.
fn receive(spans: &[(&str, u8, Option<u8>, &str)]) -> OtlpReceiver {
    let receiver = OtlpReceiver::start().unwrap();
    let id = |id: u8| format!("{id:016x}");
    let resource =
        |service: &str| json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]});
    for (position, (service, span, parent, name)) in spans.iter().enumerate() {
        let span = json!({
            "traceId": "5b8efff798038103d269b633813fc60c", "spanId": id(*span),
            "parentSpanId": parent.map(id).unwrap_or_default(), "name": name, "kind": 1,
            "startTimeUnixNano": (position + 1).to_string(), "endTimeUnixNano": "100"
        });
        let body =
            json!({"resourceSpans": [{"resource": resource(service), "scopeSpans": [{"spans": [span]}]}]});
        post(&receiver, "traces", &body);
    }
    receiver
}

fn post(receiver: &OtlpReceiver, signal: &str, body: &serde_json::Value) {
    let url = format!("{}/v1/{signal}", receiver.http_endpoint());
    let request = Client::new().post(url).header("content-type", "application/json").body(body.to_string());
    assert_eq!(request.send().unwrap().status(), 200);
}

fn only_trace(receiver: &OtlpReceiver) -> ReceivedTrace {
    let mut traces = receiver.traces();
    assert_eq!(traces.len(), 1);
    traces.remove(0)
}

#[test]
fn a_complete_trace_has_one_root_and_everything_below_it() {
    let receiver = receive(&[
        ("gateway", 1, None, "POST /orders"),
        ("gateway", 2, Some(1), "POST"),
        ("orders", 3, Some(2), "POST /orders/new"),
        ("gateway", 4, Some(1), "POST again"),
    ]);
    let log = json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "0000000000000003",
        "severityText": "INFO", "body": {"stringValue": "placed"}});
    post(&receiver, "logs", &json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}));
    let trace = only_trace(&receiver);

    assert!(trace.is_complete());
    assert_eq!(trace.roots().len(), 1);
    assert_eq!(trace.roots()[0].name, "POST /orders");
    assert!(trace.orphans().is_empty());
    assert_eq!(trace.services(), ["gateway", "orders"]);
    let children: Vec<&str> =
        trace.children("0000000000000001").iter().map(|span| span.name.as_str()).collect();
    assert_eq!(children, ["POST", "POST again"]);
    assert_eq!(trace.span("0000000000000003").unwrap().name, "POST /orders/new");
    assert_eq!(trace.spans_named("POST").len(), 1);
    assert_eq!(trace.logs_of("0000000000000003")[0].message(), "placed");
    assert_eq!(receiver.trace(&trace.trace_id), Some(trace.clone()));
    assert_eq!(receiver.trace("00000000000000000000000000000001"), None);
    assert_eq!(
        trace.tree(),
        "trace 1\n  gateway: POST /orders internal\n    gateway: POST internal\n      orders: POST /orders/new \
         internal\n        * log INFO \"placed\"\n    gateway: POST again internal\n"
    );
}

#[test]
fn a_missing_parent_makes_an_orphan() {
    let trace = only_trace(&receive(&[
        ("a", 1, None, "root"),
        ("b", 3, Some(2), "lost"),
        ("b", 4, Some(3), "below"),
    ]));
    assert!(!trace.is_complete());
    assert_eq!(trace.orphans().len(), 1);
    assert_eq!(trace.orphans()[0].name, "lost");
    assert_eq!(
        trace.tree(),
        "trace 1\n  a: root internal\n  b: lost internal (parent missing)\n    b: below internal\n"
    );
}

#[test]
fn two_roots_or_none_are_no_complete_trace() {
    assert!(!only_trace(&receive(&[("a", 1, None, "root"), ("a", 2, None, "root")])).is_complete());
    assert!(!only_trace(&receive(&[("a", 2, Some(1), "lost")])).is_complete());
}

#[test]
fn spans_that_are_their_own_ancestors_are_found_and_shown() {
    let trace =
        only_trace(&receive(&[("a", 1, None, "root"), ("a", 2, Some(3), "one"), ("a", 3, Some(2), "other")]));
    assert!(!trace.is_complete());
    assert!(trace.orphans().is_empty());
    assert_eq!(
        trace.tree(),
        "trace 1\n  a: root internal\n  a: one internal (its own ancestor)\n    a: other internal\n"
    );
}

#[test]
fn a_chain_deeper_than_a_thread_s_stack_is_rendered() {
    let deep = 20_000_u32;
    let spans: Vec<serde_json::Value> = (1..=deep)
        .map(|id| {
            let parent = if id == 1 { String::new() } else { format!("{:016x}", id - 1) };
            json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": format!("{id:016x}"),
                "parentSpanId": parent, "name": "n", "startTimeUnixNano": id.to_string()})
        })
        .collect();
    let receiver = OtlpReceiver::start().unwrap();
    post(&receiver, "traces", &json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}));
    let trace = only_trace(&receiver);
    assert!(trace.is_complete());
    let tree = trace.tree();
    assert_eq!(tree.lines().count(), 1 + usize::try_from(deep).unwrap());
    assert!(tree.lines().all(|line| line.len() < 200));
}
