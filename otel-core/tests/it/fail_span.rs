//! Errors of the application on its own spans.

use std::error::Error;
use std::fmt;
use std::io;

use opentelemetry::Context;
use opentelemetry::trace::{Status, TraceContextExt, Tracer, TracerProvider};
use otel_core::fail_span;
use otel_testing::{SpanDataExt, TestTelemetry};

#[derive(Debug)]
struct NotPlaced(io::Error);

impl fmt::Display for NotPlaced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("order not placed")
    }
}

impl Error for NotPlaced {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn not_placed() -> NotPlaced {
    NotPlaced(io::Error::from(io::ErrorKind::ConnectionRefused))
}

#[test]
fn the_current_span_fails_with_the_error_and_its_causes() {
    let telemetry = TestTelemetry::new();
    telemetry.tracer_provider().tracer("orders").in_span("order", |_| fail_span(&not_placed()));
    let span = telemetry.span("order");
    assert_eq!(span.status, Status::error("order not placed: connection refused"));
    assert!(span.has("error.type", std::any::type_name::<NotPlaced>()));
}

#[test]
fn an_error_whose_type_is_not_known_has_no_class() {
    let telemetry = TestTelemetry::new();
    let error: Box<dyn Error> = Box::new(not_placed());
    telemetry.tracer_provider().tracer("orders").in_span("order", |_| fail_span(&*error));
    assert!(telemetry.span("order").has("error.type", "_OTHER"));
}

#[test]
fn a_span_of_tracing_fails_and_those_around_it_do_not() {
    let telemetry = TestTelemetry::new();
    tracing::subscriber::with_default(telemetry.subscriber(), || {
        let order = tracing::info_span!("order").entered();
        tracing::info_span!("reserve").in_scope(|| {
            let failed: Result<(), NotPlaced> = Err(not_placed()).inspect_err(fail_span);
            failed.unwrap_err();
        });
        drop(order);
    });
    assert!(matches!(telemetry.span("reserve").status, Status::Error { .. }));
    assert_eq!(telemetry.span("order").status, Status::Unset);
}

#[test]
fn without_a_span_nothing_happens() {
    assert!(!Context::current().has_active_span());
    fail_span(&not_placed());
}
