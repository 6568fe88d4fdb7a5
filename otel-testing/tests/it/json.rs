use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otel_testing::{AssertTelemetry, AttributeValue, Captured, OtlpReceiver, span};
use prost::Message;
use reqwest::blocking::Client;
use serde_json::Value;

use crate::receiver::send_everything;
use crate::sender::Sender;

fn received() -> OtlpReceiver {
    let receiver = OtlpReceiver::start().unwrap();
    send_everything(&Sender::grpc(&receiver, None));
    receiver
}

fn post(receiver: &OtlpReceiver, signal: &str, content_type: &str, body: Vec<u8>) {
    let url = format!("{}/v1/{signal}", receiver.http_endpoint());
    let response = Client::new().post(url).header("content-type", content_type).body(body).send().unwrap();
    assert_eq!(response.status(), 200);
}

fn same(one: &OtlpReceiver, other: &OtlpReceiver) {
    assert_eq!(one.spans(), other.spans());
    assert_eq!(one.metrics(), other.metrics());
    assert_eq!(one.logs(), other.logs());
    assert_eq!(one.to_otlp_json().unwrap(), other.to_otlp_json().unwrap());
}

#[test]
fn what_is_written_is_what_was_received() {
    let first = received();
    let mut json = Vec::new();
    first.write_json(&mut json).unwrap();
    assert_eq!(first.to_otlp_json().unwrap().as_bytes(), json);

    // As JSON over the wire: each signal ignores the fields of the others.
    let by_json = OtlpReceiver::start().unwrap();
    for signal in ["traces", "metrics", "logs"] {
        post(&by_json, signal, "application/json", json.clone());
    }
    same(&first, &by_json);

    // Parsed and sent as protobuf.
    let by_protobuf = OtlpReceiver::start().unwrap();
    let traces: ExportTraceServiceRequest = serde_json::from_slice(&json).unwrap();
    let metrics: ExportMetricsServiceRequest = serde_json::from_slice(&json).unwrap();
    let logs: ExportLogsServiceRequest = serde_json::from_slice(&json).unwrap();
    post(&by_protobuf, "traces", "application/x-protobuf", traces.encode_to_vec());
    post(&by_protobuf, "metrics", "application/x-protobuf", metrics.encode_to_vec());
    post(&by_protobuf, "logs", "application/x-protobuf", logs.encode_to_vec());
    same(&first, &by_protobuf);
}

#[test]
fn ids_are_lower_case_hex_and_64_bit_integers_strings() {
    let receiver = received();
    let document: Value = serde_json::from_str(&receiver.to_otlp_json().unwrap()).unwrap();
    let spans = document["resourceSpans"][0]["scopeSpans"].as_array().unwrap().iter();
    let spans: Vec<&Value> = spans.flat_map(|scope| scope["spans"].as_array().unwrap()).collect();
    let charge = spans.iter().find(|span| span["name"] == "charge").unwrap();
    let typed = receiver.spans().into_iter().find(|span| span.name == "charge").unwrap();

    assert_eq!(charge["traceId"], typed.trace_id);
    assert_eq!(charge["spanId"], typed.span_id);
    assert_eq!(charge["parentSpanId"], typed.parent_span_id.clone().unwrap());
    assert_eq!(charge["kind"], 3);
    assert_eq!(charge["status"]["code"], 2);
    assert_eq!(charge["startTimeUnixNano"], typed.start_unix_nanos.to_string());
    let attribute = |key: &str| {
        let attributes = charge["attributes"].as_array().unwrap();
        attributes.iter().find(|entry| entry["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!(attribute("integer"), serde_json::json!({ "intValue": i64::MAX.to_string() }));
    assert_eq!(attribute("double"), serde_json::json!({ "doubleValue": 0.5 }));
    assert_eq!(attribute("text"), serde_json::json!({ "stringValue": "1" }));
    assert_eq!(attribute("boolean"), serde_json::json!({ "boolValue": true }));
    let integers = serde_json::json!({ "values": [{ "intValue": "1" }, { "intValue": "2" }] });
    assert_eq!(attribute("integers"), serde_json::json!({ "arrayValue": integers }));

    let metrics = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
    assert_eq!(metric("orders")["sum"]["dataPoints"][0]["asInt"], "2");
    assert_eq!(
        metric("duration")["histogram"]["dataPoints"][0]["bucketCounts"],
        serde_json::json!(["0", "1", "0"])
    );
    let log = &document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(log["spanId"], receiver.logs()[0].span_id.clone().unwrap());
    assert_eq!(
        log["attributes"][0],
        serde_json::json!({ "key": "bytes", "value": { "bytesValue": "AP8=" } })
    );
}

/// "The generator may leave out fields that have their default value", <https://protobuf.dev/programming-guides/json/>.
#[test]
fn lists_that_are_empty_may_leave_out_their_field() {
    let attributes = serde_json::json!([
        {"key": "list", "value": {"arrayValue": {}}},
        {"key": "map", "value": {"kvlistValue": {"values": null}}},
    ]);
    let scope = serde_json::json!({"logRecords": [{"attributes": attributes}]});
    let document = serde_json::json!({"resourceLogs": [{"scopeLogs": [scope]}]}).to_string();
    let captured = Captured::from_otlp_json(&document).unwrap();
    let attribute = |key: &str| captured.logs[0].attribute(key).cloned();
    assert_eq!(attribute("list"), Some(AttributeValue::Array(Vec::new())));
    assert_eq!(attribute("map"), Some(AttributeValue::Map(Vec::new())));
}

/// As above, of the messages of which the generated types want every field.
#[test]
fn texts_that_are_empty_may_leave_out_their_field() {
    let document = r#"{
        "resourceSpans": [{"resource": {"entityRefs": [{"type": "service", "idKeys": ["service.name"]}, {}]},
            "scopeSpans": [{"spans": [{"name": "charge"}]}]}],
        "resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [
            {"asInt": 1, "attributes": [{"value": {"boolValue": true}}]}]}}]}]}],
        "resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"kvlistValue": {"values": [{"key": null}]}}}]}]}]
    }"#;
    let captured = Captured::from_otlp_json(document).unwrap();
    captured.assert_span("charge");
    assert!(captured.points("m")[0].has("", true));
    assert_eq!(captured.logs[0].body, AttributeValue::Map(vec![(String::new(), AttributeValue::Empty)]));
    // What is something else is refused.
    for map in ["1", "[]", r#"{"values": 1}"#, r#"{"values": [1]}"#] {
        let body = format!(r#"{{"body": {{"kvlistValue": {map}}}}}"#);
        let document = format!(r#"{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [{body}]}}]}}]}}"#);
        assert!(Captured::from_otlp_json(&document).is_err(), "{map}");
    }
}

/// Languages that know one kind of number write integers as doubles, Protobuf's mapping takes exponents besides, and each as a
/// text too.
#[test]
fn an_integer_is_one_however_it_is_written() {
    let read = |five: &str| {
        let metrics = format!(
            r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [
                {{"name": "sum", "sum": {{"aggregationTemporality": 2, "dataPoints": [{{"asInt": {five}}}]}}}},
                {{"name": "sizes", "histogram": {{"aggregationTemporality": 2, "dataPoints": [
                    {{"count": {five}, "bucketCounts": [{five}, 0], "explicitBounds": [1], "timeUnixNano": {five}}}]}}}},
                {{"name": "growth", "exponentialHistogram": {{"aggregationTemporality": 2, "dataPoints": [
                    {{"count": {five}, "zeroCount": {five}, "scale": {five}, "positive": {{"offset": {five}}}}}]}}}}]}}]}}]}}"#
        );
        let spans = format!(
            r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{"name": "charge", "startTimeUnixNano": {five},
                "endTimeUnixNano": {five}, "flags": {five}, "droppedAttributesCount": {five},
                "events": [{{"timeUnixNano": {five}}}],
                "attributes": [{{"key": "retries", "value": {{"intValue": {five}}}}}]}}]}}]}}]}}"#
        );
        let logs = format!(
            r#"{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [
                {{"observedTimeUnixNano": {five}, "body": {{"intValue": {five}}}}}]}}]}}]}}"#
        );
        Captured::from_otlp_json(&format!("{metrics}{spans}{logs}"))
    };
    let plain = read("5").unwrap();
    plain.assert_span(span("charge").has("retries", 5));
    for five in ["5.0", "0.5e1", r#""5""#, r#""5.0""#, r#""5e0""#] {
        assert_eq!(format!("{:?}", read(five).unwrap()), format!("{plain:?}"), "{five}");
    }
    for other in ["5.5", "1e300", "-1e300", r#""5.5""#, r#""five""#, r#""""#, "true"] {
        assert!(read(other).is_err(), "{other}");
    }
    let body = |number: &str| {
        let body = format!(r#"{{"body": {{"intValue": {number}}}}}"#);
        let document = format!(r#"{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [{body}]}}]}}]}}"#);
        Captured::from_otlp_json(&document).map(|captured| captured.logs[0].body.clone()).ok()
    };
    assert_eq!(body("-9223372036854775808.0"), Some(AttributeValue::Int(i64::MIN)));
    assert_eq!(body(r#""9223372036854775807""#), Some(AttributeValue::Int(i64::MAX)));
    assert_eq!(body("9223372036854775808.0"), None);
}

/// Every place of OTLP that holds a double, each with a value that JSON has no number for.
const NO_NUMBERS: &str = r#"{
    "resourceSpans": [{"scopeSpans": [{"spans": [{"name": "charge", "attributes": [
        {"key": "rate", "value": {"doubleValue": "NaN"}},
        {"key": "rates", "value": {"arrayValue": {"values": [{"doubleValue": "Infinity"}, {"doubleValue": 0.5}]}}}]}]}]}],
    "resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "gauge", "gauge": {"dataPoints": [{"asDouble": "-Infinity", "exemplars": [{"asDouble": "NaN"}]}]}},
        {"name": "sizes", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"count": "1", "sum": "NaN", "min": "-Infinity", "max": "Infinity", "explicitBounds": [0.5, "Infinity"]}]}},
        {"name": "growth", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [
            {"count": "1", "sum": "Infinity", "min": "-Infinity", "max": "Infinity", "zeroThreshold": "Infinity"}]}},
        {"name": "latency", "summary": {"dataPoints": [{"sum": "NaN", "quantileValues": [
            {"quantile": "NaN", "value": "NaN"}, {"quantile": 0.99, "value": "Infinity"}]}]}}]}]}],
    "resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"doubleValue": "NaN"}}]}]}]
}"#;

#[test]
fn doubles_that_are_no_numbers_are_written_as_texts() {
    let receiver = OtlpReceiver::start().unwrap();
    for signal in ["traces", "metrics", "logs"] {
        post(&receiver, signal, "application/json", NO_NUMBERS.into());
    }
    let written = receiver.to_otlp_json().unwrap();
    // NaN is not equal to itself, so their texts are compared.
    let (sent, written_back) =
        (Captured::from_otlp_json(NO_NUMBERS).unwrap(), Captured::from_otlp_json(&written).unwrap());
    assert_eq!(format!("{sent:?}"), format!("{written_back:?}"));
    assert_eq!(format!("{sent:?}"), format!("{:?}", receiver.captured()));

    let written: Value = serde_json::from_str(&written).unwrap();
    let metrics = &written["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    assert_eq!(metrics[0]["gauge"]["dataPoints"][0]["asDouble"], "-Infinity");
    assert_eq!(metrics[0]["gauge"]["dataPoints"][0]["exemplars"][0]["asDouble"], "NaN");
    assert_eq!(
        metrics[1]["histogram"]["dataPoints"][0]["explicitBounds"],
        serde_json::json!([0.5, "Infinity"])
    );
    assert_eq!(metrics[3]["summary"]["dataPoints"][0]["quantileValues"][0]["value"], "NaN");
    let attributes = &written["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"];
    assert_eq!(attributes[0]["value"], serde_json::json!({ "doubleValue": "NaN" }));
    let rates = serde_json::json!([{ "doubleValue": "Infinity" }, { "doubleValue": 0.5 }]);
    assert_eq!(attributes[1]["value"]["arrayValue"]["values"], rates);
}

/// A file that the test can read while the receiver writes it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_is_read_as_what_was_received() {
    let file = Shared::default();
    let receiver = OtlpReceiver::builder().with_json_lines(file.clone()).start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    send_everything(&sender);
    send_everything(&sender);
    let lines = String::from_utf8(file.0.lock().unwrap().clone()).unwrap();
    assert!(lines.lines().count() >= 6, "{lines}");
    let document = receiver.to_otlp_json().unwrap();
    for text in [lines, document.clone(), format!("\n{document}\n")] {
        let read = Captured::from_otlp_json(&text).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", receiver.captured()));
    }
    let read = Captured::from_otlp_json(&document).unwrap();
    read.assert_spans(2, span("charge").client());
    // The counter is cumulative: its last export counts.
    assert_eq!(read.points("orders").iter().map(|point| point.number().unwrap().as_f64()).sum::<f64>(), 4.0);
    let trace = read.trace(&read.spans[0].trace_id).unwrap();
    assert!(trace.is_complete(), "{}", trace.tree());
    assert_eq!(read.traces().len(), receiver.traces().len());
    assert_eq!(read.traces()[0], trace);
    assert!(Captured::from_otlp_json("").unwrap().spans.is_empty());
}

#[test]
fn a_text_that_is_no_otlp_is_refused_with_its_place() {
    let refused = [
        "{}\n{",
        "{}\n[]",
        "{}\n{}\nspans",
        r#"{"resourceSpans": 1}"#,
        r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a", "gauge": {"dataPoints": [{"asDouble": "many"}]}}]}]}]}"#,
    ];
    let errors = refused.map(|text| Captured::from_otlp_json(text).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

/// A sender may name a resource twice in one request, with a part of the points each time.
#[test]
fn points_of_one_request_are_seen_together_whoever_its_parts_name_again() {
    let part = |attributes: &str, tier: &str, count: u8| {
        let tier = format!(r#"[{{"key": "tier", "value": {{"stringValue": "{tier}"}}}}]"#);
        let points = format!(r#"[{{"asInt": "{count}", "attributes": {tier}}}]"#);
        let sum = format!(r#"{{"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": {points}}}"#);
        let metrics = format!(r#"[{{"metrics": [{{"name": "orders", "sum": {sum}}}]}}]"#);
        format!(r#"{{"resource": {{"attributes": [{attributes}]}}, "scopeMetrics": {metrics}}}"#)
    };
    let request = |parts: &[String]| format!(r#"{{"resourceMetrics": [{}]}}"#, parts.join(",")).into_bytes();
    let pair =
        |key: &str, value: &str| format!(r#"{{"key": "{key}", "value": {{"stringValue": "{value}"}}}}"#);
    let (name, host) = (pair("service.name", "shop"), pair("host.name", "a"));
    let (shop, again) = (format!("{name},{host}"), format!("{host},{name}"));
    let receiver = OtlpReceiver::start().unwrap();
    let parts = [part(&shop, "gold", 1), part("", "none", 9), part(&again, "silver", 2)];
    post(&receiver, "metrics", "application/json", request(&parts));
    receiver.captured().of_service("shop").assert_metric("orders").has_series(2).has_total(3);
    let written = Captured::from_otlp_json(&receiver.to_otlp_json().unwrap()).unwrap();
    written.of_service("shop").assert_metric("orders").has_series(2).has_total(3);

    // The next request takes the place of all of it.
    post(&receiver, "metrics", "application/json", request(&[part(&shop, "bronze", 5)]));
    receiver.captured().of_service("shop").assert_metric("orders").has_series(1).has_total(5);
}

/// A file may be of megabytes.
#[test]
fn an_error_names_the_field() {
    let error = |json: &str| Captured::from_otlp_json(json).unwrap_err().to_string();
    let span = |fields: &str| {
        format!(r#"{{"resourceSpans": [{{}}, {{"scopeSpans": [{{"spans": [{{{fields}}}]}}]}}]}}"#)
    };
    let kind = error(&span(r#""name": "charge", "startTimeUnixNano": "soon""#));
    assert!(
        kind.starts_with(
            "document 1 is no OTLP/JSON: resourceSpans[1].scopeSpans[0].spans[0].startTimeUnixNano: "
        ),
        "{kind}"
    );
    let name = error(&span(r#""name": 5"#));
    assert!(
        name.contains(": resourceSpans[1].scopeSpans[0].spans[0].name: invalid type: integer `5`"),
        "{name}"
    );
    let value =
        error(&span(r#""attributes": [{"key": "a"}, {"key": "b", "value": {"boolValue": "maybe"}}]"#));
    assert!(value.contains(": resourceSpans[1].scopeSpans[0].spans[0].attributes[1]"), "{value}");
    let syntax = error("{\n  \"resourceSpans\": [}");
    assert!(syntax.contains("line 2 column 21"), "{syntax}");
}
