//! The clients and adapters, used as an application uses them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod matrix;
mod postgres;
mod sqlite;
mod support;
