//! Log records: the fields of the spans around them.

use std::sync::Arc;

use otel_init::Telemetry;
use otel_testing::{OtlpReceiver, ReceivedLog};

use crate::child;

fn records(test: &str, has_fields: bool) {
    if !child::is_child() {
        child::run(test, &[("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let builder = Telemetry::builder().with_endpoint(receiver.http_endpoint());
    let builder = if has_fields { builder } else { builder.without_span_fields_on_logs() };
    let telemetry = builder.install().unwrap();
    let outer = tracing::info_span!("outer", order = 7_i64, tenant = "acme", late = tracing::field::Empty);
    outer.in_scope(|| {
        let inner = tracing::info_span!("inner", tenant = "globex", password = "hunter2");
        outer.record("late", true);
        (0..100).for_each(|_| {
            outer.record("late", false);
        });
        inner.in_scope(|| tracing::info!(order = 8_i64, "one"));
        tracing::info!("two");
    });
    tracing::info!("three");
    telemetry.shutdown_blocking().unwrap();
    let logs = receiver.logs();
    let attributes = |message: &str| {
        let log = logs.iter().find(|log| log.message() == message).unwrap_or_else(|| panic!("{logs:?}"));
        let mut all: Vec<_> = log.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        all.sort();
        all
    };
    if has_fields {
        assert_eq!(
            attributes("one"),
            ["late=false", "order=8", "password=\"REDACTED\"", "tenant=\"globex\""]
        );
        assert_eq!(attributes("two"), ["late=false", "order=7", "tenant=\"acme\""]);
    } else {
        assert_eq!(attributes("one"), ["order=8"]);
        assert_eq!(attributes("two"), Vec::<String>::new());
    }
    assert_eq!(attributes("three"), Vec::<String>::new());
    // Those of the span: sampled, of a trace whose id is random.
    let flags = |message: &str| logs.iter().find(|log| log.message() == message).map(|log| log.flags);
    assert_eq!([flags("one"), flags("two"), flags("three")], [Some(3), Some(3), Some(0)]);
}

#[test]
fn records_have_the_fields_of_the_spans_around_them() {
    records("logs::records_have_the_fields_of_the_spans_around_them", true);
}

#[test]
fn the_fields_of_spans_can_be_left_off() {
    records("logs::the_fields_of_spans_can_be_left_off", false);
}

/// Two events, a record of the `log` crate, and what the collector has of each.
fn told(test: &str, check: impl FnOnce(&[Arc<ReceivedLog>])) {
    if !child::is_child() {
        child::run(test, &[("RUST_LOG", "error")]);
        return;
    }
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry = Telemetry::builder().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let span = tracing::info_span!(
        "work",
        otel.name = "renamed",
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        otel.status_description = tracing::field::Empty,
        otel.scope = "theirs",
    );
    span.in_scope(|| {
        span.record("otel.status_code", "error").record("otel.status_description", "it broke");
        tracing::info!("unnamed");
        tracing::info!(name: "order.placed", "named");
    });
    log::warn!(target: "legacy::store", "logged");
    telemetry.shutdown_blocking().unwrap();
    check(&receiver.logs());
}

fn of<'a>(logs: &'a [Arc<ReceivedLog>], message: &str) -> &'a ReceivedLog {
    logs.iter().find(|log| log.message() == message).unwrap_or_else(|| panic!("{logs:?}"))
}

#[test]
fn a_record_has_an_event_name_when_the_application_gave_one() {
    told("logs::a_record_has_an_event_name_when_the_application_gave_one", |logs| {
        assert_eq!(of(logs, "unnamed").event_name, "", "where it stands is no name");
        assert_eq!(of(logs, "named").event_name, "order.placed");
        assert_eq!(of(logs, "logged").event_name, "");
    });
}

#[test]
fn a_record_of_the_log_crate_is_like_an_event() {
    told("logs::a_record_of_the_log_crate_is_like_an_event", |logs| {
        let logged = of(logs, "logged");
        assert_eq!(logged.scope.name, "legacy::store");
        assert!(logged.attributes.is_empty(), "{logged:?}");
    });
}

#[test]
fn fields_that_are_meant_for_the_span_are_not_on_records() {
    told("logs::fields_that_are_meant_for_the_span_are_not_on_records", |logs| {
        let attributes = &of(logs, "unnamed").attributes;
        assert_eq!(attributes.len(), 1, "{attributes:?}");
        assert!(attributes.has("otel.scope", "theirs"), "{attributes:?}");
    });
}
