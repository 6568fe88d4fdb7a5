//! The options of a pool.

use std::fmt;
use std::sync::{Arc, Weak};

use super::Pool;
use super::driver::{Driver, Options, Target};
use super::pool_name::{PoolName, default_name};
use super::pool_state::PoolState;
use crate::client::{DbOptions, MeasuredPool, PoolFigures, client_setters};
use crate::{DbClientBuilder, DbSystem, SqlComments};

/// Options of a client of one of sqlx's databases, with the address, the port and the database's name that connections are
/// made with: for [`Connection::new`](super::Connection::new) and [`Observe::observed`](super::Observe::observed).
pub fn client_builder<DB: Driver>(options: &Options<DB>) -> DbClientBuilder {
    DbClientBuilder::from_options(client_options(DB::target(options)))
}

fn client_options(target: Target) -> DbOptions {
    let mut options = DbOptions::new(target.system);
    options.server_address = target.address;
    options.server_port = target.port;
    options.namespace = target.namespace;
    options
}

/// Options of a [`Pool`], made by [`Pool::instrument`].
///
/// ```
/// # #[cfg(feature = "sqlx-sqlite")]
/// # async fn example() -> sqlx::Result<()> {
/// use std::time::Duration;
/// use sqlx::sqlite::SqlitePool;
///
/// let pool = otel_db::sqlx::Pool::instrument(SqlitePool::connect("sqlite://shop.db").await?)
///     .with_pool_metrics(true)
///     .with_slow_threshold(Duration::from_millis(200))
///     .build();
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct PoolBuilder<DB: Driver> {
    pool: sqlx::Pool<DB>,
    options: DbOptions,
    name: Option<String>,
    measured: bool,
}

impl<DB: Driver> PoolBuilder<DB> {
    pub(super) fn new(pool: sqlx::Pool<DB>) -> Self {
        let options = client_options(DB::target(&pool.connect_options()));
        Self { pool, options, name: None, measured: false }
    }

    client_setters!();

    /// The system, where the driver serves several: [`DbSystem::MARIADB`] for a pool of MySQL's driver,
    /// [`DbSystem::COCKROACHDB`] for one of PostgreSQL's. Default: the driver's.
    pub fn with_system(mut self, system: DbSystem) -> Self {
        self.options.system = system;
        self
    }

    /// Lets statements carry their trace context, see [`SqlComments`]. Default: none.
    pub fn with_sql_comments(mut self, comments: SqlComments) -> Self {
        self.options.sql_comments = Some(comments);
        self
    }

    /// Measures the pool: `db.client.connection.*` (stability: development). Default: `false`.
    pub fn with_pool_metrics(mut self, record: bool) -> Self {
        self.measured = record;
        self
    }

    /// `db.client.connection.pool.name`; a name that another pool has gets a number. Default: made of the address, the
    /// port and the database's name.
    pub fn with_pool_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The pool.
    #[must_use]
    pub fn build(mut self) -> Pool<DB> {
        let name = self.measured.then(|| PoolName::reserve(&self.pool_name()));
        let state = PoolState::new(self.pool.clone(), name);
        let measured = state.name.as_ref().map(|name| {
            let figures: Arc<dyn PoolFigures> = state.clone();
            let figures: Weak<dyn PoolFigures> = Arc::downgrade(&figures);
            Arc::new(MeasuredPool::new(name.as_str().to_owned(), figures, self.options.has_own_meter))
        });
        self.options.pool = measured;
        let client = self.options.build();
        // The figures are there before the first connection is asked for, if a provider is.
        client.with_pool_metrics(|_| ());
        Pool::new(state, client)
    }

    fn pool_name(&self) -> String {
        let options = &self.options;
        self.name.clone().unwrap_or_else(|| {
            default_name(&Target {
                system: options.system,
                address: options.server_address.clone(),
                port: options.server_port,
                namespace: options.namespace.clone(),
            })
        })
    }
}

impl<DB: Driver> fmt::Debug for PoolBuilder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("options", &self.options)
            .field("name", &self.name)
            .field("measured", &self.measured)
            .finish_non_exhaustive()
    }
}
