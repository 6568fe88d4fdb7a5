//! Migrations.

use std::time::Duration;

use futures_core::future::BoxFuture;
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration, Migrator};

use super::calls::command;
use super::driver::Driver;
use super::failure::failure_of;
use super::{Connection, Pool};
use crate::{DbFailure, DbOperation};

impl<DB: Driver> Pool<DB>
where
    DB::Connection: Migrate,
{
    /// Applies the migrations that are not applied yet, in place of [`Migrator::run`], which wants sqlx's own pool.
    ///
    /// All of it is one operation, `MIGRATE`, with an operation for each migration inside.
    ///
    /// ```
    /// # #[cfg(feature = "sqlx-sqlite")]
    /// # async fn example(pool: otel_db::sqlx::Pool<sqlx::Sqlite>) -> Result<(), Box<dyn std::error::Error>> {
    /// use sqlx::migrate::Migrator;
    ///
    /// let migrator = Migrator::new(std::path::Path::new("./migrations")).await?;
    /// pool.migrate(&migrator).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn migrate(&self, migrator: &Migrator) -> Result<(), MigrateError> {
        let operation = command(self.client(), "MIGRATE").start();
        let run = async { self.acquire().await?.run_migrations(migrator).await };
        observe::<DB, _>(operation, run).await
    }
}

impl<DB: Driver> Connection<DB>
where
    DB::Connection: Migrate,
{
    /// As [`Pool::migrate`], on this connection.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn migrate(&mut self, migrator: &Migrator) -> Result<(), MigrateError> {
        let operation = command(self.client(), "MIGRATE").start();
        observe::<DB, _>(operation, self.run_migrations(migrator)).await
    }

    async fn run_migrations(&mut self, migrator: &Migrator) -> Result<(), MigrateError> {
        migrator.run_direct(None, &mut Observed(self), false).await
    }
}

/// The connection as the migrator sees it: what it does for its own accounts is part of the whole.
struct Observed<'c, DB: Driver>(&'c mut Connection<DB>);

impl<DB: Driver> Observed<'_, DB> {
    fn start(&self, migration: &Migration) -> DbOperation {
        self.0.client().query(migration.sql.as_str()).start()
    }
}

impl<DB: Driver> Migrate for Observed<'_, DB>
where
    DB::Connection: Migrate,
{
    fn create_schema_if_not_exists<'e>(
        &'e mut self,
        name: &'e str,
    ) -> BoxFuture<'e, Result<(), MigrateError>> {
        self.0.inner().create_schema_if_not_exists(name)
    }

    fn ensure_migrations_table<'e>(&'e mut self, table: &'e str) -> BoxFuture<'e, Result<(), MigrateError>> {
        self.0.inner().ensure_migrations_table(table)
    }

    fn dirty_version<'e>(&'e mut self, table: &'e str) -> BoxFuture<'e, Result<Option<i64>, MigrateError>> {
        self.0.inner().dirty_version(table)
    }

    fn list_applied_migrations<'e>(
        &'e mut self,
        table: &'e str,
    ) -> BoxFuture<'e, Result<Vec<AppliedMigration>, MigrateError>> {
        self.0.inner().list_applied_migrations(table)
    }

    fn lock(&mut self) -> BoxFuture<'_, Result<(), MigrateError>> {
        self.0.inner().lock()
    }

    fn unlock(&mut self) -> BoxFuture<'_, Result<(), MigrateError>> {
        self.0.inner().unlock()
    }

    fn apply<'e>(
        &'e mut self,
        table: &'e str,
        migration: &'e Migration,
    ) -> BoxFuture<'e, Result<Duration, MigrateError>> {
        let operation = self.start(migration);
        Box::pin(observe::<DB, _>(operation, self.0.inner().apply(table, migration)))
    }

    fn revert<'e>(
        &'e mut self,
        table: &'e str,
        migration: &'e Migration,
    ) -> BoxFuture<'e, Result<Duration, MigrateError>> {
        let operation = self.start(migration);
        Box::pin(observe::<DB, _>(operation, self.0.inner().revert(table, migration)))
    }

    fn skip<'e>(
        &'e mut self,
        table: &'e str,
        migration: &'e Migration,
    ) -> BoxFuture<'e, Result<(), MigrateError>> {
        self.0.inner().skip(table, migration)
    }
}

async fn observe<DB: Driver, T>(
    mut operation: DbOperation,
    future: impl Future<Output = Result<T, MigrateError>>,
) -> Result<T, MigrateError> {
    let result = operation.observe(future).await;
    match &result {
        Ok(_) => operation.end(),
        Err(error) => operation.fail(migration_failure::<DB>(error)),
    }
    result
}

fn migration_failure<DB: Driver>(error: &MigrateError) -> DbFailure {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failure_of::<DB>(error),
        _ => DbFailure::new("migrate"),
    }
}
