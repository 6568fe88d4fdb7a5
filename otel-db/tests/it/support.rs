//! Set-up that the tests share.

use otel_db::{DbClient, DbClientBuilder, DbSystem};
use otel_testing::{Conventions, TestTelemetry};

pub(crate) const DURATION: &str = "db.client.operation.duration";

pub(crate) fn client(telemetry: &TestTelemetry, system: DbSystem) -> DbClientBuilder {
    DbClient::builder(system)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
}

/// Everything follows the conventions, but for what is this crate's own.
#[track_caller]
pub(crate) fn assert_conventional(telemetry: &TestTelemetry) {
    assert_eq!(Conventions::new().allow("otel_db").check(telemetry), [], "{}", telemetry.tree());
}
