use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, TraceContextExt as _};
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::Resource;
use otel_testing::{Expectations, TestTelemetry};

fn telemetry() -> TestTelemetry {
    let resource = Resource::builder_empty().with_service_name("payments").build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    let tracer = telemetry.tracer_provider().tracer("shop");
    tracer.in_span("checkout", |context| {
        let charge = SpanBuilder::from_name("charge").with_kind(SpanKind::Client).with_attributes([
            KeyValue::new("card.brand", "visa"),
            KeyValue::new("card.retries", 2),
            KeyValue::new("card.fee", 0.5),
        ]);
        tracer.build_with_context(charge, &context).set_status(Status::error("declined"));
        context.span().add_event("tried", vec![]);
        tracing::subscriber::with_default(telemetry.subscriber(), || {
            tracing::info!(items = 3, "order placed");
        });
    });
    telemetry
        .meter_provider()
        .meter("shop")
        .f64_histogram("shop.duration")
        .with_unit("s")
        .build()
        .record(1.0, &[]);
    telemetry
}

fn unmet(expectations: &str) -> String {
    Expectations::from_json(expectations).unwrap().unmet(&telemetry()).concat()
}

#[test]
fn what_is_there_meets_them() {
    let met = r#"{
        "spans": [
            {"name": "charge", "kind": "client", "failed": true, "service": "payments", "child_of": "checkout",
             "attributes": {"card.brand": "visa", "card.retries": 2, "card.fee": 0.5, "card.brand": null}, "count": 1},
            {"name": "checkout", "root": true, "failed": false},
            {"name": "refund", "count": 0}
        ],
        "logs": [{"body": "order placed", "attributes": {"items": 3}, "count": 1}],
        "metrics": [{"name": "shop.duration", "unit": "s"}, {"name": "shop.duration"}],
        "services": ["payments"],
        "most_orphans": 0,
        "conventions": {"allow": ["card", "shop", "items"]}
    }"#;
    assert_eq!(unmet(met), "");
    assert_eq!(unmet("{}"), "");
}

#[test]
fn a_service_may_send_nothing_but_metrics() {
    let resource = Resource::builder_empty().with_service_name("stock").build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    telemetry.meter_provider().meter("shop").u64_counter("orders").build().add(1, &[]);
    let services = Expectations::from_json(r#"{"services": ["stock", "payments"]}"#).unwrap();
    let unmet = services.unmet(&telemetry).concat();
    assert_eq!(unmet, "expected the service \"payments\", there are [\"stock\"]; the closest is \"stock\"\n");
}

#[test]
fn each_that_is_not_met_says_what_is_there_instead() {
    insta::assert_snapshot!(unmet(
        r#"{
        "spans": [
            {"name": "charge", "kind": "server", "failed": false, "service": "orders", "child_of": "refund",
             "attributes": {"card.brand": "amex", "card.retries": "2", "card.owner": null}},
            {"name": "charge", "count": 2},
            {"name": "checkout", "count": 0},
            {"name": "charge", "root": true}
        ],
        "logs": [{"body": "order placed", "in_span": "charge", "attributes": {"items": 4}}],
        "metrics": [{"name": "shop.durations"}, {"name": "shop.duration", "unit": "ms"}],
        "services": ["payment"],
        "conventions": {}
    }"#
    ));
}

#[test]
fn what_is_no_root_has_a_parent() {
    assert_eq!(unmet(r#"{"spans": [{"name": "charge", "root": false}]}"#), "");
    let unmet = unmet(r#"{"spans": [{"name": "checkout", "root": false}]}"#);
    assert!(unmet.contains("\"checkout\", not root"), "{unmet}");
    assert!(unmet.contains("it has no parent, expected one"), "{unmet}");
}

#[test]
fn a_unit_is_that_of_every_service() {
    let telemetry = TestTelemetry::new();
    for unit in ["s", "ms"] {
        let meter = telemetry.meter_provider().meter(unit);
        meter.f64_histogram("shop.duration").with_unit(unit).build().record(1.0, &[]);
    }
    let seconds =
        Expectations::from_json(r#"{"metrics": [{"name": "shop.duration", "unit": "s"}]}"#).unwrap();
    let unmet = seconds.unmet(&telemetry).concat();
    assert_eq!(unmet, "the unit of the metric \"shop.duration\" is \"ms\", expected \"s\"\n");
}

#[test]
fn orphans_are_named() {
    let telemetry = TestTelemetry::new();
    let tracer = telemetry.tracer_provider().tracer("shop");
    let lost = opentelemetry::Context::new().with_span(tracer.start("lost"));
    tracer.build_with_context(SpanBuilder::from_name("first"), &lost).end();
    tracer.build_with_context(SpanBuilder::from_name("second"), &lost).end();
    let unmet = |expectations| Expectations::from_json(expectations).unwrap().unmet(&telemetry).concat();
    assert_eq!(unmet(r#"{"most_orphans": 2}"#), "");
    insta::assert_snapshot!(unmet(r#"{"most_orphans": 1}"#));
}

#[test]
fn a_text_that_is_no_expectations_is_refused_with_its_line() {
    let refused = [
        "{",
        "{\n\"span\": []}",
        r#"{"spans": [{"kind": "client"}]}"#,
        r#"{"spans": [{"name": "a", "kind": "Client"}]}"#,
        r#"{"spans": [{"name": "a", "count": -1}]}"#,
        r#"{"logs": [{"message": "a"}]}"#,
        r#"{"most_orphans": "none"}"#,
    ];
    let errors = refused.map(|text| Expectations::from_json(text).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"));
}
