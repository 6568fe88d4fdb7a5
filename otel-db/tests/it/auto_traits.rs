//! What is public fits into tasks, statics and structs of the user's: this file compiles, or does not.

use otel_db::sqlx::{Connection, Pool, PoolConnection, Transaction};
use otel_db::{DbClient, DbClientBuilder, DbFailure, DbOperation};
use sqlx::{MySql, Postgres, Sqlite};

fn is_thread_safe<T: Send + Sync + std::fmt::Debug + 'static>() {}

#[test]
fn public_types_go_from_thread_to_thread() {
    is_thread_safe::<DbClient>();
    is_thread_safe::<DbClientBuilder>();
    is_thread_safe::<DbFailure>();
    is_thread_safe::<DbOperation>();
    is_thread_safe::<Pool<MySql>>();
    is_thread_safe::<Pool<Postgres>>();
    is_thread_safe::<Pool<Sqlite>>();
    is_thread_safe::<PoolConnection<Postgres>>();
    is_thread_safe::<Connection<Postgres>>();
    is_thread_safe::<Transaction<'static, Postgres>>();
    is_thread_safe::<otel_db::diesel::Instrumentation>();
    is_thread_safe::<otel_db::redis::Connection<()>>();
}
