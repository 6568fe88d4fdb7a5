//! Assertions that fail with what was there, what came closest, and the difference.

mod assert_telemetry;
mod attribute_conditions;
mod closest;
mod count;
mod expectations;
mod expected;
mod hygiene;
mod log;
mod looks_like_id;
mod metric;
mod names;
mod point;
mod secrets;
mod span;
mod span_condition;
mod trace;
mod trace_macro;

pub(crate) use closest::{first_lines, name_distance, nearest_name};
pub(crate) use expected::type_name;
pub(crate) use metric::{kind_name, list, with_article};

pub use assert_telemetry::AssertTelemetry;
pub use expectations::{Expectations, ExpectationsError};
pub use expected::{Expected, any_value, containing, one_of, starting_with};
pub use log::{ExpectedLog, log};
pub use metric::MetricAssertion;
pub use point::PointAssertion;
pub use span::{ExpectedSpan, span};
pub use trace::ExpectedTrace;

use crate::Captured;

/// Fails the test, and shows all spans.
#[track_caller]
fn fail_with_spans(message: &str, captured: &Captured) -> ! {
    fail(&format!("{message}all spans:\n{}", first_lines(&captured.tree())))
}

/// Fails the test, at the line of the caller.
#[track_caller]
#[expect(clippy::panic, reason = "this is a test assertion")]
pub(crate) fn fail(message: &str) -> ! {
    panic!("{message}")
}
