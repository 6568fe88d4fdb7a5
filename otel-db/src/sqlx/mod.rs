//! sqlx 0.9: PostgreSQL, MySQL and MariaDB, SQLite, and `Any`.
//!
//! [`Pool`], [`Connection`] and [`Transaction`] take the place of sqlx's own types of these names. They are executors, so
//! that nothing else changes: `query!`, `query_as`, streams, prepared statements, and functions generic over
//! [`sqlx::Executor`].

mod builder;
mod calls;
mod connection;
mod driver;
mod failure;
mod migrate;
mod observe;
mod pool;
mod pool_executor;
mod pool_name;
mod pool_state;
#[cfg(feature = "sqlx-postgres")]
pub mod postgres;
mod query;
mod stream;
mod transaction;

pub use builder::{PoolBuilder, client_builder};
pub use connection::Connection;
pub use driver::Driver;
pub use observe::{Observe, Observed};
pub use pool::{Pool, PoolConnection};
pub use transaction::Transaction;
