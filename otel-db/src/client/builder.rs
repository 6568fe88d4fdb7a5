//! The options of a client.

use super::DbClient;
use super::options::{DbOptions, client_setters};
use crate::{DbSystem, SqlComments};

/// Options of a [`DbClient`].
///
/// ```
/// use std::time::Duration;
/// use otel_db::{DbClient, DbSystem};
///
/// let db = DbClient::builder(DbSystem::POSTGRESQL)
///     .with_server_address("db.internal")
///     .with_server_port(5433)
///     .with_namespace("shop|public")
///     .with_slow_threshold(Duration::from_millis(200))
///     .build();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DbClientBuilder {
    options: DbOptions,
}

impl DbClientBuilder {
    pub(super) fn new(system: DbSystem) -> Self {
        Self { options: DbOptions::new(system) }
    }

    #[cfg(any(feature = "redis", feature = "sqlx"))]
    pub(crate) fn from_options(options: DbOptions) -> Self {
        Self { options }
    }

    client_setters!();

    /// Records the parameters that a call names with
    /// [`DbOperationBuilder::with_parameter`](crate::DbOperationBuilder::with_parameter), as `db.query.parameter.<key>`
    /// (stability: development): values that your users gave. Default: `false`.
    pub fn with_query_parameters(mut self, record: bool) -> Self {
        self.options.parameters = record;
        self
    }

    /// Lets statements carry their trace context, see [`SqlComments`]. Clients without an adapter ask for the text to send
    /// with [`DbOperation::with_comment`](crate::DbOperation::with_comment). Default: none.
    pub fn with_sql_comments(mut self, comments: SqlComments) -> Self {
        self.options.sql_comments = Some(comments);
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> DbClient {
        self.options.build()
    }
}
