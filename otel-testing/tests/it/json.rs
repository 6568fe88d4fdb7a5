use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otel_testing::OtlpReceiver;
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
