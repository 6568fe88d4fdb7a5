//! What is measured of a pool, and that it is right whatever happens.

use futures_util::poll;
use otel_db::sqlx::Pool;
use otel_testing::{AssertTelemetry, TestTelemetry};
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::sqlite::songs;
use crate::support::{BOUND, assert_at_rest, assert_conventional, builder, connections, observed, total};

#[tokio::test]
async fn a_pool_that_is_used() {
    let telemetry = TestTelemetry::new();
    let pool = builder(&telemetry, songs().await).with_pool_name("songs").build();
    assert_eq!(
        total(&telemetry, "db.client.connection.limit"),
        1.0,
        "known before the first connection is asked for"
    );
    let connection = pool.acquire().await.unwrap();
    assert_eq!((connections(&telemetry, "used"), connections(&telemetry, "idle")), (1.0, 0.0));
    let mut waiting = Box::pin(pool.acquire());
    assert!(poll!(&mut waiting).is_pending());
    assert_eq!(total(&telemetry, "db.client.connection.pending_requests"), 1.0);
    drop(waiting);
    assert_eq!(total(&telemetry, "db.client.connection.pending_requests"), 0.0, "cancelled");
    drop(connection);
    assert_at_rest(&telemetry).await;
    assert_eq!(connections(&telemetry, "idle"), 1.0);
    assert_eq!(telemetry.histogram_count("db.client.connection.wait_time"), 1);
    assert_eq!(telemetry.histogram_count("db.client.connection.use_time"), 1);

    sqlx::query("SELECT id FROM songs").fetch_all(&pool).await.unwrap();
    pool.begin().await.unwrap().commit().await.unwrap();
    otel_testing::eventually(BOUND, || pool.try_acquire()).await;
    assert_eq!(
        telemetry.histogram_count("db.client.connection.wait_time"),
        3,
        "statements and transactions count"
    );
    assert_eq!(telemetry.histogram_count("db.client.connection.use_time"), 4);
    for name in ["count", "idle.max", "idle.min", "limit", "pending_requests"] {
        telemetry.assert_metric(&format!("db.client.connection.{name}")).is_up_down_counter();
    }
    let attributes = ["db.client.connection.pool.name", "db.client.connection.state"];
    telemetry
        .assert_metric("db.client.connection.count")
        .has_unit("{connection}")
        .has_only_attributes(attributes);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn a_connection_that_is_made_and_one_that_is_there() {
    let telemetry = TestTelemetry::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let options = SqliteConnectOptions::new().filename(file.path());
    let pool = observed(&telemetry, SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options));
    let created = || telemetry.histogram_count("db.client.connection.create_time");
    let first = pool.acquire().await.unwrap();
    assert_eq!(created(), 1);
    let second = pool.acquire().await.unwrap();
    assert_eq!(created(), 2);
    drop(first);
    let again = pool.acquire().await.unwrap();
    assert_eq!(created(), 2, "it was there");
    drop((second, again));
    assert_eq!(telemetry.histogram_count("db.client.connection.wait_time"), 3);
    assert_at_rest(&telemetry).await;
    assert_conventional(&telemetry);

    let telemetry = TestTelemetry::new();
    let nowhere = SqliteConnectOptions::new().filename("/nowhere/at/all");
    let pool = observed(&telemetry, SqlitePoolOptions::new().connect_lazy_with(nowhere));
    assert!(pool.acquire().await.is_err());
    telemetry.assert_no_metric("db.client.connection.create_time");
}

#[tokio::test]
async fn nothing_is_measured_unless_it_is_asked_for() {
    let telemetry = TestTelemetry::new();
    let pool = Pool::instrument(songs().await)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    drop(pool.acquire().await.unwrap());
    sqlx::query("SELECT id FROM songs").fetch_all(&pool).await.unwrap();
    for name in ["count", "limit", "create_time", "wait_time", "use_time"] {
        telemetry.assert_no_metric(&format!("db.client.connection.{name}"));
    }
    telemetry.assert_no_metric("db.client.response.returned_rows");
}

#[tokio::test]
async fn a_pool_that_is_gone_reports_nothing() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    assert!(!telemetry.points("db.client.connection.limit").is_empty());
    drop(pool);
    assert!(telemetry.points("db.client.connection.limit").is_empty());
}

#[tokio::test]
async fn the_database_of_any_is_that_of_its_url() {
    install_default_drivers();
    let telemetry = TestTelemetry::new();
    let raw = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let pool = observed(&telemetry, raw);
    sqlx::query("CREATE TABLE a (b TEXT NOT NULL)").execute(&pool).await.unwrap();
    assert!(sqlx::query("INSERT INTO a (b) VALUES (NULL)").execute(&pool).await.is_err());
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("SELECT b FROM a").fetch_all(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    telemetry.assert_span(otel_testing::span("CREATE TABLE a").has("db.system.name", "sqlite"));
    telemetry.assert_span(otel_testing::span("INSERT a").failed().has("error.type", "1299"));
    telemetry.assert_spans(1, otel_testing::span("SELECT a"));
    assert_at_rest(&telemetry).await;
    assert_conventional(&telemetry);
}
