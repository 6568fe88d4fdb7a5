use insta::assert_snapshot;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use otel_testing::{
    AssertTelemetry, ExpectedSpan, TestTelemetry, any_value, assert_trace, containing, one_of, span,
    starting_with,
};

use crate::spans::{checkout, panic_message, shop};

fn captured() -> TestTelemetry {
    let telemetry = TestTelemetry::new();
    checkout(&telemetry);
    telemetry
}

fn failure(expected: impl Into<ExpectedSpan>) -> String {
    panic_message(|| captured().assert_span(expected))
}

#[test]
fn every_condition_that_holds_is_accepted() {
    let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "shop")).build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    let scope = InstrumentationScope::builder("shop").with_version("1.2").build();
    let tracer = telemetry.tracer_provider().tracer_with_scope(scope);
    tracer.in_span("checkout", |context| {
        let mut charge = tracer
            .span_builder("charge")
            .with_kind(SpanKind::Client)
            .with_attributes([KeyValue::new("brand", "visa"), KeyValue::new("attempt", 2)])
            .with_links(vec![opentelemetry::trace::Link::with_context(context.span().span_context().clone())])
            .start(&tracer);
        charge.add_event("retry", vec![KeyValue::new("reason", "busy")]);
        charge.set_status(Status::error("declined"));
    });

    let charge = || span("charge");
    telemetry.assert_span("charge");
    telemetry.assert_span(charge().client().failed().status(Status::error("declined")).child_of("checkout"));
    telemetry.assert_span(charge().has("brand", "visa").has("attempt", 2).has_no("card.number"));
    telemetry
        .assert_span(charge().has_exactly([KeyValue::new("attempt", 2), KeyValue::new("brand", "visa")]));
    telemetry.assert_span(charge().has("brand", one_of(["visa", "amex"])).has("attempt", any_value()));
    telemetry.assert_span(charge().has("brand", containing("is")).has("brand", starting_with("vi")));
    telemetry.assert_span(charge().matches("attempt", "more than one", |value| value.as_int() > Some(1)));
    telemetry.assert_span(charge().event("retry").events(1).linked_to("checkout").links(1));
    telemetry.assert_span(charge().event_with("retry", [KeyValue::new("reason", "busy")]));
    telemetry.assert_span(charge().scope("shop").scope_version("1.2").resource("service.name", "shop"));
    telemetry.assert_span(span("checkout").internal().root().status(Status::Unset).events(0));
    telemetry.assert_no_span("refund");
    telemetry.assert_no_span(charge().server());
    telemetry.assert_spans(0, charge().server());
    telemetry.assert_spans(1, charge().client());
}

#[test]
fn a_missing_name_shows_the_most_similar_one() {
    assert_snapshot!(failure("chrage"));
}

#[test]
fn a_wrong_attribute_is_shown_with_what_it_is() {
    assert_snapshot!(failure(span("charge").client().has("card.brand", "amex").has("attempt", 2)));
}

#[test]
fn a_wrong_type_is_shown_as_such() {
    assert_snapshot!(failure(span("charge").has("attempt", "2")));
}

#[test]
fn every_condition_says_how_it_differs() {
    let expected = span("charge")
        .server()
        .status(Status::Ok)
        .root()
        .with_remote_parent()
        .child_of("notify")
        .event_with("retry", [KeyValue::new("reason", "closed")])
        .event("give up")
        .events(2)
        .linked_to("notify")
        .links(0)
        .scope("bank")
        .scope_version("2")
        .resource("service.name", "shop")
        .has("absent", any_value())
        .has("card.brand", one_of(["amex", "diners"]))
        .has("attempt", containing("3"))
        .matches("attempt", "an even number above two", |value| value.as_int() > Some(2))
        .has_no("attempt");
    assert_snapshot!(failure(expected));
}

#[test]
fn other_attributes_than_expected_are_listed() {
    assert_snapshot!(failure(span("charge").has_exactly([KeyValue::new("card.brand", "visa")])));
}

#[test]
fn a_success_is_no_failure() {
    assert_snapshot!(failure(span("reserve").failed()));
}

#[test]
fn nothing_captured_says_so() {
    assert_snapshot!(panic_message(|| TestTelemetry::new().assert_span("charge")));
}

#[test]
fn too_many_are_counted() {
    let telemetry = captured();
    shop(&telemetry).in_span("charge", |_| ());
    assert_snapshot!(panic_message(|| telemetry.assert_span("charge")));
}

#[test]
fn too_few_are_counted() {
    assert_snapshot!(panic_message(|| captured().assert_spans(3, span("charge").client())));
}

#[test]
fn one_that_should_not_be_there_is_shown() {
    assert_snapshot!(panic_message(|| captured().assert_no_span(span("charge").failed())));
}

fn order(telemetry: &TestTelemetry) {
    let tracer = shop(telemetry);
    tracer.in_span("checkout", |_| {
        tracer.in_span("reserve", |_| ());
        tracer.in_span("charge", |_| {
            tracer.in_span("POST", |context| context.span().set_attribute(KeyValue::new("attempt", 1)));
            tracer.in_span("POST", |context| context.span().set_attribute(KeyValue::new("attempt", 2)));
        });
        tracer.in_span("notify", |_| ());
    });
}

fn ordered() -> TestTelemetry {
    let telemetry = TestTelemetry::new();
    order(&telemetry);
    telemetry
}

#[test]
fn trees_in_order_in_any_order_and_with_the_rest_left_out() {
    let telemetry = ordered();
    assert_trace!(telemetry, "checkout" => ["reserve", "charge" => ["POST", "POST"], "notify"]);
    assert_trace!(telemetry, "checkout" => { "notify", "charge" => { .. }, "reserve", });
    assert_trace!(telemetry, span("checkout").root() => ["reserve", "notify", ..]);
    assert_trace!(telemetry, "checkout" => [..]);
    // The first of the two that are named alike fits only one place: pairs are found, not taken as they come.
    assert_trace!(telemetry, "checkout" => {
        "charge" => { span("POST").has("attempt", any_value()), span("POST").has("attempt", 1) },
        ..
    });
}

fn tree_failure(check: impl FnOnce(&TestTelemetry)) -> String {
    let telemetry = ordered();
    panic_message(|| check(&telemetry))
}

#[test]
fn a_tree_with_a_missing_child() {
    assert_snapshot!(tree_failure(
        |telemetry| assert_trace!(telemetry, "checkout" => ["reserve", "refund", ..])
    ));
}

#[test]
fn a_tree_with_a_child_too_many() {
    assert_snapshot!(tree_failure(|telemetry| assert_trace!(telemetry, "checkout" => ["reserve", "charge"])));
}

#[test]
fn a_tree_in_another_order() {
    assert_snapshot!(tree_failure(
        |telemetry| assert_trace!(telemetry, "checkout" => ["notify", "reserve", "charge" => [..]])
    ));
}

#[test]
fn a_tree_with_a_difference_deep_down() {
    assert_snapshot!(tree_failure(|telemetry| assert_trace!(telemetry, "checkout" => {
        "charge" => { span("POST").has("attempt", 1), span("POST").has("attempt", 3) },
        ..
    })));
}

#[test]
fn of_several_traces_the_closest_is_shown() {
    let telemetry = ordered();
    shop(&telemetry).in_span("healthz", |_| ());
    assert_snapshot!(panic_message(|| assert_trace!(telemetry, "checkout" => ["reserve"])));
}

#[test]
fn a_tree_where_there_is_none() {
    assert_snapshot!(panic_message(|| assert_trace!(TestTelemetry::new(), "checkout")));
}

#[test]
fn a_tree_that_is_torn() {
    let telemetry = TestTelemetry::new();
    let tracer = shop(&telemetry);
    let lost = Context::new().with_span(tracer.start("lost"));
    tracer.start_with_context("first", &lost).end();
    tracer.start_with_context("second", &lost).end();
    assert_snapshot!(panic_message(|| assert_trace!(telemetry, "first")));
}
