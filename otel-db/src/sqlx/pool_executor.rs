//! Statements on the pool: a connection for each.

use async_stream::try_stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::{Describe, Error, Execute, Executor, SqlStr};

use super::Pool;
use super::calls::{observe, observe_row, observe_rows, preparation};
use super::driver::{Driver, Step};
use super::failure::failure_of;
use super::pool_state::Borrowed;
use super::query::ObservedQuery;
use super::stream::ObservedSteps;
use crate::DbOperation;

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
    observe_row::<DB>(operation, run).await
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
