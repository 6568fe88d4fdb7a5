//! The orders and the outbox: one SQLite file that the orders service writes and the notifications service reads.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use opentelemetry::Context;
use otel_core::Providers;
use otel_core::carrier::MapInjector;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        id TEXT PRIMARY KEY,
        customer_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'paid', 'failed')),
        total_cents INTEGER,
        gift_note TEXT CHECK (length(gift_note) <= 80)
    );
    CREATE TABLE IF NOT EXISTS outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        event TEXT NOT NULL,
        order_id TEXT NOT NULL REFERENCES orders (id),
        trace_context TEXT NOT NULL,
        delivered INTEGER NOT NULL DEFAULT 0
    );
";

/// An event that waits in the outbox.
#[derive(sqlx::FromRow)]
pub(crate) struct OutboxRow {
    pub(crate) id: i64,
    pub(crate) event: String,
    pub(crate) order_id: String,
    /// `traceparent`, `tracestate` and `baggage` of the work that wrote the row, as a JSON object.
    pub(crate) trace_context: String,
}

/// Opens the file, which is made if there is none.
pub(crate) async fn open(file: &Path) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(2));
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await?;
    Ok(pool)
}

/// Notes an order that has neither goods nor money yet.
#[tracing::instrument(skip_all)]
pub(crate) async fn insert_order(
    pool: &SqlitePool,
    id: &str,
    customer_id: &str,
    gift_note: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO orders (id, customer_id, state, gift_note) VALUES (?, ?, 'pending', ?)")
        .bind(id)
        .bind(customer_id)
        .bind(gift_note)
        .execute(pool)
        .await?;
    Ok(())
}

/// Notes that an order came to nothing.
#[tracing::instrument(skip_all)]
pub(crate) async fn fail_order(pool: &SqlitePool, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE orders SET state = 'failed' WHERE id = ?").bind(id).execute(pool).await?;
    Ok(())
}

/// Notes that an order is paid and, in the same transaction, that the customer is to be told.
///
/// The row carries the trace context: whoever reads it can link back to this order's trace.
#[tracing::instrument(skip_all)]
pub(crate) async fn pay_order(pool: &SqlitePool, id: &str, total_cents: i64) -> Result<(), sqlx::Error> {
    let mut trace_context = HashMap::new();
    Providers::global().inject(&Context::current(), &mut MapInjector::new(&mut trace_context));

    let mut transaction = pool.begin().await?;
    sqlx::query("UPDATE orders SET state = 'paid', total_cents = ? WHERE id = ?")
        .bind(total_cents)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO outbox (event, order_id, trace_context) VALUES ('order_placed', ?, ?)")
        .bind(id)
        .bind(serde_json::json!(trace_context).to_string())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// The oldest events that nobody was told about.
pub(crate) async fn waiting_events(pool: &SqlitePool) -> Result<Vec<OutboxRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, event, order_id, trace_context FROM outbox WHERE delivered = 0 ORDER BY id LIMIT 16",
    )
    .fetch_all(pool)
    .await
}

/// Notes that the customer was told.
#[tracing::instrument(skip_all)]
pub(crate) async fn mark_delivered(pool: &SqlitePool, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE outbox SET delivered = 1 WHERE id = ?").bind(id).execute(pool).await?;
    Ok(())
}
