//! Statements of code that has sqlx's own types.

use std::fmt;

use async_stream::try_stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::{Describe, Error, Execute, Executor, SqlStr};

use super::calls::{observe, observe_row, observe_rows, preparation};
use super::driver::{Driver, Step};
use super::query::ObservedQuery;
use super::stream::ObservedSteps;
use crate::DbClient;

/// Observes the statements of an executor of sqlx's own: for code whose signatures cannot change.
///
/// ```
/// # #[cfg(feature = "sqlx-sqlite")] {
/// use otel_db::{DbClient, sqlx::Observe};
/// use sqlx::sqlite::{SqliteConnection, SqlitePool};
///
/// async fn count(pool: &SqlitePool, db: &DbClient) -> sqlx::Result<i64> {
///     sqlx::query_scalar("SELECT count(*) FROM songs").fetch_one(pool.observed(db)).await
/// }
/// async fn delete(connection: &mut SqliteConnection, db: &DbClient) -> sqlx::Result<()> {
///     sqlx::query("DELETE FROM songs").execute(connection.observed(db)).await?;
///     Ok(())
/// }
/// # }
/// ```
///
/// The client comes from [`client_builder`](super::client_builder), once. Transactions and pools are not seen this way.
pub trait Observe<'c>: Executor<'c> {
    /// An executor for one statement, which is a call of `client`.
    fn observed(self, client: &DbClient) -> Observed<Self> {
        Observed { inner: self, client: client.clone() }
    }
}

impl<'c, E> Observe<'c> for E
where
    E: Executor<'c>,
    E::Database: Driver,
{
}

/// An executor whose statement is observed, made by [`Observe::observed`].
pub struct Observed<E> {
    inner: E,
    client: DbClient,
}

impl<E> fmt::Debug for Observed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<'c, X, DB> Executor<'c> for Observed<X>
where
    X: Executor<'c, Database = DB> + 'c,
    DB: Driver,
{
    type Database = DB;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut query = ObservedQuery::new(query);
        Box::pin(async move {
            let operation = query.start(&self.client);
            observe::<DB, _>(operation, self.inner.execute(query)).await
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
            let mut steps = ObservedSteps::<DB>::new(self.inner.fetch_many(query), operation);
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
            observe_rows::<DB, _>(operation, self.inner.fetch_all(query), Vec::len).await
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
            observe_row::<DB>(operation, self.inner.fetch_optional(query)).await
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
            observe::<DB, _>(operation, self.inner.prepare_with(sql, parameters)).await
        })
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let operation = preparation(&self.client, "DESCRIBE", &sql);
            observe::<DB, _>(operation, self.inner.describe(sql)).await
        })
    }
}
