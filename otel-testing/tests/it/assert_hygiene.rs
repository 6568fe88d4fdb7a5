use insta::assert_snapshot;
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Span, SpanContext, SpanId, Status, TraceContextExt, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, StringValue, TraceFlags, Value};
use opentelemetry_sdk::Resource;
use otel_testing::{AssertTelemetry, Captured, TestTelemetry};

use crate::spans::{checkout, panic_message, shop};

#[test]
fn clean_telemetry_is_clean() {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    let meter = telemetry.meter_provider().meter("shop");
    let active = meter.i64_up_down_counter("http.server.active_requests").build();
    active.add(1, &[KeyValue::new("http.request.method", "GET")]);
    active.add(-1, &[KeyValue::new("http.request.method", "GET")]);
    // Connections at rest are no requests under way.
    meter.i64_up_down_counter("db.client.connection.count").build().add(5, &[]);
    telemetry.assert_clean();
    telemetry.assert_all_spans_ended();
    telemetry.assert_no_orphans();
    telemetry.assert_nothing_in_flight();
    telemetry.assert_no_ids_in_metrics();
}

#[test]
fn every_kind_of_dirt_is_found() {
    let telemetry = TestTelemetry::new();
    let tracer = shop(&telemetry);
    let open = Context::new().with_span(tracer.start("leaked"));
    tracer.start_with_context("orphan", &open).end();
    let (start, end) = (std::time::SystemTime::now(), std::time::SystemTime::UNIX_EPOCH);
    tracer.span_builder("backwards").with_start_time(start).start(&tracer).end_with_timestamp(end);
    let meter = telemetry.meter_provider().meter("shop");
    meter.i64_up_down_counter("http.server.active_requests").build().add(2, &[KeyValue::new("route", "/")]);
    meter.i64_up_down_counter("shop.in_flight").build().add(-1, &[]);
    let user = KeyValue::new("user", "6f1c1f0e-6d0c-4b9e-9d39-2f7c3b0f6a11");
    meter.u64_counter("shop.orders").build().add(1, &[user, KeyValue::new("tier", "gold")]);
    let messages = [
        panic_message(|| telemetry.assert_clean()),
        panic_message(|| telemetry.assert_all_spans_ended()),
        panic_message(|| telemetry.assert_no_orphans()),
        panic_message(|| telemetry.assert_nothing_in_flight()),
        panic_message(|| telemetry.assert_no_ids_in_metrics()),
    ];
    assert_snapshot!(messages.join("\n---\n"));
}

const CANARY: &str = "s3cr3t-canary";

/// A secret in every place that is exported. Each is numbered, so that none hides behind another.
#[test]
fn a_secret_is_found_wherever_it_is() {
    let mut next = 0;
    let mut canary = || {
        next += 1;
        format!("{CANARY}-{next:02}.")
    };
    let resource = Resource::builder_empty()
        .with_attribute(KeyValue::new("token", canary()))
        .with_attribute(KeyValue::new(canary(), 1))
        .build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    let scope = InstrumentationScope::builder(canary())
        .with_version(canary())
        .with_schema_url(canary())
        .with_attributes([KeyValue::new("scope.token", canary())])
        .build();
    let tracer = telemetry.tracer_provider().tracer_with_scope(scope);
    let state = TraceState::from_key_value([("k", canary())]).unwrap();
    let linked = SpanContext::new(TraceId::from(1), SpanId::from(1), TraceFlags::SAMPLED, true, state);
    let mut span = tracer.start(canary());
    span.set_attribute(KeyValue::new("url.full", format!("https://example.com/?token={}", canary())));
    span.set_attribute(KeyValue::new("headers", Value::Array(vec![StringValue::from(canary())].into())));
    span.set_attribute(KeyValue::new("card", 4_111_111_111_111_111_i64));
    span.add_event(canary(), vec![KeyValue::new("message", canary())]);
    span.add_link(linked, vec![KeyValue::new("why", canary())]);
    span.set_status(Status::error(canary()));
    span.end();
    let meter = telemetry.meter_provider().meter("shop");
    meter.u64_counter("orders").with_description(canary()).build().add(1, &[KeyValue::new("user", canary())]);
    let logger = telemetry.logger_provider().logger("shop");
    let mut record = logger.create_log_record();
    record.set_body(canary().as_bytes().into());
    record.add_attribute("password", canary());
    logger.emit(record);

    telemetry.assert_no_secrets(["another-secret"]);
    for planted in 1..=next {
        let canary = format!("{CANARY}-{planted:02}.");
        let message = panic_message(|| telemetry.assert_no_secrets([canary.clone()]));
        assert!(message.contains(&format!("{canary:?} is in")), "{message}");
    }
    assert_eq!(next, 18);
    let message = panic_message(|| telemetry.assert_no_secrets(["4111111111111111"]));
    assert!(message.contains("card of span"), "{message}");
}

/// Metrics are merged for the other assertions, but every export has left the process.
#[test]
fn a_secret_is_found_in_every_export_of_a_metric_and_in_its_resource() {
    let export = |token: &str, seat: &str| {
        format!(
            r#"{{"resourceMetrics": [{{
                "resource": {{"attributes": [{{"key": "token", "value": {{"stringValue": "{token}"}}}}]}},
                "scopeMetrics": [{{"metrics": [{{"name": "orders",
                "metadata": [{{"key": "owner", "value": {{"stringValue": "fifth"}}}}], "gauge": {{"dataPoints": [
                    {{"asInt": "1", "attributes": [{{"key": "seat", "value": {{"stringValue": "{seat}"}}}}]}}]}}}}]}}]}}]}}"#
        )
    };
    let exports = [export("first", "second"), export("first", "third")].concat();
    let captured = Captured::from_otlp_json(&exports).unwrap();
    captured.assert_no_secrets(["fourth"]);
    for (canary, place) in [
        ("first", "token of the resource"),
        ("second", "seat of metric"),
        ("third", "seat of metric"),
        ("fifth", "owner of the metadata of metric"),
    ] {
        let message = panic_message(|| captured.assert_no_secrets([canary]));
        assert!(message.contains(place), "{message}");
    }

    let resource = Resource::builder_empty().with_attribute(KeyValue::new("token", CANARY)).build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    telemetry.meter_provider().meter("shop").u64_counter("orders").build().add(1, &[]);
    let message = panic_message(|| telemetry.assert_no_secrets([CANARY]));
    assert!(message.contains("token of the resource"), "{message}");
}

/// What a gauge said first has left the process, too.
#[test]
fn every_export_of_a_metric_is_looked_at() {
    let export = |unit: &str, user: &str| {
        format!(
            r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [{{"name": "system.memory.usage", "unit": "{unit}",
                "gauge": {{"dataPoints": [{{"asInt": "1", "attributes": [
                    {{"key": "user", "value": {{"stringValue": "{user}"}}}}]}}]}}}}]}}]}}]}}"#
        )
    };
    let exports = [export("By", "6f1c1f0e-6d0c-4b9e-9d39-2f7c3b0f6a11"), export("By", "one")].concat();
    let captured = Captured::from_otlp_json(&exports).unwrap();
    let message = panic_message(|| captured.assert_no_ids_in_metrics());
    assert!(message.contains("looks like a UUID"), "{message}");
    let message = panic_message(|| captured.assert_conventions());
    assert!(message.contains("user is not in the conventions"), "{message}");
}

#[test]
fn the_places_of_a_secret_are_named() {
    let telemetry = TestTelemetry::new();
    let mut span = shop(&telemetry).start("login");
    span.set_attribute(KeyValue::new("url.full", "https://example.com/?token=hunter2"));
    span.set_status(Status::error("hunter2 is wrong"));
    span.end();
    assert_snapshot!(panic_message(|| telemetry.assert_no_secrets(["hunter2", "absent"])));
    assert_snapshot!(panic_message(|| telemetry.assert_no_secrets([""])));
}
