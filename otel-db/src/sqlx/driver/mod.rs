//! What differs from one of sqlx's drivers to the next.

#[cfg(feature = "sqlx-any")]
mod any;
#[cfg(feature = "sqlx-mysql")]
mod mysql;
#[cfg(feature = "sqlx-postgres")]
mod postgres;
#[cfg(feature = "sqlx-sqlite")]
mod sqlite;

use std::borrow::Cow;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::error::DatabaseError;
use sqlx::{Connection, Database, Describe, Either, Error, SqlStr};

use super::query::ObservedQuery;
use crate::DbSystem;

pub(super) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;
pub(super) type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

/// One of sqlx's databases, when the feature for it is on: PostgreSQL (`sqlx-postgres`), MySQL and MariaDB
/// (`sqlx-mysql`), SQLite (`sqlx-sqlite`), `Any` (`sqlx-any`).
///
/// It cannot be implemented elsewhere, and its items are no part of the public interface.
pub trait Driver: Database + sealed::Sealed {
    #[doc(hidden)]
    fn execute<'e>(
        connection: &'e mut Self::Connection,
        query: ObservedQuery<Self>,
    ) -> BoxFuture<'e, Result<Self::QueryResult, Error>>;

    #[doc(hidden)]
    fn fetch_many<'e>(
        connection: &'e mut Self::Connection,
        query: ObservedQuery<Self>,
    ) -> BoxStream<'e, Result<Step<Self>, Error>>;

    #[doc(hidden)]
    fn fetch_all<'e>(
        connection: &'e mut Self::Connection,
        query: ObservedQuery<Self>,
    ) -> BoxFuture<'e, Result<Vec<Self::Row>, Error>>;

    #[doc(hidden)]
    fn fetch_optional<'e>(
        connection: &'e mut Self::Connection,
        query: ObservedQuery<Self>,
    ) -> BoxFuture<'e, Result<Option<Self::Row>, Error>>;

    #[doc(hidden)]
    fn prepare_with<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
        parameters: &'e [Self::TypeInfo],
    ) -> BoxFuture<'e, Result<Self::Statement, Error>>;

    #[doc(hidden)]
    fn describe<'e>(
        connection: &'e mut Self::Connection,
        sql: SqlStr,
    ) -> BoxFuture<'e, Result<Describe<Self>, Error>>;

    /// What the options say about the database. Never the password.
    #[doc(hidden)]
    fn target(options: &Options<Self>) -> Target;

    /// Whether a thread of sqlx's begins and ends transactions, in the order in which it is asked: how deep they are now is
    /// not how deep they will be.
    #[doc(hidden)]
    #[must_use]
    fn is_a_thread(_: &Self::Connection) -> bool {
        false
    }

    /// `db.response.status_code` of an error.
    #[doc(hidden)]
    fn status_code(error: &dyn DatabaseError) -> Option<Cow<'static, str>> {
        error.code().map(|code| Cow::Owned(code.into_owned()))
    }
}

/// What the options of a connection say about the database.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    pub(super) system: DbSystem,
    pub(super) address: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) namespace: Option<String>,
}

/// The name or address in a URL's host: an IPv6 address has brackets there, which sqlx keeps in its options.
#[cfg(any(feature = "sqlx-any", feature = "sqlx-mysql", feature = "sqlx-postgres"))]
fn address_of(host: &str) -> String {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host).to_owned()
}

mod sealed {
    pub trait Sealed {}
}

/// Hands everything on to the executor that a connection is.
///
/// It is written out for each database, because the bound `&mut DB::Connection: Executor` of a general implementation has
/// no end for the compiler once a wrapper of connections implements `Executor` too.
#[cfg(any(feature = "sqlx-any", feature = "sqlx-mysql", feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
macro_rules! hand_on_to_connection {
    ($database:ty) => {
        fn execute<'e>(
            connection: &'e mut Self::Connection,
            query: $crate::sqlx::query::ObservedQuery<Self>,
        ) -> futures_core::future::BoxFuture<'e, Result<Self::QueryResult, sqlx::Error>> {
            sqlx::Executor::execute(connection, query)
        }

        fn fetch_many<'e>(
            connection: &'e mut Self::Connection,
            query: $crate::sqlx::query::ObservedQuery<Self>,
        ) -> futures_core::stream::BoxStream<'e, Result<super::Step<Self>, sqlx::Error>> {
            sqlx::Executor::fetch_many(connection, query)
        }

        fn fetch_all<'e>(
            connection: &'e mut Self::Connection,
            query: $crate::sqlx::query::ObservedQuery<Self>,
        ) -> futures_core::future::BoxFuture<'e, Result<Vec<Self::Row>, sqlx::Error>> {
            sqlx::Executor::fetch_all(connection, query)
        }

        fn fetch_optional<'e>(
            connection: &'e mut Self::Connection,
            query: $crate::sqlx::query::ObservedQuery<Self>,
        ) -> futures_core::future::BoxFuture<'e, Result<Option<Self::Row>, sqlx::Error>> {
            sqlx::Executor::fetch_optional(connection, query)
        }

        fn prepare_with<'e>(
            connection: &'e mut Self::Connection,
            sql: sqlx::SqlStr,
            parameters: &'e [Self::TypeInfo],
        ) -> futures_core::future::BoxFuture<'e, Result<Self::Statement, sqlx::Error>> {
            sqlx::Executor::prepare_with(connection, sql, parameters)
        }

        fn describe<'e>(
            connection: &'e mut Self::Connection,
            sql: sqlx::SqlStr,
        ) -> futures_core::future::BoxFuture<'e, Result<sqlx::Describe<Self>, sqlx::Error>> {
            sqlx::Executor::describe(connection, sql)
        }
    };
}

#[cfg(any(
    feature = "sqlx-any",
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
use hand_on_to_connection;
