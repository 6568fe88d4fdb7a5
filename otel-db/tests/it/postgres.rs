//! What only PostgreSQL has: LISTEN and COPY.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::TryStreamExt;
use otel_db::sqlx::postgres::PgListener;
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor};

use crate::support::{BOUND, DURATION, assert_at_rest, assert_conventional, observed, postgres_url};

#[tokio::test]
async fn the_server_and_the_database_are_recorded_but_never_the_password() {
    let Some(url) = postgres_url() else { return };
    let url = url.replace("test:test@", "test:canary-password@");
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().connect(&url).await.unwrap());
    sqlx::query("SELECT 1 AS one").execute(&pool).await.unwrap();
    let port: i64 = url.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    telemetry.assert_span(
        span("SELECT")
            .has("db.system.name", "postgresql")
            .has("db.namespace", "postgres")
            .has("server.address", "127.0.0.1")
            .has("server.port", port),
    );
    telemetry.assert_no_secrets(["canary-password"]);
    let name = format!("127.0.0.1:{port}/postgres");
    let points = telemetry.points("db.client.connection.limit");
    assert!(points[0].attribute("db.client.connection.pool.name").unwrap().to_string().contains(&name));
}

#[tokio::test]
async fn listen_and_notify() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().connect(&url).await.unwrap());
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("orders").await.unwrap();
    listener.listen_all(["payments", "refunds"]).await.unwrap();
    sqlx::query("SELECT pg_notify('orders', 'canary-payload')").execute(&pool).await.unwrap();
    assert_eq!(listener.recv().await.unwrap().payload(), "canary-payload");
    listener.unlisten("orders").await.unwrap();
    listener.unlisten_all().await.unwrap();
    (&mut listener).execute("SELECT 1 AS one").await.unwrap();
    drop(listener);
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["LISTEN", "LISTEN", "SELECT", "UNLISTEN", "UNLISTEN", "SELECT"]);
    telemetry.assert_no_secrets(["canary-payload"]);
    assert_conventional(&telemetry);
    assert_at_rest(&telemetry).await;
}

#[tokio::test]
async fn copy_in_and_out() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().connect(&url).await.unwrap());
    let table = format!("copied_{}", std::process::id());
    pool.inner().execute(AssertSqlSafe(format!("CREATE TABLE {table} (id INT, name TEXT)"))).await.unwrap();

    let mut connection = pool.acquire().await.unwrap();
    let mut copy = connection.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.unwrap();
    copy.send(&b"1\tcanary-a\n2\tcanary-b\n"[..]).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    let out = connection.copy_out_raw(&format!("COPY {table} TO STDOUT")).await.unwrap();
    let bytes: Vec<_> = out.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"1\tcanary-a\n2\tcanary-b\n");
    let name = format!("COPY {table}");
    telemetry.assert_spans(2, span(&name).has_no("error.type").has_no("otel_db.ended_early"));

    telemetry.clear();
    let mut copy = pool.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.unwrap();
    copy.send(&b"not a number\tx\n"[..]).await.unwrap();
    assert!(copy.finish().await.is_err());
    telemetry.assert_span(span(&name).failed().has("error.type", "22P02"));
    telemetry.clear();
    let copy = pool.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.unwrap();
    copy.abort("enough").await.unwrap();
    telemetry.assert_span(span(&name).has("otel_db.ended_early", true));
    telemetry.clear();
    assert!(pool.copy_out_raw("COPY nowhere TO STDOUT").await.is_err());
    telemetry.assert_span(span("COPY nowhere").failed().has("error.type", "42P01"));
    drop(connection);
    telemetry.assert_no_secrets(["canary-a", "canary-b"]);
    assert_at_rest(&telemetry).await;
    assert!(telemetry.spans()[0].attribute("db.query.text").is_some());
}

/// A connection that breaks while data are sent has failed the COPY, although nobody asks for its end any more.
#[tokio::test]
async fn a_copy_that_loses_its_connection_has_failed() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().connect(&url).await.unwrap());
    let table = format!("lost_{}", std::process::id());
    pool.inner().execute(AssertSqlSafe(format!("CREATE TABLE {table} (name TEXT)"))).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let id: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection.inner()).await.unwrap();
    let mut copy = connection.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.unwrap();
    let kill = sqlx::query("SELECT pg_terminate_backend($1)").bind(id);
    kill.execute(pool.inner()).await.unwrap();
    // The other end may not have gone away at once.
    let sent = async { while copy.send(&[b'a'; 1 << 16][..]).await.is_ok() {} };
    tokio::time::timeout(BOUND, sent).await.unwrap();
    // As `?` leaves it.
    drop(copy);
    let failed = span(format!("COPY {table}")).failed().has("error.type", "connection_lost");
    telemetry.assert_span(failed.has_no("otel_db.ended_early"));
    assert_eq!(telemetry.histogram_count(DURATION), 1);
    let _ = connection.close().await;
    assert_at_rest(&telemetry).await;
}

/// A source that cannot be read has failed the COPY, although nobody asks for its end any more.
#[tokio::test]
async fn a_copy_whose_source_fails_has_failed() {
    struct Broken(std::io::ErrorKind);

    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Poll::Ready(Err(self.0.into()))
        }
    }

    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().connect(&url).await.unwrap());
    let table = format!("sourced_{}", std::process::id());
    pool.inner().execute(AssertSqlSafe(format!("CREATE TABLE {table} (name TEXT)"))).await.unwrap();
    let statement = format!("COPY {table} FROM STDIN");
    let name = format!("COPY {table}");

    let mut copy = pool.copy_in_raw(&statement).await.unwrap();
    copy.read_from(&b"a\nb\n"[..]).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    telemetry.assert_span(span(&name).has_no("error.type").has_no("otel_db.ended_early"));

    telemetry.clear();
    let mut copy = pool.copy_in_raw(&statement).await.unwrap();
    assert!(copy.read_from(Broken(std::io::ErrorKind::InvalidData)).await.is_err());
    // As `?` leaves it.
    drop(copy);
    telemetry.assert_span(span(&name).failed().has("error.type", "source").has_no("otel_db.ended_early"));
    assert_at_rest(&telemetry).await;
}

/// After a statement that fails the server takes no savepoint, and sqlx then rolls back twice.
#[tokio::test]
async fn a_savepoint_that_the_server_refuses_takes_all_around_it_along() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap());
    for depth in [1, 2] {
        telemetry.clear();
        let mut connection = pool.acquire().await.unwrap();
        let mut outer = connection.begin().await.unwrap();
        let mut expected = vec!["BEGIN", "SELECT", "SAVEPOINT", "ROLLBACK"];
        if depth == 1 {
            sqlx::query("SELECT 1 / 0").execute(&mut *outer).await.unwrap_err();
            assert!(outer.begin().await.is_err());
        } else {
            let mut inner = outer.begin().await.unwrap();
            sqlx::query("SELECT 1 / 0").execute(&mut *inner).await.unwrap_err();
            assert!(inner.begin().await.is_err());
            inner.commit().await.unwrap();
            expected = vec!["BEGIN", "SAVEPOINT", "SELECT", "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "ROLLBACK"];
        }
        outer.commit().await.unwrap();
        assert!(!connection.is_in_transaction());
        drop(connection);
        let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
        assert_eq!(names, expected, "at depth {depth}");
        telemetry.assert_span(span("SAVEPOINT").failed().has("error.type", "25P02"));
        // It is as good as new.
        sqlx::query("SELECT 1 AS one").execute(pool.inner()).await.unwrap();
    }
    assert_conventional(&telemetry);
    assert_at_rest(&telemetry).await;
}

/// Of three, sqlx rolls the inner two back, and goes on with the outermost.
#[tokio::test]
async fn a_savepoint_that_the_server_refuses_takes_no_more_along_than_without_us() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let raw = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    let pool = observed(&telemetry, raw);
    let table = format!("refused_{}", std::process::id());
    pool.inner().execute(AssertSqlSafe(format!("CREATE TABLE {table} (id INT)"))).await.unwrap();
    let insert = || sqlx::query(AssertSqlSafe(format!("INSERT INTO {table} (id) VALUES (1)")));

    let mut outer = pool.inner().begin().await.unwrap();
    insert().execute(&mut *outer).await.unwrap();
    let mut middle = sqlx::Acquire::begin(&mut outer).await.unwrap();
    let mut inner = sqlx::Acquire::begin(&mut middle).await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *inner).await.unwrap_err();
    assert!(sqlx::Acquire::begin(&mut inner).await.is_err());
    inner.commit().await.unwrap();
    middle.commit().await.unwrap();
    outer.commit().await.unwrap();

    let mut outer = pool.begin().await.unwrap();
    insert().execute(&mut *outer).await.unwrap();
    let mut middle = outer.begin().await.unwrap();
    let mut inner = middle.begin().await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *inner).await.unwrap_err();
    assert!(inner.begin().await.is_err());
    inner.commit().await.unwrap();
    middle.commit().await.unwrap();
    outer.commit().await.unwrap();
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    let expected = [
        "BEGIN",
        &format!("INSERT {table}"),
        "SAVEPOINT",
        "SAVEPOINT",
        "SELECT",
        "SAVEPOINT",
        "ROLLBACK TO SAVEPOINT",
        "ROLLBACK TO SAVEPOINT",
        "COMMIT",
    ];
    assert_eq!(names, expected);
    let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    assert_eq!(
        sqlx::query_scalar::<_, i64>(count).fetch_one(pool.inner()).await.unwrap(),
        2,
        "as many as sqlx"
    );
    assert_at_rest(&telemetry).await;
}

/// sqlx then rolls back what is around it.
#[tokio::test]
async fn a_savepoint_that_is_cancelled_takes_all_around_it_along() {
    let Some(url) = postgres_url() else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap());
    let outer = loop {
        telemetry.clear();
        let mut outer = pool.begin().await.unwrap();
        let is_waiting = {
            let mut beginning = pin!(outer.begin());
            poll_fn(|cx| Poll::Ready(beginning.as_mut().poll(cx).is_pending())).await
        };
        // Otherwise the server was faster.
        if is_waiting {
            break outer;
        }
    };
    // Nothing is left to commit, and sqlx sends nothing.
    outer.commit().await.unwrap();
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["BEGIN", "SAVEPOINT", "ROLLBACK"]);
    telemetry.assert_span(span("SAVEPOINT").has("otel_db.ended_early", true));
    telemetry.assert_span(span("ROLLBACK").has("otel_db.rollback_on_drop", true));
    assert_at_rest(&telemetry).await;
}
