//! The pool.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::pool::CloseEvent;
use sqlx::{Error, SqlSafeStr, SqlStr};

use super::calls::observe;
use super::driver::Driver;
use super::pool_state::{PoolState, UseTime};
use super::transaction::begin_operation;
use super::{Connection, PoolBuilder, Transaction};
use crate::DbClient;

/// A pool of connections whose statements are observed, around one of sqlx.
///
/// `&Pool<DB>` is an [`Executor`](sqlx::Executor), so that it takes the place of sqlx's pool in `query!`, `query_as` and all the others.
/// Clones share the pool. A statement on the pool is one operation from the call to the result, the wait for a connection
/// included.
///
/// ```
/// # #[cfg(feature = "sqlx-sqlite")]
/// # async fn example() -> sqlx::Result<()> {
/// use sqlx::sqlite::SqlitePool;
///
/// let pool = otel_db::sqlx::Pool::from(SqlitePool::connect("sqlite::memory:").await?);
/// let year: i64 = sqlx::query_scalar("SELECT max(year) FROM songs").fetch_one(&pool).await?;
/// # Ok(())
/// # }
/// ```
///
/// [`sqlx::Acquire`] promises sqlx's own connection and transaction, which record nothing, so a wrapper cannot have it:
/// call [`acquire`](Self::acquire), [`begin`](Self::begin) or [`migrate`](Self::migrate) instead.
pub struct Pool<DB: Driver> {
    pub(super) state: Arc<PoolState<DB>>,
    pub(super) client: DbClient,
}

impl<DB: Driver> Pool<DB> {
    /// Observes a pool of sqlx, with options.
    pub fn instrument(pool: sqlx::Pool<DB>) -> PoolBuilder<DB> {
        PoolBuilder::new(pool)
    }

    pub(super) fn new(state: Arc<PoolState<DB>>, client: DbClient) -> Self {
        Self { state, client }
    }

    /// sqlx's own pool. What is done with it is not observed.
    #[must_use]
    pub fn inner(&self) -> &sqlx::Pool<DB> {
        &self.state.raw
    }

    /// The client whose calls these are: for calls of your own with the [`inner`](Self::inner) pool.
    #[must_use]
    pub fn client(&self) -> &DbClient {
        &self.client
    }

    /// A connection, when there is one. The future borrows nothing, so that it may be kept or spawned.
    ///
    /// # Errors
    ///
    /// What sqlx returns: no connection in time, the pool is closed, a connection could not be made.
    pub fn acquire(&self) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + 'static {
        let pool = self.clone();
        async move {
            let borrowed = pool.state.acquire(&pool.client).await?;
            Ok(PoolConnection {
                connection: Connection::pooled(borrowed.raw, &pool.client),
                _use_time: borrowed._use_time,
            })
        }
    }

    /// A connection, if one is idle now.
    #[must_use]
    pub fn try_acquire(&self) -> Option<PoolConnection<DB>> {
        let borrowed = self.state.try_acquire(&self.client)?;
        let connection = Connection::pooled(borrowed.raw, &self.client);
        Some(PoolConnection { connection, _use_time: borrowed._use_time })
    }

    /// Begins a transaction on a connection of its own.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        self.begin_now(None).await
    }

    /// Begins a transaction with a statement of your own, `BEGIN IMMEDIATE` for example.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> Result<Transaction<'static, DB>, Error> {
        self.begin_now(Some(statement.into_sql_str())).await
    }

    /// Begins a transaction, if a connection is idle now.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn try_begin(&self) -> Result<Option<Transaction<'static, DB>>, Error> {
        self.try_begin_now(None).await
    }

    /// As [`begin_with`](Self::begin_with), if a connection is idle now.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn try_begin_with(
        &self,
        statement: impl SqlSafeStr,
    ) -> Result<Option<Transaction<'static, DB>>, Error> {
        self.try_begin_now(Some(statement.into_sql_str())).await
    }

    async fn try_begin_now(
        &self,
        statement: Option<SqlStr>,
    ) -> Result<Option<Transaction<'static, DB>>, Error> {
        let Some(connection) = self.try_acquire() else { return Ok(None) };
        let operation = begin_operation(&self.client, "BEGIN", statement.as_ref());
        observe::<DB, _>(operation, Transaction::begin_in(connection, statement)).await.map(Some)
    }

    async fn begin_now(&self, statement: Option<SqlStr>) -> Result<Transaction<'static, DB>, Error> {
        let operation = begin_operation(&self.client, "BEGIN", statement.as_ref());
        let begin = async { Transaction::begin_in(self.acquire().await?, statement).await };
        observe::<DB, _>(operation, begin).await
    }

    /// Closes the pool at once. The future waits until all connections are given back.
    pub fn close(&self) -> impl Future<Output = ()> + '_ {
        self.state.raw.close()
    }

    /// A future that waits for [`close`](Self::close), and ends what should not go on then.
    #[must_use]
    pub fn close_event(&self) -> CloseEvent {
        self.state.raw.close_event()
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.raw.is_closed()
    }

    /// How many connections there are.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.state.raw.size()
    }

    /// How many of them nobody uses.
    #[must_use]
    pub fn num_idle(&self) -> usize {
        self.state.raw.num_idle()
    }
}

impl<DB: Driver> From<sqlx::Pool<DB>> for Pool<DB> {
    fn from(pool: sqlx::Pool<DB>) -> Self {
        Self::instrument(pool).build()
    }
}

impl<DB: Driver> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), client: self.client.clone() }
    }
}

impl<DB: Driver> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("inner", &self.state.raw).field("client", &self.client).finish()
    }
}

/// A [`Connection`] of a [`Pool`], which is given back when this is dropped.
pub struct PoolConnection<DB: Driver> {
    connection: Connection<DB>,
    _use_time: Option<UseTime>,
}

impl<DB: Driver> PoolConnection<DB> {
    /// Closes the connection instead of giving it back.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }

    /// Has the connection closed when this is dropped, instead of given back.
    pub fn close_on_drop(&mut self) {
        self.connection.close_on_drop();
    }

    /// Takes the connection out of the pool, which may then make another one in its place.
    #[must_use]
    pub fn detach(self) -> Connection<DB> {
        self.connection.taken_out(sqlx::pool::PoolConnection::detach)
    }

    /// Takes the connection out of the pool, which counts it as one of its own for good.
    #[must_use]
    pub fn leak(self) -> Connection<DB> {
        self.connection.taken_out(sqlx::pool::PoolConnection::leak)
    }
}

impl<DB: Driver> Deref for PoolConnection<DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.connection
    }
}

impl<DB: Driver> DerefMut for PoolConnection<DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.connection
    }
}

impl<DB: Driver> fmt::Debug for PoolConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConnection").field("connection", &self.connection).finish_non_exhaustive()
    }
}
