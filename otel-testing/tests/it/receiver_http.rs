use std::io::Write as _;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use otel_testing::{AssertTelemetry as _, Captured, OtlpReceiver, PointValue, Protocol, Reply};
use prost::Message;
use reqwest::blocking::{Client, Response};

/// As a person writes it: upper-case ids, numbers where strings are allowed, a field that is not known yet.
const BY_HAND: &str = r#"{"resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "by hand"}}]},
    "scopeSpans": [{"scope": {"name": "browser"}, "spans": [{
        "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "parentSpanId": "EEE19B7EC3C1B173",
        "name": "click", "kind": 3, "startTimeUnixNano": 1544712660000000000, "endTimeUnixNano": "1544712661000000000",
        "attributes": [{"key": "n", "value": {"intValue": 7}}, {"key": "m", "value": {"intValue": "8"}}],
        "status": {"code": 2}, "notKnownYet": true}]}]}]}"#;

fn post(receiver: &OtlpReceiver, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let mut request = Client::new().post(format!("{}{path}", receiver.http_endpoint())).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().unwrap()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn rpc_status(response: Response) -> RpcStatus {
    assert_eq!(response.headers()["content-type"], "application/x-protobuf");
    RpcStatus::decode(response.bytes().unwrap()).unwrap()
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[test]
fn takes_json_written_by_hand() {
    let receiver = OtlpReceiver::start().unwrap();
    let response = post(&receiver, "/v1/traces", &[JSON], BY_HAND);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().unwrap(), "{}");

    let spans = receiver.spans();
    assert_eq!((spans[0].service(), spans[0].name.as_str()), ("by hand", "click"));
    assert_eq!(spans[0].trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!(spans[0].parent_span_id.as_deref(), Some("eee19b7ec3c1b173"));
    assert!(spans[0].has("n", 7) && spans[0].has("m", 8));
    assert_eq!(spans[0].duration().as_secs(), 1);
    assert_eq!(receiver.requests()[0].protocol, Protocol::HttpJson);
}

#[test]
fn null_is_no_value_in_any_field() {
    let receiver = OtlpReceiver::start().unwrap();
    for (path, body) in [
        (
            "/v1/traces",
            r#"{"resourceSpans": [{"resource": null, "schemaUrl": null, "scopeSpans": [{"scope": null, "spans": [
                {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "parentSpanId": null,
                 "name": "click", "kind": null, "startTimeUnixNano": null, "events": null, "links": [{"attributes": null}],
                 "attributes": [{"key": "k", "value": {"stringValue": null}}], "status": {"message": null}}]}]}]}"#,
        ),
        (
            "/v1/metrics",
            r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "unit": null, "gauge": null, "sum": {
                "aggregationTemporality": null, "isMonotonic": null, "dataPoints": [
                    {"asDouble": null, "asInt": 1, "flags": null}]}}]}]}]}"#,
        ),
        (
            "/v1/logs",
            r#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": null, "traceId": null}]}]}]}"#,
        ),
        ("/v1/logs", r#"{"resourceLogs": null}"#),
    ] {
        let response = post(&receiver, path, &[JSON], body);
        assert_eq!((response.status().as_u16(), response.text().unwrap().as_str()), (200, "{}"), "{body}");
    }
    let span = &receiver.spans()[0];
    assert_eq!((span.name.as_str(), span.parent_span_id.as_ref(), span.links.len()), ("click", None, 1));
    assert_eq!(Captured::from(&receiver).total("m"), 1.0);
    assert_eq!(receiver.logs().len(), 1);
}

#[test]
fn takes_gzip_of_json() {
    let receiver = OtlpReceiver::start().unwrap();
    let headers = [JSON, ("content-encoding", "gzip"), ("x-api-key", "k")];
    assert_eq!(post(&receiver, "/v1/traces", &headers, gzip(BY_HAND.as_bytes())).status(), 200);
    assert_eq!(receiver.spans().len(), 1);
    assert_eq!(receiver.requests()[0].header("x-api-key"), Some("k"));
}

#[test]
fn takes_gzip_of_several_members() {
    let receiver = OtlpReceiver::start().unwrap();
    let request: ExportTraceServiceRequest = serde_json::from_str(BY_HAND).unwrap();
    // Messages of protobuf that follow each other are one, so the first member alone would pass for the whole.
    let members = [gzip(&request.encode_to_vec()), gzip(&request.encode_to_vec())].concat();
    let response = post(&receiver, "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], members);
    assert_eq!((response.status().as_u16(), receiver.spans().len()), (200, 2));
}

#[test]
fn names_of_types_and_codings_have_no_case() {
    let receiver = OtlpReceiver::start().unwrap();
    let headers = [("content-type", "Application/JSON"), ("content-encoding", "GZIP")];
    assert_eq!(post(&receiver, "/v1/traces", &headers, gzip(BY_HAND.as_bytes())).status(), 200);
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn a_body_over_the_limit_is_refused_with_a_status_message() {
    let receiver = OtlpReceiver::start().unwrap();
    let response = post(&receiver, "/v1/traces", &[PROTOBUF], vec![0; (64 << 20) + 1]);
    assert_eq!(response.status(), 413);
    assert_eq!(rpc_status(response).code, 8);
}

#[test]
fn answers_in_protobuf_what_came_in_protobuf() {
    let receiver = OtlpReceiver::builder().with_max_items(0).start().unwrap();
    let request: ExportTraceServiceRequest = serde_json::from_str(BY_HAND).unwrap();
    let response = post(&receiver, "/v1/traces", &[PROTOBUF], request.encode_to_vec());
    assert_eq!(response.headers()["content-type"], "application/x-protobuf");
    let response = ExportTraceServiceResponse::decode(response.bytes().unwrap()).unwrap();
    assert_eq!(response.partial_success.unwrap().rejected_spans, 1);
    assert_eq!(receiver.dropped(), 1);

    let response = post(&receiver, "/v1/traces", &[JSON], BY_HAND).text().unwrap();
    let response: serde_json::Value = serde_json::from_str(&response).unwrap();
    // 64-bit integers are texts in the JSON form of Protobuf.
    assert_eq!(response["partialSuccess"]["rejectedSpans"], "1");
}

#[test]
fn refuses_garbage_with_a_status_message() {
    let receiver = OtlpReceiver::start().unwrap();
    let response = post(&receiver, "/v1/traces", &[PROTOBUF], "garbage");
    assert_eq!(response.status(), 400);
    assert_eq!(rpc_status(response).code, 3);

    let response = post(&receiver, "/v1/logs", &[JSON], "{\"resourceLogs\": 1}");
    assert_eq!(response.status(), 400);
    let text = response.text().unwrap();
    assert!(text.contains("\"code\":3") && text.contains("invalid type"), "{text}");

    let response = post(&receiver, "/v1/metrics", &[PROTOBUF, ("content-encoding", "gzip")], "garbage");
    assert_eq!(response.status(), 400);
    assert!(rpc_status(response).message.starts_with("gzip: "));
    assert_eq!(receiver.request_count(), 0);
}

#[test]
fn refuses_what_it_cannot_read() {
    let receiver = OtlpReceiver::start().unwrap();
    assert_eq!(post(&receiver, "/v1/traces", &[("content-type", "text/plain")], "").status(), 415);
    assert_eq!(post(&receiver, "/v1/traces", &[], "").status(), 415);
    let response = post(&receiver, "/v1/traces", &[PROTOBUF, ("content-encoding", "br")], "");
    assert_eq!(response.status(), 415);
    assert!(rpc_status(response).message.contains("\"br\""));
    assert_eq!(post(&receiver, "/v1/profiles", &[PROTOBUF], "").status(), 404);
}

/// Whoever waits for telemetry in vain learns that the sender talks to the wrong place, or not as OTLP does.
#[test]
fn what_is_no_otlp_is_told_to_those_who_wait() {
    let receiver = OtlpReceiver::start().unwrap();
    let short = Duration::from_millis(1);
    let told =
        |receiver: &OtlpReceiver| receiver.wait_for_blocking(short, |_| false).unwrap_err().to_string();
    assert!(!told(&receiver).contains("no OTLP"));
    assert_eq!(post(&receiver, "/", &[PROTOBUF], "").status(), 404);
    assert_eq!(
        Client::new().get(format!("{}/v1/logs", receiver.http_endpoint())).send().unwrap().status(),
        405
    );
    assert_eq!(post(&receiver, "/v1/traces", &[], "").status(), 415);
    assert_eq!(post(&receiver, "/v1/metrics", &[JSON], "{").status(), 400);
    assert_eq!(
        receiver.not_understood(),
        [
            "POST /: OTLP over HTTP goes to /v1/traces, /v1/metrics, /v1/logs",
            "GET /v1/logs: only POST is OTLP",
            "POST /v1/traces: content-type must be application/x-protobuf or application/json",
            "POST /v1/metrics: EOF while parsing an object at line 1 column 1",
        ]
    );
    let told = told(&receiver);
    assert!(told.contains("\nwhat is no OTLP came too, the first one: POST /: OTLP over HTTP"), "{told}");
    assert_eq!(receiver.request_count(), 0);

    let client = Client::new();
    (0..100).for_each(|_| drop(client.get(receiver.http_endpoint()).send().unwrap()));
    assert_eq!(receiver.not_understood().len(), 100);
    receiver.clear();
    assert!(receiver.not_understood().is_empty());
}

#[test]
fn a_small_body_that_unpacks_to_a_huge_one_is_refused() {
    let receiver = OtlpReceiver::start().unwrap();
    let bomb = gzip(&vec![0; 65 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024);
    let response = post(&receiver, "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], bomb);
    assert_eq!(response.status(), 413);
    assert_eq!(rpc_status(response).code, 8);
}

#[test]
fn refuses_when_told_to() {
    let receiver = OtlpReceiver::start().unwrap();
    receiver.respond_with(Reply::Unavailable);
    let response = post(&receiver, "/v1/traces", &[JSON], BY_HAND);
    assert_eq!(response.status(), 503);
    assert!(response.text().unwrap().contains("\"code\":14"));
    receiver.respond_with(Reply::InvalidArgument);
    let response = post(&receiver, "/v1/traces", &[PROTOBUF], "");
    assert_eq!(response.status(), 400);
    assert_eq!(rpc_status(response).code, 3);
    assert!(receiver.spans().is_empty());
    assert_eq!(receiver.request_count(), 2);
}

/// "Either numbers or strings are accepted" for numbers, and three texts stand for doubles that JSON cannot write
/// (Protobuf's JSON mapping).
#[test]
fn takes_every_form_of_a_number() {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"ratio","gauge":{"dataPoints":[
            {"timeUnixNano":1,"asDouble":"NaN","attributes":[{"key":"limit","value":{"doubleValue":"-Infinity"}}]},
            {"timeUnixNano":"1","asDouble":"1.5"},{"timeUnixNano":"1","asDouble":2}]}},
        {"name":"sizes","histogram":{"aggregationTemporality":2,"dataPoints":[
            {"timeUnixNano":"1","count":"2","sum":"Infinity","min":null,"explicitBounds":["0.5",1],
             "bucketCounts":["1","0",1],"exemplars":[
                {"timeUnixNano":"7","traceId":"5B8EFFF798038103D269B633813FC60C","asDouble":"Infinity"}]}]}}]}]}]}"#;
    let receiver = OtlpReceiver::start().unwrap();
    let response = post(&receiver, "/v1/metrics", &[JSON], json);
    assert_eq!((response.status().as_u16(), response.text().unwrap()), (200, "{}".to_owned()));

    let metrics = receiver.metrics();
    let values: Vec<String> = metrics[0].points().iter().map(|point| format!("{:?}", point.value)).collect();
    assert_eq!(values, ["Gauge(F64(NaN))", "Gauge(F64(1.5))", "Gauge(F64(2.0))"]);
    assert!(metrics[0].points()[0].attributes.has("limit", f64::NEG_INFINITY));
    let sizes = receiver.assert_metric("sizes").point([]);
    sizes.has_exemplar_of_trace("5b8efff798038103d269b633813fc60c");
    let PointValue::Histogram(sizes) = &metrics[1].points()[0].value else { panic!("{:?}", metrics[1]) };
    assert_eq!((sizes.count, sizes.sum, sizes.min), (2, Some(f64::INFINITY), None));
    assert_eq!((sizes.bounds.as_slice(), sizes.bucket_counts.as_slice()), (&[0.5, 1.0][..], &[1, 0, 1][..]));
}

/// So it says of integers, too, and of bytes: "Either standard or URL-safe base64 encoding with/without paddings are
/// accepted." Enumerations are integers in OTLP, and nothing else.
#[test]
fn takes_every_form_of_an_integer_and_of_bytes() {
    let receiver = OtlpReceiver::start().unwrap();
    let span = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","flags":"768","droppedAttributesCount":"2",
        "attributes":[{"key":"padded","value":{"bytesValue":"_-8="}},{"key":"bare","value":{"bytesValue":"_-8"}},
            {"key":"standard","value":{"bytesValue":"/+8="}}]}]}]}]}"#;
    assert_eq!(post(&receiver, "/v1/traces", &[JSON], span).status(), 200);
    let span = &receiver.spans()[0];
    assert!(span.parent_is_remote());
    assert_eq!(span.dropped_attributes, 2);
    for key in ["padded", "bare", "standard"] {
        assert!(span.has(key, vec![0xff_u8, 0xef]), "{key}");
    }
    let metric = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","exponentialHistogram":{"dataPoints":[
        {"count":1,"scale":"-1","positive":{"offset":"-2","bucketCounts":["1"]}}]}}]}]}]}"#;
    assert_eq!(post(&receiver, "/v1/metrics", &[JSON], metric).status(), 200);
    for span in [r#"{"kind":"3"}"#, r#"{"flags":"1x"}"#, r#"{"flags":"-1"}"#, r#"{"flags":""}"#] {
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
        assert_eq!(post(&receiver, "/v1/traces", &[JSON], body).status(), 400, "{span}");
    }
}

#[test]
fn a_text_that_is_no_number_is_refused() {
    for number in ["nan", "inf", "0x10", "", "1 2"] {
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"ratio","gauge":{{"dataPoints":[
                {{"asDouble":"{number}"}}]}}}}]}}]}}]}}"#
        );
        let receiver = OtlpReceiver::start().unwrap();
        assert_eq!(post(&receiver, "/v1/metrics", &[JSON], json).status(), 400, "{number:?}");
    }
}

/// "An ID with all zeroes OR of length other than 16 bytes is considered invalid": a backend drops what has one.
#[test]
fn invalid_ids_are_told_with_what_has_them() {
    let receiver = OtlpReceiver::start().unwrap();
    let trace = "5b8efff798038103d269b633813fc60c";
    let span = "eee19b7ec3c1b174";
    let spans = serde_json::json!([
        {"name": "good", "traceId": trace, "spanId": span, "links": [{"traceId": trace, "spanId": span}]},
        {"name": "short", "traceId": "0102", "spanId": span, "parentSpanId": "03"},
        {"name": "zeros", "traceId": trace, "spanId": "0000000000000000"},
        {"name": "none", "spanId": span},
        {"name": "linked", "traceId": trace, "spanId": span, "links": [{"traceId": trace, "spanId": trace}]},
    ]);
    let traces = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    assert_eq!(post(&receiver, "/v1/traces", &[JSON], traces).status(), 200);
    let records = serde_json::json!([
        {"body": {"stringValue": "outside"}},
        {"body": {"stringValue": "order placed"}, "traceId": trace, "spanId": "0102"},
    ]);
    let logs = serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
    assert_eq!(post(&receiver, "/v1/logs", &[JSON], logs).status(), 200);
    assert_eq!(
        receiver.not_understood(),
        [
            "span \"short\": the trace id 0102 must have 16 bytes and has 2",
            "span \"short\": the parent span id 03 must have 8 bytes and has 1",
            "span \"zeros\": the span id is all zeros",
            "span \"none\": the trace id is missing",
            "span \"linked\": link 1: the span id 5b8efff798038103d269b633813fc60c must have 8 bytes and has 16",
            "log record \"order placed\": the span id 0102 must have 8 bytes and has 2",
        ]
    );
    assert_eq!((receiver.spans().len(), receiver.logs().len()), (5, 2), "kept as they came");
}
