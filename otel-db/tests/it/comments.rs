//! The trace context in comments of statements.

use opentelemetry_sdk::propagation::TraceContextPropagator;
use otel_db::SqlComments;
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry};
use sqlx::{Connection, Row};

use crate::sqlite::songs;
use crate::support::{builder, postgres_url};

#[tokio::test]
async fn prepared_statements_stay_in_the_cache_unless_all_are_asked_for() {
    for (comments, cached) in [(None, 1), (Some(SqlComments::Unprepared), 1), (Some(SqlComments::All), 0)] {
        let telemetry = TestTelemetry::new();
        let mut pool = builder(&telemetry, songs().await).with_propagator(TraceContextPropagator::new());
        if let Some(comments) = comments {
            pool = pool.with_sql_comments(comments);
        }
        let mut connection = pool.build().acquire().await.unwrap();
        connection.clear_cached_statements().await.unwrap();
        for id in 0..5 {
            sqlx::query("SELECT name FROM songs WHERE id = ?")
                .bind(id)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        }
        sqlx::raw_sql("SELECT name FROM songs;").fetch_all(&mut *connection).await.unwrap();
        assert_eq!(connection.cached_statements_size(), cached, "{comments:?}");
        telemetry.assert_spans(6, otel_testing::span("SELECT songs"));
        assert!(
            telemetry.spans().iter().all(|span| !span
                .attribute("db.query.text")
                .unwrap()
                .as_str()
                .contains("trace"))
        );
    }
}

/// What the server gets.
#[tokio::test]
async fn the_server_sees_the_comment() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let raw = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    let pool = builder(&telemetry, raw)
        .with_propagator(TraceContextPropagator::new())
        .with_sql_comments(SqlComments::Unprepared)
        .build();
    let mut connection = pool.acquire().await.unwrap();
    let own = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = sqlx::raw_sql(own).fetch_one(&mut *connection).await.unwrap();
    let span = telemetry.spans().pop().unwrap();
    let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
    assert_eq!(row.get::<String, _>(0), format!("{own} /*traceparent='00-{trace}-{id}-01'*/"));
    let row = sqlx::query(own).fetch_one(&mut *connection).await.unwrap();
    assert_eq!(row.get::<String, _>(0), own, "kept as a prepared statement");
    let unkept = sqlx::query(own).persistent(false).fetch_one(&mut *connection).await.unwrap();
    assert!(
        unkept.get::<String, _>(0).starts_with(&format!("{own} /*traceparent='")),
        "prepared, and not kept"
    );
    let commented = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() /* mine */";
    let row = sqlx::raw_sql(commented).fetch_one(&mut *connection).await.unwrap();
    assert_eq!(row.get::<String, _>(0), commented);
    connection.inner().ping().await.unwrap();
}
