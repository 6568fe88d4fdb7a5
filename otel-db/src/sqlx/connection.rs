//! One connection.

use std::fmt;

use async_stream::try_stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::database::HasStatementCache;
use sqlx::pool::PoolConnection as SqlxPoolConnection;
use sqlx::{Connection as _, Database, Describe, Error, Execute, Executor, SqlSafeStr, SqlStr};

use super::calls::{command, observe, observe_row, observe_rows, preparation};
use super::driver::{Driver, Options, Step};
use super::query::ObservedQuery;
use super::stream::ObservedSteps;
use super::{Transaction, client_builder};
use crate::DbClient;

/// A connection whose statements are observed.
///
/// `&mut Connection<DB>` is an [`Executor`], as sqlx's own connections are:
///
/// ```
/// # #[cfg(feature = "sqlx-sqlite")] {
/// use otel_db::sqlx::Connection;
/// use sqlx::Sqlite;
///
/// async fn count(connection: &mut Connection<Sqlite>) -> sqlx::Result<i64> {
///     sqlx::query_scalar("SELECT count(*) FROM songs").fetch_one(connection).await
/// }
/// # }
/// ```
///
/// It has no [`sqlx::Acquire`] and no [`sqlx::Connection`]: both promise sqlx's own types, which record nothing.
pub struct Connection<DB: Driver> {
    raw: Raw<DB>,
    client: DbClient,
    /// Transactions and savepoints that have begun here. SQLite's own number lags behind what was asked of its thread.
    pub(super) depth: usize,
}

enum Raw<DB: Database> {
    Single(DB::Connection),
    Pooled(SqlxPoolConnection<DB>),
}

impl<DB: Driver> Connection<DB> {
    /// Connects. The address, the port and the database's name are those of the options.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn connect_with(options: &Options<DB>) -> Result<Self, Error> {
        let client = client_builder::<DB>(options).build();
        let raw = DB::Connection::connect_with(options).await?;
        Ok(Self::new(raw, &client))
    }

    /// Observes a connection of sqlx, as calls of `client`.
    #[must_use]
    pub fn new(raw: DB::Connection, client: &DbClient) -> Self {
        Self { raw: Raw::Single(raw), client: client.clone(), depth: 0 }
    }

    pub(super) fn pooled(raw: SqlxPoolConnection<DB>, client: &DbClient) -> Self {
        Self { raw: Raw::Pooled(raw), client: client.clone(), depth: 0 }
    }

    pub(super) fn close_on_drop(&mut self) {
        if let Raw::Pooled(raw) = &mut self.raw {
            raw.close_on_drop();
        }
    }

    /// The connection without its pool.
    pub(super) fn taken_out(self, take: impl FnOnce(SqlxPoolConnection<DB>) -> DB::Connection) -> Self {
        let raw = match self.raw {
            Raw::Pooled(raw) => Raw::Single(take(raw)),
            single @ Raw::Single(_) => single,
        };
        Self { raw, ..self }
    }

    /// sqlx's own connection. What is done with it is not observed.
    pub fn inner(&mut self) -> &mut DB::Connection {
        match &mut self.raw {
            Raw::Single(raw) => raw,
            Raw::Pooled(raw) => raw,
        }
    }

    /// As [`inner`](Self::inner), to look at.
    #[must_use]
    pub fn inner_ref(&self) -> &DB::Connection {
        match &self.raw {
            Raw::Single(raw) => raw,
            Raw::Pooled(raw) => raw,
        }
    }

    /// The client whose calls these are: for calls of your own on the [`inner`](Self::inner) connection.
    #[must_use]
    pub fn client(&self) -> &DbClient {
        &self.client
    }

    /// Begins a transaction, or sets a savepoint inside of one.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        Transaction::begin_on(self, None).await
    }

    /// Begins a transaction with a statement of your own, `BEGIN IMMEDIATE` for example.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn begin_with(&mut self, statement: impl SqlSafeStr) -> Result<Transaction<'_, DB>, Error> {
        Transaction::begin_on(self, Some(statement.into_sql_str())).await
    }

    /// Calls `callback` inside of a transaction, which is committed when it returns `Ok` and rolled back otherwise.
    ///
    /// ```
    /// # #[cfg(feature = "sqlx-sqlite")]
    /// # async fn example(connection: &mut otel_db::sqlx::Connection<sqlx::Sqlite>) -> sqlx::Result<()> {
    /// let deleted = connection
    ///     .transaction(|transaction| Box::pin(sqlx::query("DELETE FROM songs").execute(&mut **transaction)))
    ///     .await?;
    /// # drop(deleted);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `callback` returns, or sqlx.
    pub async fn transaction<F, R, E>(&mut self, callback: F) -> Result<R, E>
    where
        F: for<'t> FnOnce(&'t mut Transaction<'_, DB>) -> BoxFuture<'t, Result<R, E>>,
        E: From<Error>,
    {
        let mut transaction = self.begin().await?;
        let result = callback(&mut transaction).await;
        match result {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    }

    /// Whether a transaction has begun here.
    #[must_use]
    pub fn is_in_transaction(&self) -> bool {
        self.depth > 0 || self.inner_ref().is_in_transaction()
    }

    /// Asks the database whether it is there.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn ping(&mut self) -> Result<(), Error> {
        let operation = command(&self.client, "PING").start();
        observe::<DB, _>(operation, self.inner().ping()).await
    }

    /// Closes the connection, and takes it out of its pool.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn close(self) -> Result<(), Error> {
        match self.raw {
            Raw::Single(raw) => raw.close().await,
            Raw::Pooled(raw) => raw.close().await,
        }
    }

    /// Closes the connection without a word to the database, and takes it out of its pool.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn close_hard(self) -> Result<(), Error> {
        match self.raw {
            Raw::Single(raw) => raw.close_hard().await,
            Raw::Pooled(raw) => raw.detach().close_hard().await,
        }
    }

    /// How many statements the connection has prepared and keeps.
    #[must_use]
    pub fn cached_statements_size(&self) -> usize
    where
        DB: HasStatementCache,
    {
        self.inner_ref().cached_statements_size()
    }

    /// Forgets them.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn clear_cached_statements(&mut self) -> Result<(), Error>
    where
        DB: HasStatementCache,
    {
        self.inner().clear_cached_statements().await
    }
}

impl<DB: Driver> fmt::Debug for Connection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<'c, DB: Driver> Executor<'c> for &'c mut Connection<DB> {
    type Database = DB;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut query = ObservedQuery::new(query);
        Box::pin(async move {
            let operation = query.start(&self.client);
            observe::<DB, _>(operation, DB::execute(self.inner(), query)).await
        })
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut query = ObservedQuery::new(query);
        Box::pin(try_stream! {
            let operation = query.start(&self.client);
            let mut steps = ObservedSteps::<DB>::new(DB::fetch_many(self.inner(), query), operation);
            while let Some(step) = steps.try_next().await? {
                yield step;
            }
        })
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut query = ObservedQuery::new(query);
        Box::pin(async move {
            let operation = query.start(&self.client);
            observe_rows::<DB, _>(operation, DB::fetch_all(self.inner(), query), Vec::len).await
        })
    }

    fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::Row, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut query = ObservedQuery::new(query);
        Box::pin(async move {
            let operation = query.start(&self.client);
            let row = observe_row::<DB>(operation, DB::fetch_optional(self.inner(), query)).await?;
            row.ok_or(Error::RowNotFound)
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut query = ObservedQuery::new(query);
        Box::pin(async move {
            let operation = query.start(&self.client);
            observe_row::<DB>(operation, DB::fetch_optional(self.inner(), query)).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let operation = preparation(&self.client, "PREPARE", &sql);
            observe::<DB, _>(operation, DB::prepare_with(self.inner(), sql, parameters)).await
        })
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let operation = preparation(&self.client, "DESCRIBE", &sql);
            observe::<DB, _>(operation, DB::describe(self.inner(), sql)).await
        })
    }
}
