//! The shop on PostgreSQL, which `scripts/services` starts.

use opentelemetry::trace::SpanKind;
use otel_testing::{
    AssertTelemetry, Captured, ReceivedSpan, ReceivedTrace, assert_trace, require_service, span,
};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::process::{Folder, shop};

pub(crate) fn is_statement(span: &ReceivedSpan) -> bool {
    span.attribute("db.system.name").is_some()
}

/// What a paid order writes, in its order and under the functions that write it.
pub(crate) fn assert_trace_of_statements(trace: &ReceivedTrace, system: &str) {
    let mut orders = Captured::from(trace);
    orders.spans.retain(|span| {
        let is_function = span.kind == SpanKind::Internal && span.name.ends_with("_order");
        span.service() == "orders" && (is_function || is_statement(span))
    });
    let statement = |name: &str| span(name).client().not_failed().has("db.system.name", system);
    orders.assert_spans(1, statement("INSERT orders").child_of("insert_order"));
    orders.spans.retain(|span| span.name != "insert_order" && span.name != "INSERT orders");
    assert_trace!(orders, "pay_order" => [
        statement("BEGIN"), statement("UPDATE orders"), statement("INSERT outbox"), statement("COMMIT")
    ]);
}

/// A database of this test alone.
struct Database {
    admin: PgPool,
    name: String,
    url: String,
}

impl Database {
    async fn create(url: &str) -> Self {
        let admin = PgPoolOptions::new().max_connections(1).connect(url).await.unwrap();
        let name = format!("shop_{}", uuid::Uuid::new_v4().simple());
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        Self { admin, url: format!("{server}/{name}"), name }
    }

    async fn drop(self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::query(AssertSqlSafe(statement)).execute(&self.admin).await.unwrap();
    }
}

#[tokio::test]
async fn orders_are_kept_in_postgresql_when_the_environment_says_so() {
    let url = std::env::var("TEST_POSTGRES_URL").ok();
    let Some(url) = require_service("PostgreSQL (TEST_POSTGRES_URL)", url) else { return };
    let database = Database::create(&url.replace("test:test@", "test:canary-password@")).await;
    let folder = Folder::create();
    let file = folder.path.join("telemetry.json");
    let mut command = shop(["--orders", "10", "--json", file.to_str().unwrap()]);
    command.env("DATABASE_URL", &database.url);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));

    let paid: i64 = sqlx::query_scalar("SELECT count(*) FROM orders WHERE state = 'paid'")
        .fetch_one(&PgPoolOptions::new().max_connections(1).connect(&database.url).await.unwrap())
        .await
        .unwrap();
    assert_eq!(paid, 5);

    let report = Captured::from_otlp_json(&std::fs::read_to_string(file).unwrap()).unwrap();
    let of_paid = stdout.lines().find(|line| line.contains(": 201 success (trace ")).unwrap();
    let trace_id = of_paid.split_once("(trace ").unwrap().1.trim_end_matches(')');
    assert_trace_of_statements(&report.trace(trace_id).unwrap(), "postgresql");
    // A check that does not hold, by SQLSTATE.
    report.assert_span(
        span("INSERT orders")
            .failed()
            .has("db.response.status_code", "23514")
            .has("db.namespace", database.name.as_str())
            .has("server.address", "127.0.0.1"),
    );
    report.assert_no_secrets(["canary-password"]);
    assert!(!stdout.contains("canary-password"), "{stdout}");
    database.drop().await;
}
