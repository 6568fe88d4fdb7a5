//! A statement on its way to the driver.

use std::fmt;

use sqlx::error::BoxDynError;
use sqlx::{AssertSqlSafe, Database, Execute, SqlSafeStr, SqlStr};

use crate::{DbClient, DbOperation};

/// A statement that was looked at and is handed on as it was.
///
/// sqlx gives out the text of a statement only together with the statement itself. So it is taken apart here and put
/// together again: the arguments, what was prepared before, and whether the connection may cache it, all stay.
pub struct ObservedQuery<DB: Database> {
    sql: SqlStr,
    arguments: Result<Option<DB::Arguments>, BoxDynError>,
    statement: Option<DB::Statement>,
    persistent: bool,
}

impl<DB: Database> ObservedQuery<DB> {
    pub(super) fn new<'q>(mut query: impl Execute<'q, DB>) -> Self {
        let arguments = query.take_arguments();
        let statement = query.statement().cloned();
        let persistent = query.persistent();
        Self { sql: query.sql(), arguments, statement, persistent }
    }

    /// Starts the statement's operation, and notes it in the statement if that is asked for.
    pub(super) fn start(&mut self, client: &DbClient) -> DbOperation {
        let operation = client.query(self.sql.as_str()).start();
        if client.convention().sql_comments.is_some() {
            self.comment(client, &operation);
        }
        operation
    }

    fn comment(&mut self, client: &DbClient, operation: &DbOperation) {
        // What has arguments is prepared, and kept unless the application says otherwise.
        let is_kept = self.persistent && !matches!(self.arguments, Ok(None));
        if self.statement.is_some() {
            return; // prepared by hand: it runs under the text that it was prepared with
        }
        if let Some(sql) = operation.with_comment(client, self.sql.as_str(), is_kept) {
            self.sql = AssertSqlSafe(sql).into_sql_str();
            // With the comment it is another statement each time: kept, they would push out all others.
            self.persistent = false;
        }
    }
}

impl<'q, DB: Database> Execute<'q, DB> for ObservedQuery<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        std::mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

impl<DB: Database> fmt::Debug for ObservedQuery<DB> {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedQuery").field("persistent", &self.persistent).finish_non_exhaustive()
    }
}
