//! In-memory telemetry of one test.

mod builder;
mod ids;
mod metrics;
mod show_on_failure;
mod telemetry;

pub use builder::TestTelemetryBuilder;
pub use show_on_failure::ShowOnFailure;
pub(crate) use telemetry::Inner;
pub use telemetry::TestTelemetry;
