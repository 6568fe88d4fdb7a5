//! What is not quite as expected, and must not pass.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use otel_testing::{AssertTelemetry, Captured, ExpectedTrace, TestTelemetry, assert_trace, span};
use serde_json::{Value, json};

/// The message of an assertion that has to fail.
#[track_caller]
fn fails(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("the assertion passed");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_large_total_of_whole_numbers_is_exact() {
    let telemetry = TestTelemetry::new();
    let meter = telemetry.meter_provider().meter("shop");
    let bytes = meter.u64_counter("bytes").build();
    bytes.add(1_000_000_001, &[KeyValue::new("route", "/a")]);
    bytes.add(1 << 60, &[KeyValue::new("route", "/b")]);
    let total = (1_u64 << 60) + 1_000_000_001;
    telemetry.assert_metric("bytes").has_total(total);
    assert!(fails(|| _ = telemetry.assert_metric("bytes").has_total(total + 1)).contains("its total is"));
    // Floating point numbers are rounded.
    let seconds = meter.f64_counter("seconds").build();
    (0..10).for_each(|_| seconds.add(0.1, &[]));
    telemetry.assert_metric("seconds").has_total(1.0).has_total(1);
}

#[test]
fn what_is_tiny_or_infinite_is_not_close_to_everything() {
    let telemetry = TestTelemetry::new();
    let meter = telemetry.meter_provider().meter("shop");
    meter.f64_histogram("seconds").build().record(0.2, &[]);
    let cost = meter.f64_counter("cost").build();
    cost.add(0.0, &[]);
    fails(|| _ = telemetry.assert_metric("seconds").point([]).has_sum(f64::INFINITY));
    fails(|| _ = telemetry.assert_metric("cost").has_total(f64::INFINITY));
    fails(|| _ = telemetry.assert_metric("cost").has_total(3e-10));
    cost.add(1e-10, &[]);
    cost.add(2e-10, &[]);
    telemetry.assert_metric("cost").has_total(3e-10);
}

#[test]
fn whatever_counts_what_is_under_way_must_be_at_zero() {
    for name in ["shop.requests_in_flight", "jobs_pending", "shop.active_orders", "shop.in_flight.orders"] {
        let telemetry = TestTelemetry::new();
        telemetry.meter_provider().meter("shop").i64_up_down_counter(name).build().add(1, &[]);
        assert!(fails(|| telemetry.assert_nothing_in_flight()).contains(name), "{name}");
    }
    let telemetry = TestTelemetry::new();
    telemetry.meter_provider().meter("shop").i64_up_down_counter("inactive.sessions").build().add(1, &[]);
    telemetry.assert_nothing_in_flight();
}

#[test]
fn an_attribute_that_is_there_twice_is_one_too_many() {
    let telemetry = TestTelemetry::new();
    let mut started = telemetry.tracer_provider().tracer("shop").start("checkout");
    started.set_attribute(KeyValue::new("tier", "gold"));
    started.set_attribute(KeyValue::new("tier", "gold"));
    started.end();
    let twice = telemetry.spans()[0].attributes.len();
    let message = fails(|| {
        // The SDK may come to keep the last one alone.
        assert_eq!(twice, 2, "the SDK keeps one");
        telemetry.assert_span(span("checkout").has_exactly([KeyValue::new("tier", "gold")]));
    });
    assert!(message.contains("tier is there twice") || message.contains("keeps one"), "{message}");
}

/// Nobody knows what they were.
#[test]
fn with_attributes_that_were_dropped_nothing_is_exact() {
    let sent = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "checkout", "droppedAttributesCount": 2,
        "attributes": [{"key": "tier", "value": {"stringValue": "gold"}}]}]}]}]}"#;
    let captured = Captured::from_otlp_json(sent).unwrap();
    captured.assert_span(span("checkout").has("tier", "gold"));
    let exactly = span("checkout").has_exactly([KeyValue::new("tier", "gold")]);
    let message = fails(|| captured.assert_span(exactly));
    assert!(message.contains("attributes that were dropped: 2, expected 0"), "{message}");
}

fn sums(exports: &[Value]) -> Captured {
    let export = |points: &Value| {
        json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "orders", "sum": {
            "aggregationTemporality": 1, "isMonotonic": true, "dataPoints": points,
        }}]}]}]})
        .to_string()
    };
    Captured::from_otlp_json(&exports.iter().map(export).collect::<Vec<_>>().join("\n")).unwrap()
}

#[test]
fn a_root_that_was_sent_twice_is_one_too_many() {
    let sent = |id: &str| {
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": id, "name": "checkout"}]}]}]})
        .to_string()
    };
    let twice = Captured::from_otlp_json(&sent("eee19b7ec3c1b174").repeat(2)).unwrap();
    let message = fails(|| assert_trace!(twice, "checkout"));
    assert!(message.contains("\"checkout\" is there twice"), "{message}");
    let two = [sent("eee19b7ec3c1b174"), sent("eee19b7ec3c1b175")].concat();
    let message = fails(|| assert_trace!(Captured::from_otlp_json(&two).unwrap(), "checkout"));
    assert!(message.contains("\"checkout\" stands beside the root, it has no parent"), "{message}");
}

/// A set of attributes has no order.
#[test]
fn deltas_of_one_series_are_added_up_in_whatever_order_its_attributes_come() {
    let attribute = |key: &str| json!({"key": key, "value": {"stringValue": key}});
    let captured = sums(&[
        json!([{"asInt": "1", "attributes": [attribute("a"), attribute("b")]}]),
        json!([{"asInt": "2", "attributes": [attribute("b"), attribute("a")]}]),
    ]);
    captured.assert_metric("orders").has_series(1).has_total(3);
}

#[test]
fn what_is_redacted_does_not_order_a_snapshot() {
    let snapshot = |ports: [i64; 2]| {
        let telemetry = TestTelemetry::new();
        let orders = telemetry.meter_provider().meter("shop").u64_counter("orders").build();
        for (port, tier) in ports.into_iter().zip(["gold", "iron"]) {
            orders.add(1, &[KeyValue::new("a.port", port), KeyValue::new("tier", tier)]);
        }
        let snapshot = telemetry.snapshot().redact(["a.port"]);
        (snapshot.to_json(), snapshot.to_string())
    };
    assert_eq!(snapshot([5001, 5002]), snapshot([5002, 5001]));
}

#[test]
fn a_deep_trace_that_is_wrong_at_its_end_is_told_at_once() {
    const DEPTH: usize = 24;
    fn start(tracer: &impl Tracer<Span: Send + Sync + 'static>, depth: usize) {
        if depth < DEPTH {
            tracer.in_span(format!("span {depth}"), |_: Context| start(tracer, depth + 1));
        }
    }
    fn expected(depth: usize) -> ExpectedTrace {
        let node = ExpectedTrace::new(format!("span {depth}"));
        if depth + 1 < DEPTH {
            node.child(expected(depth + 1))
        } else {
            node.child(ExpectedTrace::new("more"))
        }
    }
    let telemetry = TestTelemetry::new();
    start(&telemetry.tracer_provider().tracer("shop"), 0);
    let started = Instant::now();
    let message = fails(|| telemetry.assert_trace(expected(0)));
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert!(message.contains("span 23: there is no child \"more\""), "{message}");
}

#[test]
fn many_spans_are_looked_at_in_little_time() {
    let spans: Vec<Value> = (1..50_000_u64)
        .map(|number| {
            let parent = if number == 1 { String::new() } else { format!("{:016x}", number - 1) };
            json!({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": format!("{number:016x}"),
                "parentSpanId": parent, "name": "s"})
        })
        .rev()
        .collect();
    let json = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let captured = Captured::from_otlp_json(&json).unwrap();
    let started = Instant::now();
    captured.assert_no_orphans();
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_tree_is_found_among_many_traces_in_little_time() {
    let span = |trace: u64, number: u64| {
        let parent = if number == 1 { String::new() } else { "0000000000000001".to_owned() };
        json!({"traceId": format!("{trace:032x}"), "spanId": format!("{number:016x}"), "parentSpanId": parent,
            "name": format!("s{}", number.min(trace)), "startTimeUnixNano": number.to_string()})
    };
    let spans: Vec<Value> =
        (1..=2_000_u64).flat_map(|trace| (1..=20).map(move |at| span(trace, at))).collect();
    let json = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let captured = Captured::from_otlp_json(&json).unwrap();
    let started = Instant::now();
    assert_trace!(captured, "s1" => ["s2", "s3", "s4", ..]);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_file_of_something_else_is_not_empty_telemetry() {
    for other in [r#"{"resource_spans": []}"#, r#"{"name": "otel"}"#] {
        let error = Captured::from_otlp_json(other).unwrap_err().to_string();
        assert!(error.contains("it has none of resourceSpans"), "{error}");
    }
    for empty in ["", "{}", r#"{"resourceProfiles": [], "more": 1}"#] {
        assert!(Captured::from_otlp_json(empty).unwrap().spans.is_empty());
    }
}

#[test]
fn a_snapshot_tells_what_a_metric_has_besides_its_sum() {
    let snapshot = |description: &'static str, largest: f64| {
        let telemetry = TestTelemetry::new();
        let meter = telemetry.meter_provider().meter("shop");
        let size =
            meter.f64_histogram("size").with_description(description).with_boundaries(vec![10.0]).build();
        [largest, 5.0 - largest].into_iter().for_each(|value| size.record(value, &[]));
        telemetry.snapshot().to_json()
    };
    assert_eq!(snapshot("Of a cart", 3.0), snapshot("Of a cart", 3.0));
    assert_ne!(snapshot("Of a cart", 3.0), snapshot("Of a cart", 4.0));
    assert_ne!(snapshot("Of a cart", 3.0), snapshot("Of a basket", 3.0));
}

#[test]
fn a_secret_is_found_as_json_and_urls_write_it() {
    for (secret, exported) in [
        ("-----BEGIN KEY-----\nabc", json!({"content": "-----BEGIN KEY-----\nabc"}).to_string()),
        ("two \"words\"", json!(["two \"words\""]).to_string()),
        ("p@ss/word", "https://shop.test/?q=p%40ss%2Fword".to_owned()),
        ("p@ss word", "q=p%40ss+word".to_owned()),
        ("p@ss/word", "q=p%40ss%2fword".to_owned()),
        // Each writer escapes what it must, and some more than that.
        ("p@ss word", "https://shop.test/?q=p@ss%20word".to_owned()),
        ("a*b~c d", "q=a*b%7Ec+d".to_owned()),
        ("p\u{e4}ss\u{1f511}", r#"{"content":"p\u00e4ss\ud83d\udd11"}"#.to_owned()),
        ("a/b\"c", r#"{"content":"a\/b\"c"}"#.to_owned()),
        // JSON within JSON, as the arguments of a tool are, and a URL within another one.
        ("two \"words\"", json!({"arguments": json!({"key": "two \"words\""}).to_string()}).to_string()),
        ("p@ss", "next=%2Flogin%3Ftoken%3Dp%2540ss".to_owned()),
    ] {
        let telemetry = TestTelemetry::new();
        let mut started = telemetry.tracer_provider().tracer("shop").start("checkout");
        started.set_attribute(KeyValue::new("text", exported));
        started.end();
        let message = fails(|| telemetry.assert_no_secrets([secret]));
        assert!(message.contains("is in text of span \"checkout\""), "{message}");
        telemetry.assert_no_secrets(["another \"one\""]);
    }
}

#[test]
fn no_number_is_no_number() {
    let telemetry = TestTelemetry::new();
    let mut started = telemetry.tracer_provider().tracer("shop").start("checkout");
    started.set_attribute(KeyValue::new("ratio", f64::NAN));
    started.end();
    telemetry.assert_span(span("checkout").has("ratio", f64::NAN));
    fails(|| telemetry.assert_span(span("checkout").has("ratio", 0.0)));
    let received = Captured::from_otlp_json(
        r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "ratio", "gauge": {"dataPoints": [{"asDouble": "NaN"}]}}]}]}]}"#,
    );
    let received = received.unwrap();
    received.assert_metric("ratio").point([]).has_value(f64::NAN);
    fails(|| _ = received.assert_metric("ratio").point([]).has_value(0.0));
}
