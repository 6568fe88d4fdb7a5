//! The clients and adapters, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auto_traits;
mod client;
mod comments;
mod diesel;
mod macros;
mod matrix;
mod pool_metrics;
mod postgres;
mod redis;
mod secrets;
mod sqlite;
mod support;
