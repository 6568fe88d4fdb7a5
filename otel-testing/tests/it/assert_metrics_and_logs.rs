use insta::assert_snapshot;
use opentelemetry::KeyValue;
use opentelemetry::logs::Severity;
use opentelemetry::metrics::MeterProvider;
use otel_testing::{AssertTelemetry, AttributeValue, Captured, ExpectedLog, TestTelemetry, log, one_of};

use crate::spans::panic_message;

fn measured() -> TestTelemetry {
    let telemetry = TestTelemetry::new();
    let meter = telemetry.meter_provider().meter("shop");
    let orders = meter.u64_counter("shop.orders").with_unit("{order}").build();
    orders.add(2, &[KeyValue::new("tier", "gold"), KeyValue::new("country", "fr")]);
    orders.add(3, &[KeyValue::new("tier", "silver"), KeyValue::new("country", "fr")]);
    meter.i64_up_down_counter("shop.carts").build().add(1, &[]);
    meter.f64_gauge("shop.temperature").build().record(21.5, &[]);
    let duration =
        meter.f64_histogram("shop.duration").with_unit("s").with_boundaries(vec![0.1, 1.0]).build();
    for value in [0.1, 0.2, 2.0] {
        duration.record(value, &[KeyValue::new("route", "/cart")]);
    }
    telemetry
}

#[test]
fn what_holds_of_metrics_is_accepted() {
    let telemetry = measured();
    let orders = telemetry.assert_metric("shop.orders");
    orders
        .is_counter()
        .has_unit("{order}")
        .has_scope("shop")
        .has_series(2)
        .has_at_most_series(2)
        .has_total(5_u64);
    orders.has_only_attributes(["tier", "country"]).point([KeyValue::new("tier", "gold")]).has_value(2_u64);
    telemetry.assert_metric("shop.carts").is_up_down_counter().point([]).has_value(1);
    telemetry.assert_metric("shop.temperature").is_gauge().has_total(21.5);
    let duration = telemetry.assert_metric("shop.duration");
    let point = duration.is_histogram().has_total(2.3).point([KeyValue::new("route", "/cart")]);
    // 0.1 + 0.2 + 2.0 is not 2.3 in binary.
    point.has_count(3).has_sum(2.3).has_bounds([0.1, 1.0]).has_buckets([1, 1, 1]);
    telemetry.assert_no_metric("shop.refunds");
}

#[test]
fn every_failure_of_a_metric_shows_what_is_there() {
    let telemetry = measured();
    let orders = telemetry.assert_metric("shop.orders");
    let duration = telemetry.assert_metric("shop.duration");
    let point = duration.point([]);
    let gold = orders.point([KeyValue::new("tier", "gold")]);
    let messages = [
        panic_message(|| _ = telemetry.assert_metric("shop.order")),
        panic_message(|| telemetry.assert_no_metric("shop.carts")),
        panic_message(|| _ = orders.is_histogram()),
        panic_message(|| _ = duration.is_gauge()),
        panic_message(|| _ = orders.has_unit("1")),
        panic_message(|| _ = orders.has_scope("bank")),
        panic_message(|| _ = orders.has_series(3)),
        panic_message(|| _ = orders.has_at_most_series(1)),
        panic_message(|| _ = orders.has_only_attributes(["tier"])),
        panic_message(|| _ = orders.has_total(6_u64)),
        panic_message(|| _ = orders.point([KeyValue::new("tier", "gold"), KeyValue::new("country", 33)])),
        panic_message(|| _ = orders.point([KeyValue::new("country", "fr")])),
        panic_message(|| _ = gold.has_value(3_u64)),
        panic_message(|| _ = gold.has_count(1)),
        panic_message(|| _ = gold.has_sum(1.0)),
        panic_message(|| _ = point.has_value(1)),
        panic_message(|| _ = point.has_count(4)),
        panic_message(|| _ = point.has_sum(4.0)),
        panic_message(|| _ = point.has_bounds([1.0])),
        panic_message(|| _ = point.has_buckets([3])),
        panic_message(|| _ = point.has_exemplar_of_trace("4bf92f3577b34da6a3ce929d0e0e4736")),
    ];
    assert_snapshot!(messages.join("\n---\n"));
}

#[test]
fn two_metrics_of_one_name_are_told_apart() {
    let telemetry = measured();
    telemetry.meter_provider().meter("bank").u64_counter("shop.orders").build().add(1, &[]);
    assert_snapshot!(panic_message(|| _ = telemetry.assert_metric("shop.orders")));
}

#[test]
fn nothing_measured_says_so() {
    assert_snapshot!(panic_message(|| _ = TestTelemetry::new().assert_metric("shop.orders")));
}

fn logged() -> TestTelemetry {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::warn!(target: "stock", left = 1, "running low");
        tracing::info_span!("checkout").in_scope(|| {
            tracing::info!(name: "order.placed", target: "shop", items = 3, "order placed");
        });
    });
    telemetry
}

#[test]
fn what_holds_of_logs_is_accepted() {
    let telemetry = logged();
    telemetry.assert_log("running low");
    telemetry.assert_log(
        log("running low").severity(Severity::Warn).has("left", 1).has_no("items").target("stock"),
    );
    telemetry.assert_log(log("order placed").in_span("checkout").event_name("order.placed"));
    telemetry.assert_logs(0, "refused");
}

/// Ids of spans are unique within a trace, not beyond it.
#[test]
fn a_log_is_in_a_span_of_its_own_trace() {
    let span = |trace: &str, name: &str| {
        format!(r#"{{"traceId": "{trace}", "spanId": "eee19b7ec3c1b174", "name": "{name}"}}"#)
    };
    let (first, second) = ("5b8efff798038103d269b633813fc60c", "5b8efff798038103d269b633813fc60d");
    let json = format!(
        r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{}, {}]}}]}}]}}
           {{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [
               {{"traceId": "{second}", "spanId": "eee19b7ec3c1b174", "body": {{"stringValue": "paid"}}}}]}}]}}]}}"#,
        span(first, "search"),
        span(second, "checkout"),
    );
    let captured = Captured::from_otlp_json(&json).unwrap();
    captured.assert_log(log("paid").in_span("checkout"));
    assert!(captured.snapshot().to_string().contains("in \"checkout\""), "{}", captured.snapshot());
}

/// Senders keep maps in hash maps: the order of one is another one each time.
#[test]
fn a_map_has_no_order() {
    let received = Captured::from_otlp_json(
        r#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "placed"}, "attributes": [
            {"key": "cart", "value": {"kvlistValue": {"values": [
                {"key": "size", "value": {"intValue": "2"}}, {"key": "items", "value": {"arrayValue": {"values": [
                    {"kvlistValue": {"values": [{"key": "b", "value": {}}, {"key": "a", "value": {}}]}}]}}}]}}}]}]}]}]}"#,
    )
    .unwrap();
    let map = |entries: &[(&str, AttributeValue)]| {
        AttributeValue::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    };
    let item = map(&[("a", AttributeValue::Empty), ("b", AttributeValue::Empty)]);
    let cart =
        |size: i64| map(&[("items", AttributeValue::Array(vec![item.clone()])), ("size", size.into())]);
    received.assert_log(log("placed").has("cart", cart(2)));
    received.assert_log(log("placed").has("cart", one_of([cart(1), cart(2)])));
    received.assert_logs(0, log("placed").has("cart", cart(3)));
    received.assert_logs(0, log("placed").has("cart", map(&[("size", 2.into())])));
}

#[test]
fn every_failure_of_a_log_shows_the_closest_one() {
    let telemetry = logged();
    let failure = |expected: ExpectedLog| panic_message(|| telemetry.assert_log(expected));
    let messages = [
        failure(log("order place")),
        failure(
            log("order placed").severity(Severity::Error).has("items", "3").target("bank").event_name("x"),
        ),
        failure(log("order placed").in_span("refund")),
        failure(log("running low").in_span("checkout").has_no("left")),
        panic_message(|| telemetry.assert_logs(2, "running low")),
    ];
    assert_snapshot!(messages.join("\n---\n"));
}
