//! A statement's operation, from its start to its result, on a connection that is there.

use futures_core::stream::BoxStream;
use sqlx::{Error, SqlStr};

use super::driver::{Driver, Step};
use super::failure::failure_of;
use crate::{DbClient, DbOperation, DbOperationBuilder};

/// Ends `operation` with what came of it.
pub(super) fn end<DB: Driver, T>(operation: DbOperation, result: &Result<T, Error>) {
    match result {
        Ok(_) => operation.end(),
        Err(error) => operation.fail(failure_of::<DB>(error)),
    }
}

/// Runs `future` inside of the operation and ends it with the result.
pub(super) async fn observe<DB: Driver, T>(
    mut operation: DbOperation,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let result = operation.observe(future).await;
    end::<DB, T>(operation, &result);
    result
}

/// As [`observe`], with the rows that `count` finds in the result.
pub(super) async fn observe_rows<DB: Driver, T>(
    mut operation: DbOperation,
    future: impl Future<Output = Result<T, Error>>,
    count: impl FnOnce(&T) -> usize,
) -> Result<T, Error> {
    let result = operation.observe(future).await;
    if let Ok(rows) = &result {
        operation.set_returned_rows(count(rows) as u64);
    }
    end::<DB, T>(operation, &result);
    result
}

/// As [`observe`], with the one row that there is or is not. No row is an answer: that `fetch_one` makes an error of it is
/// between sqlx and the application.
pub(super) async fn observe_row<DB: Driver>(
    operation: DbOperation,
    future: impl Future<Output = Result<Option<DB::Row>, Error>>,
) -> Result<Option<DB::Row>, Error> {
    observe_rows::<DB, _>(operation, future, |row| usize::from(row.is_some())).await
}

/// The operation of a command that the interface of sqlx has a method for: its name is known without reading SQL.
pub(super) fn command<'a>(client: &'a DbClient, name: &'static str) -> DbOperationBuilder<'a> {
    client.operation(name).with_summary(name)
}

/// Preparing and describing are named as such: the statement itself does not run.
pub(super) fn preparation(client: &DbClient, name: &'static str, sql: &SqlStr) -> DbOperation {
    client.query(sql.as_str()).with_operation(name).with_summary(name).start()
}

pub(super) type Steps<'e, DB> = BoxStream<'e, Result<Step<DB>, Error>>;
