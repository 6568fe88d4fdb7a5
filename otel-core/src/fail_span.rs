//! Errors of the application, on its own spans.

use std::error::Error;
use std::fmt::Write;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Status, TraceContextExt};

use crate::{ErrorType, current_context};

/// No chain is this long, but for one that leads back to itself.
const LONGEST: usize = 32;

/// Marks the current span as failed by `error`. The text of the error and those of its causes become the description of the
/// span's status, so they must hold no secrets; the error's Rust type becomes `error.type` ([`ErrorType::of`]). An error of
/// `anyhow`, or in a box, is given as `&*error`.
///
/// The current span may be one of `tracing`, as that of `#[instrument]`. For spans of the application: those of an
/// instrumentation know by themselves when they fail. A log record is not made: `#[instrument(err)]` and
/// `tracing::error!` do that.
///
/// ```
/// use otel_core::fail_span;
///
/// #[tracing::instrument]
/// fn read(path: &str) -> std::io::Result<String> {
///     std::fs::read_to_string(path).inspect_err(fail_span)
/// }
/// # let telemetry = otel_testing::TestTelemetry::new();
/// # tracing::subscriber::with_default(telemetry.subscriber(), || read("/no/such/file").unwrap_err());
/// # let status = telemetry.span("read").status;
/// # assert!(matches!(status, opentelemetry::trace::Status::Error { .. }), "{status:?}");
/// ```
pub fn fail_span<E: Error + ?Sized>(error: &E) {
    let context = current_context();
    let span = context.span();
    if span.is_recording() {
        span.set_attribute(KeyValue::new("error.type", ErrorType::of::<E>()));
        span.set_status(Status::error(description(error)));
    }
}

fn description<E: Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..LONGEST {
        let Some(next) = cause else { break };
        // Writing to a text does not fail.
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}
