use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Link, Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, InstrumentationScope, Key, KeyValue, Value};
use opentelemetry_otlp::Compression;
use otel_testing::{AttributeValue, MetricKind, OtlpReceiver, PointValue, Protocol, Signal};

use crate::sender::Sender;

const LONG: Duration = Duration::from_secs(30);

/// One of everything that OTLP can carry and the SDK can send.
pub(crate) fn send_everything(sender: &Sender) {
    send_spans(sender);
    send_metrics(sender);
    send_logs(sender);
    sender.flush();
}

fn send_spans(sender: &Sender) {
    let scope = InstrumentationScope::builder("checkout")
        .with_version("1.2.3")
        .with_schema_url("https://example.org/schema")
        .with_attributes([KeyValue::new("scope.kind", "test")])
        .build();
    let tracer = sender.traces.tracer_with_scope(scope);
    tracer.in_span("checkout", |context| {
        let mut charge = tracer
            .span_builder("charge")
            .with_kind(SpanKind::Client)
            .with_links(vec![Link::new(
                context.span().span_context().clone(),
                vec![KeyValue::new("why", "retry")],
                0,
            )])
            .with_attributes([
                KeyValue::new("text", "1"),
                KeyValue::new("integer", i64::MAX),
                KeyValue::new("double", 0.5),
                KeyValue::new("boolean", true),
                KeyValue::new("texts", Value::Array(Array::String(vec!["a".into(), "b".into()]))),
                KeyValue::new("integers", Value::Array(Array::I64(vec![1, 2]))),
                KeyValue::new("doubles", Value::Array(Array::F64(vec![0.5]))),
                KeyValue::new("booleans", Value::Array(Array::Bool(vec![true, false]))),
            ])
            .start(&tracer);
        charge.add_event("declined", vec![KeyValue::new("code", 51)]);
        charge.set_status(Status::error("no funds"));
        charge.end();
    });
}

fn send_metrics(sender: &Sender) {
    let meter = sender.metrics.meter("checkout");
    meter
        .u64_counter("orders")
        .with_unit("{order}")
        .with_description("Placed orders")
        .build()
        .add(2, &[KeyValue::new("tier", "gold"), KeyValue::new("items", 3)]);
    meter.f64_up_down_counter("balance").build().add(-1.5, &[]);
    meter.i64_gauge("stock").build().record(-2, &[]);
    let duration = meter.f64_histogram("duration").with_unit("s").with_boundaries(vec![0.1, 1.0]).build();
    duration.record(0.5, &[]);
}

fn send_logs(sender: &Sender) {
    let logger = sender.logs.logger("checkout");
    sender.traces.tracer("checkout").in_span("audit", |_| {
        let mut record = logger.create_log_record();
        record.set_body("order placed".into());
        record.set_severity_number(Severity::Warn);
        record.set_severity_text("WARN");
        record.set_event_name("order.placed");
        record.add_attribute("bytes", AnyValue::Bytes(Box::new(vec![0, 255])));
        let entries = [(Key::new("b"), AnyValue::from(2)), (Key::new("a"), AnyValue::from("1"))];
        record.add_attribute("map", AnyValue::Map(Box::new(entries.into_iter().collect())));
        record
            .add_attribute("list", AnyValue::ListAny(Box::new(vec![AnyValue::from(1), AnyValue::from("1")])));
        logger.emit(record);
    });
}

fn check_everything(receiver: &OtlpReceiver) {
    check_spans(receiver);
    check_metrics(receiver);
    check_logs(receiver);
}

fn check_spans(receiver: &OtlpReceiver) {
    let spans = receiver.spans();
    assert_eq!(spans.len(), 3);
    let charge = spans.iter().find(|span| span.name == "charge").unwrap();
    let checkout = spans.iter().find(|span| span.name == "checkout").unwrap();
    assert_eq!(charge.service(), "shop");
    assert_eq!((charge.scope.name.as_str(), charge.scope.version.as_str()), ("checkout", "1.2.3"));
    assert_eq!(charge.scope.schema_url, "https://example.org/schema");
    assert!(charge.scope.attributes.has("scope.kind", "test"));
    assert_eq!(charge.trace_id, checkout.trace_id);
    assert_eq!((charge.trace_id.len(), charge.span_id.len()), (32, 16));
    assert_eq!(charge.parent_span_id.as_ref(), Some(&checkout.span_id));
    assert_eq!(checkout.parent_span_id, None);
    assert!(!charge.parent_is_remote());
    assert_eq!((charge.kind.clone(), checkout.kind.clone()), (SpanKind::Client, SpanKind::Internal));
    assert_eq!(charge.status, Status::error("no funds"));
    assert_eq!(checkout.status, Status::Unset);
    assert!(checkout.start_unix_nanos <= charge.start_unix_nanos);
    assert!(checkout.duration() >= charge.duration());

    assert!(charge.has("text", "1") && !charge.has("text", 1));
    assert!(charge.has("integer", i64::MAX));
    assert!(charge.has("double", 0.5));
    assert!(charge.has("boolean", true));
    assert!(charge.has("texts", vec!["a", "b"]));
    assert!(charge.has("integers", vec![1_i64, 2]));
    let doubles = charge.attribute("doubles");
    assert_eq!(doubles, Some(&AttributeValue::Array(vec![AttributeValue::Double(0.5)])));
    let booleans = vec![AttributeValue::Bool(true), AttributeValue::Bool(false)];
    assert_eq!(charge.attribute("booleans"), Some(&AttributeValue::Array(booleans)));
    assert_eq!(charge.attributes.len(), 8);

    assert_eq!(charge.events[0].name, "declined");
    assert!(charge.events[0].attributes.has("code", 51));
    assert!((charge.start_unix_nanos..=charge.end_unix_nanos).contains(&charge.events[0].unix_nanos));
    assert_eq!(charge.links[0].span_id, checkout.span_id);
    assert!(charge.links[0].attributes.has("why", "retry"));
}

fn check_metrics(receiver: &OtlpReceiver) {
    let metrics = receiver.metrics();
    let metric = |name: &str| metrics.iter().find(|metric| metric.name() == name).unwrap();
    let orders = metric("orders");
    assert_eq!(orders.service(), "shop");
    assert_eq!(orders.metric.scope.name, "checkout");
    assert_eq!(
        (orders.metric.unit.as_str(), orders.metric.description.as_str()),
        ("{order}", "Placed orders")
    );
    assert_eq!(orders.metric.kind, MetricKind::Sum { monotonic: true });
    assert_eq!(orders.points()[0].number().unwrap(), 2);
    assert!(orders.points()[0].has("tier", "gold") && orders.points()[0].has("items", 3));
    assert_eq!(metric("balance").metric.kind, MetricKind::Sum { monotonic: false });
    assert_eq!(metric("balance").points()[0].number().unwrap(), -1.5);
    assert_eq!(metric("stock").points()[0].value, PointValue::Gauge((-2).into()));
    let duration = metric("duration").points()[0].histogram().unwrap().clone();
    assert_eq!((duration.count, duration.sum), (1, Some(0.5)));
    assert_eq!((duration.bounds, duration.bucket_counts), (vec![0.1, 1.0], vec![0, 1, 0]));
}

fn check_logs(receiver: &OtlpReceiver) {
    let logs = receiver.logs();
    let [log] = logs.as_slice() else { panic!("{logs:?}") };
    let audit = receiver.spans().into_iter().find(|span| span.name == "audit").unwrap();
    assert_eq!((log.service(), log.message().as_str()), ("shop", "order placed"));
    assert_eq!((log.severity_number, log.severity_text.as_str()), (13, "WARN"));
    assert_eq!(log.event_name, "order.placed");
    assert_eq!(log.trace_id.as_ref(), Some(&audit.trace_id));
    assert_eq!(log.span_id.as_ref(), Some(&audit.span_id));
    assert!(log.has("bytes", vec![0_u8, 255]));
    assert!(log.has("list", AttributeValue::Array(vec![1.into(), "1".into()])));
    let Some(AttributeValue::Map(map)) = log.attribute("map") else { panic!("{log:?}") };
    assert!(map.contains(&("a".to_owned(), "1".into())) && map.contains(&("b".to_owned(), 2.into())));
}

fn check_requests(receiver: &OtlpReceiver, protocol: Protocol, encoding: (&str, Option<&str>)) {
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let requests = receiver.requests();
        let request = requests.iter().find(|request| request.signal == signal).unwrap();
        assert_eq!(request.protocol, protocol);
        assert!(request.accepted);
        let (header, value) = encoding;
        assert_eq!(request.header(header), value, "{:?}", request.headers);
    }
    assert_eq!(receiver.request_count(), receiver.requests().len() as u64);
}

#[test]
fn grpc_keeps_everything_that_upstreams_exporter_sends() {
    let receiver = OtlpReceiver::start().unwrap();
    send_everything(&Sender::grpc(&receiver, None));
    check_everything(&receiver);
    check_requests(&receiver, Protocol::Grpc, ("grpc-encoding", None));
    check_requests(&receiver, Protocol::Grpc, ("content-type", Some("application/grpc")));
}

#[test]
fn grpc_with_gzip() {
    let receiver = OtlpReceiver::start().unwrap();
    send_everything(&Sender::grpc(&receiver, Some(Compression::Gzip)));
    check_everything(&receiver);
    check_requests(&receiver, Protocol::Grpc, ("grpc-encoding", Some("gzip")));
}

#[test]
fn http_keeps_everything_that_upstreams_exporter_sends() {
    let receiver = OtlpReceiver::start().unwrap();
    send_everything(&Sender::http(&receiver, None));
    check_everything(&receiver);
    check_requests(&receiver, Protocol::HttpProtobuf, ("content-encoding", None));
    check_requests(&receiver, Protocol::HttpProtobuf, ("content-type", Some("application/x-protobuf")));
}

#[test]
fn http_with_gzip() {
    let receiver = OtlpReceiver::start().unwrap();
    send_everything(&Sender::http(&receiver, Some(Compression::Gzip)));
    check_everything(&receiver);
    check_requests(&receiver, Protocol::HttpProtobuf, ("content-encoding", Some("gzip")));
}

#[test]
fn an_arrival_wakes_a_waiting_thread() {
    let receiver = OtlpReceiver::start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| send_everything(&sender));
        receiver
            .wait_for_blocking(Duration::MAX, |receiver| {
                receiver.spans().len() == 3 && receiver.logs().len() == 1
            })
            .unwrap();
    });
    assert!(start.elapsed() < LONG);
}

#[test]
fn an_arrival_wakes_a_waiting_task_on_any_executor() {
    let receiver = OtlpReceiver::start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    let wait = || receiver.wait_for(LONG, |receiver| !receiver.logs().is_empty());
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| send_everything(&sender));
        futures_executor::block_on(wait()).unwrap();
    });
    receiver.clear();
    let without_clock = tokio::runtime::Builder::new_current_thread().build().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| send_everything(&sender));
        without_clock.block_on(wait()).unwrap();
    });
    assert!(start.elapsed() < LONG);
}

#[test]
fn a_wait_in_vain_says_what_had_arrived() {
    let receiver = OtlpReceiver::start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    send_everything(&sender);
    let short = Duration::from_millis(20);
    let error =
        receiver.wait_for_blocking(short, |receiver| receiver.spans().len() == 4).unwrap_err().to_string();
    // The SDK keeps maps in hash maps.
    insta::assert_snapshot!(error.replace(r#"{a="1", b=2}"#, r#"{b=2, a="1"}"#));
    assert_eq!(format!("{:?}", receiver.wait_for_blocking(short, |_| false).unwrap_err()), error);
    let waited = futures_executor::block_on(receiver.wait_for(short, |_| false));
    assert_eq!(waited.unwrap_err().to_string(), error);
    drop(sender);
}

#[test]
fn a_wait_in_vain_shows_ten_traces_and_counts_the_rest() {
    let receiver = OtlpReceiver::start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    for _ in 0..12 {
        sender.traces.tracer("checkout").in_span("checkout", |_| ());
    }
    sender.flush();
    let error = receiver.wait_for_blocking(Duration::ZERO, |_| false).unwrap_err().to_string();
    let (_, shown) = error.split_once('\n').unwrap();
    insta::assert_snapshot!(shown);
}

#[test]
fn clear_forgets_everything() {
    let receiver = OtlpReceiver::start().unwrap();
    let sender = Sender::grpc(&receiver, None);
    send_everything(&sender);
    receiver.clear();
    assert!(receiver.spans().is_empty() && receiver.logs().is_empty() && receiver.metrics().is_empty());
    assert_eq!((receiver.request_count(), receiver.requests().len()), (0, 0));
    assert_eq!(
        receiver.to_otlp_json().unwrap(),
        r#"{"resourceSpans":[],"resourceMetrics":[],"resourceLogs":[]}"#
    );
    sender.traces.tracer("checkout").in_span("after", |_| ());
    sender.flush();
    assert_eq!(receiver.spans()[0].name, "after");
}

#[test]
fn starts_in_async_code_and_stops_with_a_connection_open() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let receiver = runtime.block_on(async { OtlpReceiver::start().unwrap() });
    let sender = Sender::grpc(&receiver, None);
    sender.traces.tracer("checkout").in_span("checkout", |_| ());
    sender.flush();
    let address = receiver.grpc_endpoint().trim_start_matches("http://").to_owned();
    let mut open = std::net::TcpStream::connect(address).unwrap();
    open.set_read_timeout(Some(LONG)).unwrap();
    let start = Instant::now();
    runtime.block_on(async { drop(receiver) });
    assert!(start.elapsed() < LONG);
    // No new connection tells: the port is free for others now.
    let ended = std::io::copy(&mut open, &mut std::io::sink());
    let is_open = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!is_open, "{ended:?}");
}
