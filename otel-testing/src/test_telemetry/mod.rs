//! In-memory telemetry of one test.

mod builder;
mod metrics;
mod telemetry;

pub use builder::TestTelemetryBuilder;
pub use telemetry::TestTelemetry;
