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
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may have begun or not: what has begun is rolled back if beginning is cancelled midway.
    Beginning,
    /// It has not begun.
    Refused,
    Open,
    Ended,
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
        let mut transaction = Self::beginning(Held::Borrowed(connection));
        // sqlx makes no savepoint with a statement of one's own.
        let is_savepoint = transaction.depth > 0 && statement.is_none();
        let name = if is_savepoint { "SAVEPOINT" } else { "BEGIN" };
        let operation = begin_operation(transaction.client(), name, statement.as_ref());
        observe::<DB, _>(operation, transaction.begin_now(statement)).await?;
        Ok(transaction)
    }

    /// Begins on a connection of a pool, as part of an operation that has started before it was there.
    pub(super) async fn begin_in(
        connection: PoolConnection<DB>,
        statement: Option<SqlStr>,
    ) -> Result<Self, Error> {
        let mut transaction = Self::beginning(Held::Pooled(connection));
        transaction.begin_now(statement).await?;
        Ok(transaction)
    }

    fn beginning(connection: Held<'c, DB>) -> Self {
        Self { connection, state: State::Beginning }
    }

    async fn begin_now(&mut self, statement: Option<SqlStr>) -> Result<(), Error> {
        if let Err(error) = DB::TransactionManager::begin(self.inner(), statement).await {
            self.state = State::Refused;
            return Err(error);
        }
        self.depth += 1;
        self.state = State::Open;
        Ok(())
    }

    fn ended(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.state = State::Ended;
    }

    /// Commits the transaction, or releases the savepoint.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn commit(mut self) -> Result<(), Error> {
        match self.end_operation("COMMIT", "RELEASE SAVEPOINT") {
            Some(operation) => {
                observe::<DB, _>(operation, DB::TransactionManager::commit(self.inner())).await?;
            }
            None => DB::TransactionManager::commit(self.inner()).await?,
        }
        self.ended();
        Ok(())
    }

    /// Takes everything back that was done since it began.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn rollback(mut self) -> Result<(), Error> {
        match self.rollback_operation() {
            Some(operation) => {
                observe::<DB, _>(operation, DB::TransactionManager::rollback(self.inner())).await?;
            }
            None => DB::TransactionManager::rollback(self.inner()).await?,
        }
        self.ended();
        Ok(())
    }

    fn rollback_operation(&self) -> Option<DbOperation> {
        self.end_operation("ROLLBACK", "ROLLBACK TO SAVEPOINT")
    }

    /// The end of what is innermost now. `None` if nothing is: then sqlx sends nothing.
    fn end_operation(&self, of_all: &'static str, of_savepoint: &'static str) -> Option<DbOperation> {
        let name = match self.depth {
            0 => return None,
            1 => of_all,
            _ => of_savepoint,
        };
        Some(command(self.client(), name).start())
    }

    /// sqlx only notes here that it has to roll back, and does so when the connection is used or given back.
    fn roll_back_later(&mut self) {
        self.rolled_back(|transaction| DB::TransactionManager::start_rollback(transaction.inner()));
    }

    /// What sqlx has rolled back besides, when it began or did not.
    fn follow(&mut self) {
        while self.depth > DB::TransactionManager::get_transaction_depth(self.inner_ref()) {
            self.rolled_back(|_| ());
        }
    }

    fn rolled_back(&mut self, roll_back: impl FnOnce(&mut Self)) {
        match self.rollback_operation() {
            Some(mut operation) => {
                operation.set_attribute("otel_db.rollback_on_drop", true);
                operation.run(|| roll_back(self));
                operation.end();
            }
            None => roll_back(self),
        }
        self.ended();
    }
}

pub(super) fn begin_operation(
    client: &DbClient,
    name: &'static str,
    statement: Option<&SqlStr>,
) -> DbOperation {
    match statement {
        Some(statement) => client.query(statement.as_str()).with_operation(name).with_summary(name).start(),
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
        match self.state {
            State::Ended => {}
            State::Open => self.roll_back_later(),
            // What has begun is taken back, which is no end of anything that is counted here. Inside of another one it is
            // that which sqlx rolls back, unless it knows already that the savepoint is there.
            State::Beginning => {
                DB::TransactionManager::start_rollback(self.inner());
                if !DB::is_a_thread(self.inner_ref()) {
                    self.follow();
                } else if self.depth > 0 {
                    // It takes back what it has begun when it sees that nobody waits for that, and does this then.
                    self.rolled_back(|_| ());
                }
            }
            // As sqlx's own transaction does. Inside of another one it is that which is rolled back. On PostgreSQL sqlx has
            // done so before as well.
            State::Refused => {
                self.roll_back_later();
                self.follow();
            }
        }
    }
}

impl<DB: Driver> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("state", &self.state).finish_non_exhaustive()
    }
}
