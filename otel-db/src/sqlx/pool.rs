//! The pool.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use async_stream::try_stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::{Describe, Error, Execute, Executor, SqlSafeStr, SqlStr};

use super::calls::{observe, observe_rows, preparation};
use super::driver::{Driver, Step};
use super::failure::failure_of;
use super::pool_state::{Borrowed, PoolState, UseTime};
use super::query::ObservedQuery;
use super::stream::ObservedSteps;
use super::transaction::begin_operation;
use super::{Connection, PoolBuilder, Transaction};
use crate::{DbClient, DbOperation};

/// A pool of connections whose statements are observed, around one of sqlx.
///
/// `&Pool<DB>` is an [`Executor`], so that it takes the place of sqlx's pool in `query!`, `query_as` and all the others.
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
    state: Arc<PoolState<DB>>,
    client: DbClient,
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

    /// A connection, when there is one.
    ///
    /// # Errors
    ///
    /// What sqlx returns: no connection in time, the pool is closed, a connection could not be made.
    pub async fn acquire(&self) -> Result<PoolConnection<DB>, Error> {
        let borrowed = self.state.acquire(&self.client).await?;
        Ok(PoolConnection {
            connection: Connection::pooled(borrowed.raw, &self.client),
            _use_time: borrowed._use_time,
        })
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
        let Some(connection) = self.try_acquire() else { return Ok(None) };
        let operation = begin_operation(&self.client, "BEGIN", None);
        observe::<DB, _>(operation, Transaction::begin_in(connection, None)).await.map(Some)
    }

    async fn begin_now(&self, statement: Option<SqlStr>) -> Result<Transaction<'static, DB>, Error> {
        let operation = begin_operation(&self.client, "BEGIN", statement.as_ref());
        let begin = async { Transaction::begin_in(self.acquire().await?, statement).await };
        observe::<DB, _>(operation, begin).await
    }

    /// Closes the pool and waits until all connections are given back.
    pub async fn close(&self) {
        self.state.raw.close().await;
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

impl<'p, DB: Driver> Executor<'p> for &'_ Pool<DB> {
    type Database = DB;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, mut query) = (self.clone(), ObservedQuery::new(query));
        Box::pin(async move {
            let operation = query.start(&pool.client);
            let run = async { DB::execute(&mut pool.state.acquire(&pool.client).await?.raw, query).await };
            observe::<DB, _>(operation, run).await
        })
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, mut query) = (self.clone(), ObservedQuery::new(query));
        Box::pin(try_stream! {
            let operation = query.start(&pool.client);
            let (mut borrowed, operation) = acquire_in(&pool, operation).await?;
            let mut steps = ObservedSteps::<DB>::new(DB::fetch_many(&mut borrowed.raw, query), operation);
            while let Some(step) = steps.try_next().await? {
                yield step;
            }
        })
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, mut query) = (self.clone(), ObservedQuery::new(query));
        Box::pin(async move {
            let operation = query.start(&pool.client);
            let run = async { DB::fetch_all(&mut pool.state.acquire(&pool.client).await?.raw, query).await };
            observe_rows::<DB, _>(operation, run, Vec::len).await
        })
    }

    fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::Row, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, query) = (self.clone(), ObservedQuery::new(query));
        Box::pin(async move { fetch_optional(&pool, query).await?.ok_or(Error::RowNotFound) })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let (pool, query) = (self.clone(), ObservedQuery::new(query));
        Box::pin(async move { fetch_optional(&pool, query).await })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let operation = preparation(&pool.client, "PREPARE", &sql);
            let run = async {
                DB::prepare_with(&mut pool.state.acquire(&pool.client).await?.raw, sql, parameters).await
            };
            observe::<DB, _>(operation, run).await
        })
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let operation = preparation(&pool.client, "DESCRIBE", &sql);
            let run = async { DB::describe(&mut pool.state.acquire(&pool.client).await?.raw, sql).await };
            observe::<DB, _>(operation, run).await
        })
    }
}

async fn fetch_optional<DB: Driver>(
    pool: &Pool<DB>,
    mut query: ObservedQuery<DB>,
) -> Result<Option<DB::Row>, Error> {
    let operation = query.start(&pool.client);
    let run = async { DB::fetch_optional(&mut pool.state.acquire(&pool.client).await?.raw, query).await };
    observe_rows::<DB, _>(operation, run, |row| usize::from(row.is_some())).await
}

/// A connection for an operation that goes on, or the end of both.
async fn acquire_in<DB: Driver>(
    pool: &Pool<DB>,
    mut operation: DbOperation,
) -> Result<(Borrowed<DB>, DbOperation), Error> {
    match operation.observe(pool.state.acquire(&pool.client)).await {
        Ok(borrowed) => Ok((borrowed, operation)),
        Err(error) => {
            operation.fail(failure_of::<DB>(&error));
            Err(error)
        }
    }
}
