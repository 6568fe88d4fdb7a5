//! Messages of failures that the tests of the assertions themselves do not show.

use insta::assert_snapshot;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Link, Span as _, SpanContext, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use otel_testing::{
    AssertTelemetry, Captured, TestTelemetry, any_value, assert_trace, containing, log, span,
};

use crate::spans::{checkout, panic_message, shop};

fn all(messages: impl IntoIterator<Item = String>) -> String {
    messages.into_iter().collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn asking_for_one_span_shows_the_closest_and_the_tree() {
    let telemetry = TestTelemetry::new();
    let nothing = panic_message(|| drop(telemetry.span("charge")));
    checkout(&telemetry);
    let misspelt = panic_message(|| drop(telemetry.span("chrage")));
    let open = shop(&telemetry).start("refund");
    let not_ended = panic_message(|| drop(telemetry.span("refund")));
    drop(open);
    shop(&telemetry).in_span("charge", |_| ());
    let twice = panic_message(|| drop(telemetry.span("charge")));
    assert_snapshot!(all([nothing, misspelt, not_ended, twice]));
}

#[test]
fn asking_for_one_metric_shows_the_closest_and_what_is_there() {
    let telemetry = TestTelemetry::new();
    let nothing = panic_message(|| drop(telemetry.metric("orders")));
    telemetry.meter_provider().meter("shop").u64_counter("order").build().add(1, &[]);
    let misspelt = panic_message(|| _ = telemetry.sum("orders"));
    telemetry.meter_provider().meter("shop").u64_gauge("queue").build().record(1, &[]);
    let no_counter = panic_message(|| _ = telemetry.sum("queue"));
    telemetry.meter_provider().meter("audit").u64_counter("order").build().add(1, &[]);
    let twice = panic_message(|| drop(telemetry.metric("order")));
    assert_snapshot!(all([nothing, misspelt, no_counter, twice]));
}

#[test]
fn a_point_without_a_sum_and_exemplars_of_other_traces() {
    let received = Captured::from_otlp_json(
        r#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "temperature", "histogram": {"aggregationTemporality": 2, "dataPoints": [{"count": "2",
                "exemplars": [{"asDouble": 1, "traceId": "5b8efff798038103d269b633813fc60c"}]}]}},
            {"name": "growth", "exponentialHistogram": {"dataPoints": [{"count": "1", "sum": 2, "scale": 3}]}},
            {"name": "latency", "summary": {"dataPoints": [{"count": "1", "sum": 2}]}}
        ]}]}]}"#,
    )
    .unwrap();
    let temperature = received.assert_metric("temperature").point([]);
    let growth = received.assert_metric("growth");
    assert_snapshot!(all([
        panic_message(|| _ = temperature.has_sum(1.0)),
        panic_message(|| _ = temperature.has_exemplar_of_trace("4bf92f3577b34da6a3ce929d0e0e4736")),
        panic_message(|| _ = growth.point([]).has_sum(2.0)),
        panic_message(|| _ = growth.point([KeyValue::new("tier", "gold")])),
        panic_message(|| _ = growth.is_counter()),
        panic_message(|| _ = received.assert_metric("latency").is_up_down_counter()),
    ]));
}

/// A span for each way to have a parent, and links to here and elsewhere.
fn family() -> (TestTelemetry, Context) {
    let telemetry = TestTelemetry::new();
    let tracer = shop(&telemetry);
    let elsewhere =
        SpanContext::new(1.into(), 2.into(), opentelemetry::TraceFlags::SAMPLED, true, <_>::default());
    let lost = Context::new().with_span(tracer.start("lost"));
    let mut orphan = tracer.start_with_context("orphan", &lost);
    orphan.add_event("retry", vec![KeyValue::new("attempt", 1), KeyValue::new("reason", "busy")]);
    orphan.add_event("retry", vec![KeyValue::new("attempt", 2)]);
    orphan.end();
    let mut called =
        tracer.start_with_context("called", &Context::new().with_remote_span_context(elsewhere.clone()));
    called.add_link(elsewhere, vec![]);
    called.end();
    let links = vec![Link::with_context(lost.span().span_context().clone())];
    tracer.span_builder("top").with_links(links).start_with_context(&tracer, &Context::new()).end();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        let _in_a_lost_span = lost.clone().attach();
        tracing::info!("noted");
    });
    (telemetry, lost)
}

#[test]
fn parents_links_and_events_are_named() {
    // The parent of the orphan does not end before the messages were made.
    let (telemetry, _lost) = family();
    let failure = |expected| panic_message(|| telemetry.assert_span(expected));
    assert_snapshot!(all([
        failure(span("orphan").root().linked_to("top")),
        failure(span("called").child_of("top").linked_to("top")),
        failure(span("called").root()),
        failure(span("top").with_remote_parent().child_of("orphan").linked_to("orphan")),
        failure(span("orphan").event_with("retry", [KeyValue::new("attempt", 3)])),
        failure(
            span("orphan")
                .event_with("retry", [KeyValue::new("attempt", 2), KeyValue::new("reason", "closed")])
        ),
        panic_message(|| telemetry.assert_log(log("noted").in_span("top"))),
    ]));
}

#[test]
fn a_child_that_is_not_there_and_the_one_that_may_be_meant() {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    assert_snapshot!(all([
        panic_message(|| assert_trace!(telemetry, "checkout" => { span("chrage").client(), "reserve" })),
        panic_message(|| assert_trace!(telemetry, "checkout" => ["charge", "reserve", "refund"])),
    ]));
}

/// The usual reason in a test: a body that nobody has read holds the span of its request.
#[test]
fn a_parent_that_has_not_ended_is_named() {
    let telemetry = TestTelemetry::new();
    let request = Context::new().with_span(shop(&telemetry).start("request"));
    shop(&telemetry).start_with_context("query", &request).end();
    telemetry.assert_span(span("query").child_of("request"));
    assert_snapshot!(all([
        panic_message(|| telemetry.assert_span(span("query").root())),
        panic_message(|| telemetry.assert_no_orphans()),
    ]));
    drop(request);
    telemetry.assert_clean();
}

#[test]
fn that_nothing_was_logged_is_said() {
    let message = panic_message(|| TestTelemetry::new().assert_log("order placed"));
    assert!(message.ends_with("\nall log records:\nthere is none\n"), "{message}");
}

#[test]
fn a_misspelt_attribute_leads_to_the_one_that_is_there() {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    let message = panic_message(|| telemetry.assert_span(span("charge").has("card.brnad", "visa")));
    assert!(
        message.contains("\n  card.brnad is absent, expected \"visa\"; there is card.brand\n"),
        "{message}"
    );
    // No slip, but another attribute.
    let message = panic_message(|| telemetry.assert_span(span("charge").has("user.tier", "gold")));
    assert!(message.contains("\n  user.tier is absent, expected \"gold\"\n"), "{message}");
}

/// Where some are as expected, one of another name did not just miss.
#[test]
fn too_few_are_not_explained_by_what_has_another_name() {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::info!("order placed");
        tracing::info!("order paid");
    });
    let span_message = panic_message(|| telemetry.assert_spans(2, "checkout"));
    let log_message = panic_message(|| telemetry.assert_logs(2, "order paid"));
    for message in [span_message, log_message] {
        assert!(message.contains("there is one") && !message.contains("the closest"), "{message}");
    }
    let other = shop(&telemetry).start("chekout");
    drop(other);
    let message = panic_message(|| telemetry.assert_spans(2, "checkout"));
    assert!(message.contains("\nthe closest is \"chekout\":\n"), "{message}");
}

#[test]
fn a_root_of_another_name_and_a_part_of_a_trace() {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    assert_snapshot!(all([
        panic_message(|| assert_trace!(telemetry, span("chekout").internal() => {
            "charge" => [..],
            span("reserve").has_no("card.brand"),
        })),
        panic_message(|| assert_trace!(telemetry, "charge")),
    ]));
}

/// Siblings of one name in the order of their names: what differs is an attribute.
#[test]
fn siblings_of_one_name_are_compared_in_their_order() {
    let telemetry = TestTelemetry::new();
    let tracer = shop(&telemetry);
    tracer.in_span("checkout", |_| {
        for brand in ["visa", "diners"] {
            tracer.in_span("charge", |charge| charge.span().set_attribute(KeyValue::new("brand", brand)));
        }
    });
    let message = panic_message(
        || assert_trace!(telemetry, "checkout" => [span("charge").has("brand", "amex"), "charge"]),
    );
    assert!(message.contains("\n  checkout > charge: brand is \"visa\", expected \"amex\"\n"), "{message}");
    assert!(!message.contains("order"), "{message}");
}

#[test]
fn a_body_may_be_a_rule() {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        tracing::info!(tier = "gold", "order 17 placed");
        tracing::warn!("no stock");
    });
    telemetry.assert_log(log(containing("placed")).has("tier", "gold"));
    telemetry.assert_logs(2, log(any_value()));
    assert_snapshot!(all([
        panic_message(|| telemetry.assert_log(log(containing("paid")))),
        panic_message(|| telemetry.assert_log(log(containing("placed")).has("teir", "gold"))),
        panic_message(|| telemetry.assert_logs(0, log(containing("placed")))),
    ]));
}

#[test]
fn a_point_that_just_misses_is_explained() {
    let telemetry = TestTelemetry::new();
    let orders = telemetry.meter_provider().meter("shop").u64_counter("orders").build();
    orders.add(3, &[KeyValue::new("tier", "gold"), KeyValue::new("region", "eu")]);
    orders.add(1, &[KeyValue::new("tier", "silver"), KeyValue::new("region", "eu")]);
    let orders = telemetry.assert_metric("orders");
    assert_snapshot!(all([
        panic_message(|| _ = orders.point([KeyValue::new("teir", "silver"), KeyValue::new("region", "eu")])),
        panic_message(|| _ = orders.point([KeyValue::new("tier", 2)])),
        panic_message(|| _ = orders.point([KeyValue::new("tier", "gold")]).has_value(3.0)),
    ]));
}

#[test]
fn a_message_about_many_spans_stays_short() {
    let telemetry = TestTelemetry::new();
    (0..1_000).for_each(|_| shop(&telemetry).in_span("charge", |_| ()));
    for message in [
        panic_message(|| telemetry.assert_span("charge")),
        panic_message(|| telemetry.assert_span("refund")),
        panic_message(|| drop(telemetry.span("charge"))),
    ] {
        assert!(message.lines().count() < 120, "{message}");
        assert!(message.ends_with("  and 1900 lines more\n"), "{message}");
    }
}
