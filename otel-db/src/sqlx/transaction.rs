//! Transactions and savepoints.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::{Error, SqlStr};
use sqlx_core::transaction::TransactionManager;

use super::calls::{command, observe};
use super::driver::Driver;
use super::{Connection, PoolConnection};
use crate::{DbClient, DbOperation};

/// A transaction, or a savepoint inside of one, which is rolled back when it is dropped.
///
/// Its begin and its end are operations of their own, `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `RELEASE SAVEPOINT` and
/// `ROLLBACK TO SAVEPOINT`. It derefs to a [`Connection`], so that statements on `&mut *transaction` are observed:
///
/// ```
/// # #[cfg(feature = "sqlx-sqlite")]
/// # async fn example(pool: otel_db::sqlx::Pool<sqlx::Sqlite>) -> sqlx::Result<()> {
/// let mut transaction = pool.begin().await?;
/// sqlx::query("DELETE FROM songs WHERE year < ?").bind(1970).execute(&mut *transaction).await?;
/// transaction.commit().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a transaction rolls it back"]
pub struct Transaction<'c, DB: Driver> {
    connection: Held<'c, DB>,
    is_open: bool,
}

enum Held<'c, DB: Driver> {
    Pooled(PoolConnection<DB>),
    Borrowed(&'c mut Connection<DB>),
}

impl<'c, DB: Driver> Transaction<'c, DB> {
    pub(super) async fn begin_on(
        connection: &'c mut Connection<DB>,
        statement: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let name = if connection.is_in_transaction() { "SAVEPOINT" } else { "BEGIN" };
        let operation = begin_operation(connection.client(), name, statement.as_ref());
        let mut transaction = Self { connection: Held::Borrowed(connection), is_open: true };
        observe::<DB, _>(operation, transaction.begin_now(statement)).await?;
        Ok(transaction)
    }

    /// Begins on a connection of a pool, as part of an operation that has started before it was there.
    pub(super) async fn begin_in(
        connection: PoolConnection<DB>,
        statement: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let mut transaction = Self { connection: Held::Pooled(connection), is_open: true };
        transaction.begin_now(statement).await?;
        Ok(transaction)
    }

    /// It counts as open before it has begun: what has begun is rolled back if this fails or is cancelled midway.
    async fn begin_now(&mut self, statement: Option<SqlStr>) -> Result<(), Error> {
        DB::TransactionManager::begin(self.inner(), statement).await
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn commit(mut self) -> Result<(), Error> {
        let name = if self.depth() > 1 { "RELEASE SAVEPOINT" } else { "COMMIT" };
        let operation = command(self.client(), name).start();
        observe::<DB, _>(operation, DB::TransactionManager::commit(self.inner())).await?;
        self.is_open = false;
        Ok(())
    }

    /// Takes everything back that was done since it began.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let operation = command(self.client(), self.rollback_name()).start();
        observe::<DB, _>(operation, DB::TransactionManager::rollback(self.inner())).await?;
        self.is_open = false;
        Ok(())
    }

    fn depth(&self) -> usize {
        DB::TransactionManager::get_transaction_depth(self.inner_ref())
    }

    fn rollback_name(&self) -> &'static str {
        if self.depth() > 1 { "ROLLBACK TO SAVEPOINT" } else { "ROLLBACK" }
    }
}

pub(super) fn begin_operation(
    client: &DbClient,
    name: &'static str,
    statement: Option<&SqlStr>,
) -> DbOperation {
    match statement {
        Some(statement) => client.query(statement.as_str()).operation(name).summary(name).start(),
        None => command(client, name).start(),
    }
}

impl<DB: Driver> Deref for Transaction<'_, DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        match &self.connection {
            Held::Pooled(connection) => connection,
            Held::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Driver> DerefMut for Transaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        match &mut self.connection {
            Held::Pooled(connection) => connection,
            Held::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Driver> Drop for Transaction<'_, DB> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        if self.is_in_transaction() {
            // sqlx only notes here that it has to roll back, and does so when the connection is used or given back.
            let mut operation = command(self.client(), self.rollback_name()).start();
            operation.set_attribute("otel_db.rollback_on_drop", true);
            operation.run(|| DB::TransactionManager::start_rollback(self.inner()));
            operation.end();
        } else {
            DB::TransactionManager::start_rollback(self.inner());
        }
    }
}

impl<DB: Driver> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}
