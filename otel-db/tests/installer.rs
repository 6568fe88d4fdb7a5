//! What depends on the SDK that was installed last, for the whole process: a program of its own.

use opentelemetry::{KeyValue, global};
use otel_core::Install;
use otel_db::{DbClient, DbFailure, DbSystem};
use otel_testing::{AssertTelemetry, TestTelemetry, span};

const QUERY: &str = "SELECT name FROM songs WHERE year > 1999";

/// Whatever is known of a statement from the calls before, a call says the same.
#[test]
fn calls_of_a_statement_that_comes_again_say_what_the_first_one_said() {
    let telemetry = TestTelemetry::new();
    global::set_tracer_provider(telemetry.tracer_provider());
    global::set_meter_provider(telemetry.meter_provider());
    Install::new().with_bound_instruments(true).announce();
    let client = |name: &str| DbClient::builder(DbSystem::POSTGRESQL).with_namespace(name);
    let (shop, quiet) = (client("shop").build(), client("quiet").with_query_text(false).build());
    for _ in 0..4 {
        shop.query(QUERY).start().end();
        quiet.query(QUERY).start().end();
        shop.query(QUERY).with_collection("songs").start().end();
        shop.query(QUERY).with_safe_query_text("SELECT 1").start().end();
        shop.query(QUERY).start().fail(DbFailure::with_code("57014"));
    }

    let of = |namespace: &'static str, more: &[KeyValue]| {
        let mut attributes = vec![
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new("db.namespace", namespace),
            KeyValue::new("db.query.summary", "SELECT songs"),
        ];
        attributes.extend_from_slice(more);
        attributes
    };
    let text = KeyValue::new("db.query.text", "SELECT name FROM songs WHERE year > ?");
    let failed = [KeyValue::new("db.response.status_code", "57014"), KeyValue::new("error.type", "57014")];
    let collection = KeyValue::new("db.collection.name", "songs");
    let own_text = KeyValue::new("db.query.text", "SELECT 1");
    let all_failed = [&failed[..], std::slice::from_ref(&text)].concat();
    for attributes in [
        of("shop", std::slice::from_ref(&text)),
        of("quiet", &[]),
        of("shop", &[text, collection.clone()]),
        of("shop", &[own_text]),
        of("shop", &all_failed),
    ] {
        let expected = span("SELECT songs").client().has_exactly(attributes);
        telemetry.assert_spans(4, expected);
    }

    let points = telemetry.points("db.client.operation.duration");
    let counted = |attributes: &[KeyValue]| {
        let is_it = |point: &&otel_testing::Point| {
            point.attributes.len() == attributes.len()
                && attributes.iter().all(|pair| point.has(pair.key.as_str(), pair.value.clone()))
        };
        points.iter().find(is_it).and_then(otel_testing::Point::count)
    };
    // With a text of its own it is the same series.
    assert_eq!(counted(&of("shop", &[])), Some(8));
    assert_eq!(counted(&of("quiet", &[])), Some(4));
    assert_eq!(counted(&of("shop", &[collection])), Some(4));
    assert_eq!(counted(&of("shop", &failed)), Some(4));
}
