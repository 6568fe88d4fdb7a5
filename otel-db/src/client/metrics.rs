//! The instruments of calls.

use opentelemetry::metrics::{Counter, Histogram, Meter};
use otel_core::binds_instruments;

use super::convention::DbConvention;
#[cfg(feature = "sqlx")]
use super::pool::PoolMetrics;
use super::series::DurationSeries;

/// <https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#metric-dbclientoperationduration>
const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// <https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#metric-dbclientresponsereturned_rows>
const ROW_BUCKETS: [f64; 13] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0];

#[derive(Debug)]
pub(crate) struct DbMetrics {
    pub(crate) duration: DurationSeries,
    pub(crate) returned_rows: Option<Histogram<u64>>,
    pub(crate) lookups: Counter<u64>,
    #[cfg(feature = "sqlx")]
    pub(crate) pool: Option<PoolMetrics>,
}

impl DbMetrics {
    pub(crate) fn new(meter: &Meter, convention: &DbConvention) -> Self {
        let duration = meter
            .f64_histogram("db.client.operation.duration")
            .with_unit("s")
            .with_description("Duration of database client operations.")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let returned_rows = convention.returned_rows.then(|| {
            meter
                .u64_histogram("db.client.response.returned_rows")
                .with_unit("{row}")
                .with_description("The actual number of records returned by the database operation.")
                .with_boundaries(ROW_BUCKETS.to_vec())
                .build()
        });
        let lookups = meter
            .u64_counter("otel_db.cache.lookups")
            .with_unit("{lookup}")
            .with_description("Values that a cache was asked for, by whether it had them.")
            .build();
        let binds = binds_instruments() && !convention.has_own_meter;
        Self {
            duration: DurationSeries::new(duration, binds, convention.query_text),
            returned_rows,
            lookups,
            #[cfg(feature = "sqlx")]
            pool: convention.pool.as_ref().map(|pool| pool.metrics(meter)),
        }
    }
}
