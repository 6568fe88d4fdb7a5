//! Set-up that the tests share.

use std::time::Duration;

use otel_db::sqlx::{Driver, Pool, PoolBuilder};
use otel_db::{DbClient, DbClientBuilder, DbSystem};
use otel_testing::{AssertTelemetry, Conventions, TestTelemetry, require_service};

pub(crate) const DURATION: &str = "db.client.operation.duration";

/// How long a test waits for something that should come at once.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn client(telemetry: &TestTelemetry, system: DbSystem) -> DbClientBuilder {
    DbClient::builder(system)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
}

/// A pool whose telemetry the test sees.
pub(crate) fn builder<DB: Driver>(telemetry: &TestTelemetry, pool: sqlx::Pool<DB>) -> PoolBuilder<DB> {
    Pool::instrument(pool)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_pool_metrics(true)
        .with_returned_rows(true)
}

pub(crate) fn observed<DB: Driver>(telemetry: &TestTelemetry, pool: sqlx::Pool<DB>) -> Pool<DB> {
    builder(telemetry, pool).build()
}

/// The URL of a server that `scripts/services` has started.
pub(crate) fn postgres_url() -> Option<String> {
    require_service("PostgreSQL (TEST_POSTGRES_URL)", std::env::var("TEST_POSTGRES_URL").ok())
}

/// As [`postgres_url`].
pub(crate) fn mariadb_url() -> Option<String> {
    require_service("MariaDB (TEST_MARIADB_URL)", std::env::var("TEST_MARIADB_URL").ok())
}

/// Everything follows the conventions, but for what is this crate's own.
#[track_caller]
pub(crate) fn assert_conventional(telemetry: &TestTelemetry) {
    assert_eq!(Conventions::new().check(telemetry), [], "{}", telemetry.tree());
}

/// The value of an up-down counter or gauge, of all series together.
pub(crate) fn total(telemetry: &TestTelemetry, metric: &str) -> f64 {
    telemetry.total(metric)
}

/// Connections of the pool in one state.
pub(crate) fn connections(telemetry: &TestTelemetry, state: &str) -> f64 {
    let points = telemetry.points("db.client.connection.count");
    let of_state = points.iter().filter(|point| point.has("db.client.connection.state", state));
    of_state.map(otel_testing::Point::total).sum()
}

/// Nobody uses a connection or waits for one, in the end: a connection is given back by a task of its own.
pub(crate) async fn assert_at_rest(telemetry: &TestTelemetry) {
    otel_testing::eventually(BOUND, || {
        connections(telemetry, "used") == 0.0
            && total(telemetry, "db.client.connection.pending_requests") == 0.0
    })
    .await;
    telemetry.assert_all_spans_ended();
}
