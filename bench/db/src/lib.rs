//! otel-db next to what else a service could use.

pub mod telemetry;

/// What all cases run, prepared.
pub const SQL: &str = "SELECT 1";

/// A database in memory.
pub async fn one_connection() -> sqlx::Result<sqlx::SqlitePool> {
    sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await
}

/// A database in memory, for sqlx-tracing.
pub async fn one_connection_0_8() -> sqlx_0_8::Result<sqlx_0_8::SqlitePool> {
    sqlx_0_8::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await
}
