//! Calls of a database through any client.

mod builder;
mod convention;
mod metrics;
mod names;
mod operation;
mod operation_builder;
mod options;
#[cfg(feature = "sqlx")]
mod pool;
mod series;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use otel_core::{Instrumenter, Providers};

pub use builder::DbClientBuilder;
pub use operation::DbOperation;
pub use operation_builder::DbOperationBuilder;
pub(crate) use series::{Known, Series, Source};

use crate::DbSystem;
use convention::DbConvention;
#[cfg(any(feature = "redis", feature = "sqlx"))]
pub(crate) use options::DbOptions;
use options::Filter;
#[cfg(feature = "sqlx")]
pub(crate) use options::client_setters;
#[cfg(feature = "sqlx")]
use pool::PoolMetrics;
#[cfg(feature = "sqlx")]
pub(crate) use pool::{MeasuredPool, PoolFigures};

/// Gives each call of a database a client span and a duration.
///
/// One value for each database that a service uses; clones share it. Drivers with an adapter in this crate need only that;
/// for any other, start the operation where the call is made:
///
/// ```
/// use otel_db::{DbClient, DbFailure, DbSystem};
///
/// # struct Client;
/// # impl Client { async fn query(&self, _: &str) -> Result<Vec<u32>, std::io::Error> { Ok(vec![7]) } }
/// # async fn example(client: Client) -> Result<(), std::io::Error> {
/// let db = DbClient::builder(DbSystem::CLICKHOUSE)
///     .with_server_address("clickhouse.internal")
///     .with_namespace("shop")
///     .build();
///
/// let query = "SELECT name FROM songs WHERE year > 1999";
/// let mut operation = db.query(query).start();
/// match operation.observe(client.query(query)).await {
///     Ok(rows) => {
///         operation.set_returned_rows(rows.len() as u64);
///         operation.end();
///     }
///     Err(error) => operation.fail(DbFailure::of::<std::io::Error>()),
/// }
/// # Ok(())
/// # }
/// ```
///
/// What is recorded is `SELECT songs` as the span's name, and `SELECT name FROM songs WHERE year > ?` as its text.
#[derive(Clone)]
pub struct DbClient {
    shared: Arc<Shared>,
}

/// What all calls of one client share.
struct Shared {
    instrumenter: Instrumenter<DbConvention>,
    filter: Option<Filter>,
    capture_parameters: bool,
}

impl DbClient {
    /// A client of `system`, about which nothing else is known.
    #[must_use]
    pub fn new(system: DbSystem) -> Self {
        Self::builder(system).build()
    }

    /// A client with options.
    pub fn builder(system: DbSystem) -> DbClientBuilder {
        DbClientBuilder::new(system)
    }

    /// A call that sends one statement of a query language, as it is sent: its literals are removed here.
    /// For Redis, Valkey and memcached it is a command, `SET key value`: all but its name is removed.
    pub fn query<'a>(&'a self, text: &'a str) -> DbOperationBuilder<'a> {
        DbOperationBuilder::of_query(self, text)
    }

    /// A call that is no text: a command of a cache, a method of a driver. `name` is one of few, such as `GET` or
    /// `findAndModify`, in the database's own writing.
    pub fn operation<'a>(&'a self, name: impl Into<Cow<'a, str>>) -> DbOperationBuilder<'a> {
        DbOperationBuilder::of_operation(self, name.into())
    }

    /// A call that sends several statements as a batch, each for itself. One alone counts as a single statement.
    pub fn batch<'a>(&'a self, texts: &[&'a str]) -> DbOperationBuilder<'a> {
        DbOperationBuilder::of_batch(self, texts)
    }

    /// The system.
    #[must_use]
    pub fn system(&self) -> DbSystem {
        self.convention().system
    }

    /// Records something of the pool, if pools are measured.
    #[cfg(feature = "sqlx")]
    pub(crate) fn with_pool_metrics(&self, record: impl FnOnce(&PoolMetrics)) {
        self.shared.instrumenter.with_metrics(|metrics| metrics.pool.as_ref().map(record));
    }

    /// Counts what a cache had and had not: `otel_db.cache.lookups`, with `otel_db.cache.result`. Adapters of caches do it by
    /// themselves.
    pub fn count_lookups(&self, hits: u64, misses: u64) {
        let convention = self.convention();
        self.shared.instrumenter.with_metrics(|metrics| {
            for (result, count) in [("hit", hits), ("miss", misses)] {
                if count > 0 {
                    metrics.lookups.add(count, &convention.lookup_attributes(result));
                }
            }
        });
    }

    pub(crate) fn providers(&self) -> &Providers {
        self.shared.instrumenter.providers()
    }

    pub(crate) fn convention(&self) -> &DbConvention {
        self.shared.instrumenter.convention()
    }
}

impl fmt::Debug for DbClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbClient").field("convention", self.convention()).finish_non_exhaustive()
    }
}
