//! The orders and the outbox, in a database that the orders service writes and the notifications service reads: an SQLite
//! file, or PostgreSQL, as the URL says.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::Context;
use otel_core::Providers;
use otel_core::carrier::MapInjector;
use otel_db::sqlx::Pool;
use sqlx::AssertSqlSafe;
use sqlx::any::{Any, AnyPoolOptions};

use crate::Failure;

/// Around sqlx's pool: all that the shop does to have its statements observed.
pub(crate) type Database = Pool<Any>;

/// `{serial}` is what each database has its own words for.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        number {serial},
        id TEXT NOT NULL UNIQUE,
        customer_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'paid', 'failed')),
        total_cents BIGINT,
        gift_note TEXT CHECK (length(gift_note) <= 80)
    );
    CREATE TABLE IF NOT EXISTS outbox (
        id {serial},
        event TEXT NOT NULL,
        order_id TEXT NOT NULL REFERENCES orders (id),
        trace_context TEXT NOT NULL,
        delivered INTEGER NOT NULL DEFAULT 0
    );
";

/// How long a statement may wait for a connection: less than any caller waits for the service. With sqlx's 30 seconds, a
/// database that is gone is seen by its callers alone, as timeouts, and here in no log and no trace before that.
const PATIENCE: Duration = Duration::from_secs(1);

/// An event that waits in the outbox.
#[derive(sqlx::FromRow)]
pub(crate) struct OutboxRow {
    pub(crate) id: i64,
    pub(crate) event: String,
    pub(crate) order_id: String,
    /// `traceparent`, `tracestate` and `baggage` of the work that wrote the row, as a JSON object.
    pub(crate) trace_context: String,
}

/// Opens the database of this URL, for the service of this name. An SQLite file is made if there is none.
pub(crate) async fn open(url: &str, service: &'static str) -> Result<Database, Failure> {
    try_to_open(url, service).await.map_err(|error| format!("cannot open the database: {error}").into())
}

async fn try_to_open(url: &str, service: &'static str) -> Result<Database, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect(url).await?;
    let (serial, pragma) = match url.starts_with("sqlite:") {
        // With a write-ahead log, who reads waits for nobody.
        true => ("INTEGER PRIMARY KEY AUTOINCREMENT", "PRAGMA journal_mode = WAL;"),
        false => ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", ""),
    };
    let schema = format!("{pragma}{}", SCHEMA.replace("{serial}", serial));
    // On sqlx's own pool: no request asks for it.
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(&pool).await?;
    Ok(Pool::instrument(pool).with_pool_metrics(true).with_pool_name(service).build())
}

/// Notes an order that has neither goods nor money yet.
#[tracing::instrument(skip_all)]
pub(crate) async fn insert_order(
    database: &Database,
    id: &str,
    customer_id: &str,
    gift_note: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO orders (id, customer_id, state, gift_note) VALUES ($1, $2, 'pending', $3)")
        .bind(id)
        .bind(customer_id)
        .bind(gift_note)
        .execute(database)
        .await?;
    Ok(())
}

/// Notes that an order came to nothing.
#[tracing::instrument(skip_all)]
pub(crate) async fn fail_order(database: &Database, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE orders SET state = 'failed' WHERE id = $1").bind(id).execute(database).await?;
    Ok(())
}

/// Notes that an order is paid and, in the same transaction, that the customer is to be told.
///
/// The row carries the trace context: whoever reads it can link back to this order's trace.
#[tracing::instrument(skip_all)]
pub(crate) async fn pay_order(database: &Database, id: &str, total_cents: i64) -> Result<(), sqlx::Error> {
    let mut trace_context = HashMap::new();
    Providers::global().inject(&Context::current(), &mut MapInjector::new(&mut trace_context));

    let mut transaction = database.begin().await?;
    sqlx::query("UPDATE orders SET state = 'paid', total_cents = $1 WHERE id = $2")
        .bind(total_cents)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO outbox (event, order_id, trace_context) VALUES ('order_placed', $1, $2)")
        .bind(id)
        .bind(serde_json::json!(trace_context).to_string())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// The oldest events that nobody was told about. This is asked ten times a second: each time would be a trace of its own, so it
/// goes to sqlx's own pool, past the spans.
pub(crate) async fn waiting_events(database: &Database) -> Result<Vec<OutboxRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, event, order_id, trace_context FROM outbox WHERE delivered = 0 ORDER BY id LIMIT 16",
    )
    .fetch_all(database.inner())
    .await
}

/// Notes that the customer was told.
#[tracing::instrument(skip_all)]
pub(crate) async fn mark_delivered(database: &Database, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE outbox SET delivered = 1 WHERE id = $1").bind(id).execute(database).await?;
    Ok(())
}
