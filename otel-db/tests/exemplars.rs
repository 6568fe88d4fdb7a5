//! The exemplars of durations lead to the span of the very call. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use otel_db::{DbClient, DbSystem};
use otel_testing::OtlpReceiver;

#[test]
fn they_lead_to_the_span_of_the_call() {
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry =
        otel_init::Telemetry::builder().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let db = DbClient::builder(DbSystem::POSTGRESQL).with_namespace("shop").build();
    {
        let _around = Context::current_with_span(global::tracer("test").start("around")).attach();
        // The second time its attributes are known, and bound.
        for _ in 0..3 {
            db.query("SELECT name FROM songs").start().end();
        }
    }
    telemetry.shutdown_blocking().unwrap();

    let metrics = receiver.metrics();
    let name = "db.client.operation.duration";
    let points = metrics.iter().find(|metric| metric.name() == name).unwrap().points();
    assert_eq!(points.len(), 1, "{points:?}");
    assert!(!points[0].exemplars.is_empty(), "{points:?}");
    for exemplar in &points[0].exemplars {
        let trace = receiver.trace(exemplar.trace_id.as_ref().unwrap()).unwrap();
        let span = trace.span(exemplar.span_id.as_ref().unwrap()).unwrap();
        assert_eq!(span.name, "SELECT songs", "{}", trace.tree());
        let difference = exemplar.value.unwrap().as_f64() - span.duration().as_secs_f64();
        assert!(difference.abs() < 1e-6, "{difference}");
    }
}
