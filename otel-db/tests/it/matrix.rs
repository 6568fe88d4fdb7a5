//! Every way to run a statement, and every way it may end, on each database.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use otel_db::sqlx::{Driver, Observe, Pool};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use sqlx::pool::PoolOptions;
use sqlx::{Connection, Error, Executor, IntoArguments, MySql, Postgres, Sqlite};

use crate::support::{
    BOUND, DURATION, assert_at_rest, assert_conventional, mariadb_url, observed, postgres_url, total,
};

/// A database to test with.
pub(crate) trait Server: Driver<Arguments: IntoArguments<Self>> {
    /// Takes about a third of a second.
    const SLOW: &'static str;
    const SLOW_NAME: &'static str;
    /// So slow that its time limit ends it, however late the server looks at that; of databases that have one.
    const ENDLESS: &'static str = "";
    /// Ends the connection that it runs on.
    const KILL: Option<&'static str>;
    /// What the connection may then say.
    const LOST: &'static [&'static str];
    /// Makes a connection give up statements that take a while, if the database can.
    const LIMIT: Option<&'static str>;
    const TIMED_OUT: &'static str;
    const NO_TABLE: &'static str;
    const DUPLICATE: &'static str;

    /// A database of its own.
    async fn pool(options: PoolOptions<Self>) -> Option<sqlx::Pool<Self>>;

    /// Runs statements that nobody observes.
    async fn run(pool: &sqlx::Pool<Self>, sql: &'static str);

    /// As [`run`](Self::run), on a connection.
    async fn run_on(connection: &mut Self::Connection, sql: &'static str);

    /// Runs a statement on sqlx's own pool, which observes this one alone.
    async fn run_observed(pool: &Pool<Self>, method: Method, sql: &'static str) -> Result<(), Error>;
}

fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Server for Sqlite {
    const SLOW: &'static str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) \
                                SELECT max(i) FROM n";
    const SLOW_NAME: &'static str = "";
    const KILL: Option<&'static str> = None;
    const LOST: &'static [&'static str] = &[];
    const LIMIT: Option<&'static str> = None;
    const TIMED_OUT: &'static str = "";
    const NO_TABLE: &'static str = "1";
    const DUPLICATE: &'static str = "2067";

    async fn pool(options: PoolOptions<Self>) -> Option<sqlx::Pool<Self>> {
        let url = format!("sqlite:file:{}?mode=memory&cache=shared", fresh_name());
        Some(options.min_connections(1).connect(&url).await.unwrap())
    }

    async fn run(pool: &sqlx::Pool<Self>, sql: &'static str) {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }

    async fn run_on(connection: &mut Self::Connection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    async fn run_observed(pool: &Pool<Self>, method: Method, sql: &'static str) -> Result<(), Error> {
        call(pool.inner().observed(pool.client()), method, sql).await
    }
}

impl Server for Postgres {
    const SLOW: &'static str = "SELECT pg_sleep(0.3)";
    const ENDLESS: &'static str = "SELECT pg_sleep(600)";
    const SLOW_NAME: &'static str = "SELECT";
    const KILL: Option<&'static str> = Some("SELECT pg_terminate_backend(pg_backend_pid())");
    const LOST: &'static [&'static str] = &["57P01"];
    const LIMIT: Option<&'static str> = Some("SET statement_timeout = 50");
    const TIMED_OUT: &'static str = "57014";
    const NO_TABLE: &'static str = "42P01";
    const DUPLICATE: &'static str = "23505";

    async fn pool(options: PoolOptions<Self>) -> Option<sqlx::Pool<Self>> {
        let (url, name) = (postgres_url()?, fresh_name());
        let mut admin = sqlx::PgConnection::connect(&url).await.unwrap();
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let options_of: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        Some(options.connect_with(options_of.database(&name)).await.unwrap())
    }

    async fn run(pool: &sqlx::Pool<Self>, sql: &'static str) {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }

    async fn run_on(connection: &mut Self::Connection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    async fn run_observed(pool: &Pool<Self>, method: Method, sql: &'static str) -> Result<(), Error> {
        call(pool.inner().observed(pool.client()), method, sql).await
    }
}

impl Server for MySql {
    const SLOW: &'static str = "SELECT SLEEP(0.3)";
    const ENDLESS: &'static str = "SELECT SLEEP(600)";
    const SLOW_NAME: &'static str = "SELECT";
    const KILL: Option<&'static str> = Some("KILL CONNECTION_ID()");
    const LOST: &'static [&'static str] = &["1927", "1317", "connection_lost"];
    const LIMIT: Option<&'static str> = Some("SET max_statement_time = 0.05");
    const TIMED_OUT: &'static str = "1969";
    const NO_TABLE: &'static str = "1146";
    const DUPLICATE: &'static str = "1062";

    async fn pool(options: PoolOptions<Self>) -> Option<sqlx::Pool<Self>> {
        let (url, name) = (mariadb_url()?, fresh_name());
        let mut admin = sqlx::MySqlConnection::connect(&url).await.unwrap();
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let options_of: sqlx::mysql::MySqlConnectOptions = url.parse().unwrap();
        Some(options.connect_with(options_of.database(&name)).await.unwrap())
    }

    async fn run(pool: &sqlx::Pool<Self>, sql: &'static str) {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }

    async fn run_on(connection: &mut Self::Connection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    async fn run_observed(pool: &Pool<Self>, method: Method, sql: &'static str) -> Result<(), Error> {
        call(pool.inner().observed(pool.client()), method, sql).await
    }
}

/// What a statement runs on.
#[derive(Clone, Copy, Debug)]
enum On {
    Pool,
    Connection,
    Transaction,
    Savepoint,
    Observed,
}

/// The method of the executor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    Execute,
    FetchAll,
    FetchOne,
    FetchOptional,
    Fetch,
    Raw,
    RawMany,
}

const METHODS: [Method; 7] = [
    Method::Execute,
    Method::FetchAll,
    Method::FetchOne,
    Method::FetchOptional,
    Method::Fetch,
    Method::Raw,
    Method::RawMany,
];

fn ways() -> impl Iterator<Item = (On, Method)> {
    let all = [On::Pool, On::Connection, On::Transaction, On::Savepoint, On::Observed];
    all.into_iter().flat_map(|on| METHODS.map(|method| (on, method)))
}

async fn call<'e, S: Server>(
    executor: impl Executor<'e, Database = S>,
    method: Method,
    sql: &'static str,
) -> Result<(), Error> {
    match method {
        Method::Execute => sqlx::query(sql).execute(executor).await.map(drop),
        Method::FetchAll => sqlx::query(sql).fetch_all(executor).await.map(drop),
        Method::FetchOne => match sqlx::query(sql).fetch_one(executor).await {
            Err(Error::RowNotFound) => Ok(()),
            other => other.map(drop),
        },
        Method::FetchOptional => sqlx::query(sql).fetch_optional(executor).await.map(drop),
        Method::Fetch => sqlx::query(sql).fetch(executor).try_collect::<Vec<_>>().await.map(drop),
        Method::Raw => sqlx::raw_sql(sql).fetch_all(executor).await.map(drop),
        Method::RawMany => sqlx::raw_sql(sql).execute_many(executor).try_collect::<Vec<_>>().await.map(drop),
    }
}

async fn run<S: Server>(pool: &Pool<S>, on: On, method: Method, sql: &'static str) -> Result<(), Error> {
    match on {
        On::Pool => call(pool, method, sql).await,
        On::Connection => call(&mut *pool.acquire().await?, method, sql).await,
        On::Transaction => call(&mut *pool.begin().await?, method, sql).await,
        On::Savepoint => call(&mut *pool.begin().await?.begin().await?, method, sql).await,
        On::Observed => S::run_observed(pool, method, sql).await,
    }
}

fn options<S: Server>() -> PoolOptions<S> {
    PoolOptions::new().max_connections(4).acquire_timeout(BOUND)
}

async fn with_songs<S: Server>() -> Option<sqlx::Pool<S>> {
    let pool = S::pool(options()).await?;
    S::run(&pool, "CREATE TABLE songs (id INTEGER NOT NULL, name VARCHAR(20) NOT NULL UNIQUE)").await;
    S::run(&pool, "INSERT INTO songs (id, name) VALUES (1, 'one'), (2, 'two'), (3, 'three')").await;
    Some(pool)
}

/// One operation of this name, its span and its duration alike; the pool at rest.
async fn assert_one(telemetry: &TestTelemetry, name: &str, failure: Option<&[&str]>, what: &str) {
    let spans = telemetry.spans_named(name);
    assert_eq!(spans.len(), 1, "{what}: {}", telemetry.tree());
    let span = &spans[0];
    let recorded = span.attribute("error.type").map(ToString::to_string);
    match (failure, &recorded) {
        (None, None) => {}
        (Some(expected), Some(recorded)) if expected.contains(&recorded.as_str()) => {}
        _ => panic!("{what}: expected {failure:?}, {}", telemetry.tree()),
    }
    if let Some(code) = recorded.as_ref().filter(|code| code.chars().all(|c| c.is_ascii_alphanumeric())) {
        assert!(span.has("db.response.status_code", code.clone()), "{what}: {}", telemetry.tree());
    }
    let points = telemetry.points(DURATION);
    let of_name: Vec<_> = points.iter().filter(|point| point.has("db.query.summary", name)).collect();
    assert_eq!(of_name.len(), 1, "{what}: {points:?}");
    assert_eq!(of_name[0].count(), Some(1), "{what}");
    match recorded {
        Some(code) => assert!(of_name[0].has("error.type", code), "{what}: {points:?}"),
        None => assert_eq!(of_name[0].attribute("error.type"), None, "{what}"),
    }
    assert_at_rest(telemetry).await;
    assert_conventional(telemetry);
}

async fn fine<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    for (on, method) in ways() {
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        run(&pool, on, method, "SELECT id, name FROM songs ORDER BY id").await.unwrap();
        assert_one(&telemetry, "SELECT songs", None, &format!("{on:?} {method:?}")).await;
        let rows = telemetry.span("SELECT songs").attribute("db.response.returned_rows").cloned();
        let expected = match method {
            Method::Execute => None,
            Method::FetchOne | Method::FetchOptional => Some(1.into()),
            Method::FetchAll | Method::Fetch | Method::Raw | Method::RawMany => Some(3.into()),
        };
        assert_eq!(rows, expected, "{on:?} {method:?}");
    }
}

async fn errors<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    for (on, method) in ways() {
        let what = format!("{on:?} {method:?}");
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        assert!(run(&pool, on, method, "SELECT 'canary7' FROM nowhere").await.is_err(), "{what}");
        assert_one(&telemetry, "SELECT nowhere", Some(&[S::NO_TABLE]), &what).await;
        assert!(
            run(&pool, on, method, "INSERT INTO songs (id, name) VALUES (7, 'two')").await.is_err(),
            "{what}"
        );
        assert_one(&telemetry, "INSERT songs", Some(&[S::DUPLICATE]), &what).await;
        telemetry.assert_no_secrets(["canary7", "two"]);
    }
}

async fn lost<S: Server>() {
    let Some(kill) = S::KILL else { return };
    let Some(raw) = with_songs::<S>().await else { return };
    for (on, method) in ways() {
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        assert!(run(&pool, on, method, kill).await.is_err(), "{on:?} {method:?}");
        let name =
            telemetry.spans().iter().find(|span| span.has("db.query.text", kill)).unwrap().name.to_string();
        assert_one(&telemetry, &name, Some(S::LOST), &format!("{on:?} {method:?}")).await;
        run(&pool, On::Pool, Method::Execute, "SELECT id FROM songs").await.unwrap();
    }
}

async fn timed_out<S: Server>() {
    let Some(limit) = S::LIMIT else { return };
    let Some(raw) = with_songs::<S>().await else { return };
    for method in METHODS {
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        let mut connection = pool.acquire().await.unwrap();
        S::run_on(connection.inner(), limit).await;
        let result = call(&mut *connection, method, S::ENDLESS).await;
        connection.close().await.unwrap();
        assert!(result.is_err(), "{method:?}");
        assert_one(&telemetry, S::SLOW_NAME, Some(&[S::TIMED_OUT]), &format!("{method:?}")).await;
    }
}

async fn pool_timed_out<S: Server>() {
    let patience = Duration::from_millis(20);
    let Some(raw) = S::pool(options().max_connections(1).acquire_timeout(BOUND)).await else { return };
    S::run(&raw, "CREATE TABLE songs (id INTEGER)").await;
    let telemetry = TestTelemetry::new();
    let impatient = raw.options().clone().acquire_timeout(patience).test_before_acquire(false);
    let impatient = impatient.connect_lazy_with((*raw.connect_options()).clone());
    // To connect may take longer than that.
    while impatient.acquire().await.is_err() {}
    otel_testing::eventually(BOUND, || impatient.num_idle() == 1).await;
    let pool = observed(&telemetry, impatient);
    let held = pool.acquire().await.unwrap();
    for method in METHODS {
        let failed = call(&pool, method, "SELECT id FROM songs").await;
        assert!(matches!(failed, Err(Error::PoolTimedOut)), "{method:?}: {failed:?}");
    }
    assert!(matches!(pool.acquire().await, Err(Error::PoolTimedOut)));
    assert!(matches!(pool.begin().await, Err(Error::PoolTimedOut)));
    telemetry.assert_spans(7, span("SELECT songs").failed().has("error.type", "pool_timeout"));
    telemetry.assert_spans(1, span("BEGIN").failed().has("error.type", "pool_timeout"));
    assert_eq!(total(&telemetry, "db.client.connection.timeouts"), 9.0);
    drop(held);
    assert_at_rest(&telemetry).await;

    telemetry.clear();
    pool.close().await;
    assert!(matches!(call(&pool, Method::Fetch, "SELECT id FROM songs").await, Err(Error::PoolClosed)));
    telemetry.assert_span(span("SELECT songs").failed().has("error.type", "pool_closed"));
    assert_conventional(&telemetry);
}

/// As long as a statement is being prepared, MySQL's connection is lost to the pool if the task goes away
/// (<https://github.com/transact-rs/sqlx/issues/563>).
async fn prepared() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// The query has begun, and is most likely being answered.
async fn under_way(telemetry: &TestTelemetry, on: On) {
    let begun = match on {
        On::Pool | On::Connection | On::Observed => 1,
        On::Transaction => 2,
        On::Savepoint => 3,
    };
    otel_testing::eventually(BOUND, || telemetry.started_spans() == begun).await;
    prepared().await;
}

async fn cancelled<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    for (on, method) in ways() {
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        // Never polled: nothing has happened.
        drop(run(&pool, on, method, S::SLOW));
        assert_eq!(telemetry.started_spans(), 0);
        tokio::select! {
            _ = run(&pool, on, method, S::SLOW) => continue, // the machine was elsewhere
            () = under_way(&telemetry, on) => {}
        }
        let slow: Vec<_> =
            telemetry.spans().into_iter().filter(|span| span.attribute("db.query.text").is_some()).collect();
        let in_time = slow.iter().filter(|span| span.has("otel_db.ended_early", true)).count();
        assert_eq!((slow.len(), in_time), (1, 1), "{on:?} {method:?}: {}", telemetry.tree());
        assert_at_rest(&telemetry).await;
        run(&pool, on, method, "SELECT id FROM songs").await.unwrap();
        assert_one(&telemetry, "SELECT songs", None, &format!("after {on:?} {method:?}")).await;
    }
}

async fn stream_dropped<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    for on in [On::Pool, On::Connection, On::Transaction] {
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        let query = sqlx::query("SELECT id FROM songs ORDER BY id");
        match on {
            On::Pool => assert!(query.fetch(&pool).next().await.unwrap().is_ok()),
            On::Connection => {
                let mut connection = pool.acquire().await.unwrap();
                assert!(query.fetch(&mut *connection).next().await.unwrap().is_ok());
            }
            _ => {
                let mut transaction = pool.begin().await.unwrap();
                assert!(query.fetch(&mut *transaction).next().await.unwrap().is_ok());
            }
        }
        assert_one(&telemetry, "SELECT songs", None, &format!("{on:?}")).await;
        let dropped =
            span("SELECT songs").has("otel_db.ended_early", true).has_no("db.response.returned_rows");
        telemetry.assert_span(dropped);
    }
}

/// The application's own code panics between two rows.
async fn mapper_panics<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    for on in [On::Pool, On::Connection, On::Transaction] {
        let telemetry = TestTelemetry::new();
        let pool = observed(&telemetry, raw.clone());
        let shared = pool.clone();
        let task = tokio::spawn(async move {
            let query = sqlx::query("SELECT id FROM songs ORDER BY id");
            let mut seen = 0;
            let mapped = query.map(move |_: S::Row| {
                seen += 1;
                assert!(seen < 2, "a test panics here");
            });
            match on {
                On::Connection => mapped.fetch_all(&mut *shared.acquire().await.unwrap()).await.map(drop),
                On::Transaction => mapped.fetch_all(&mut *shared.begin().await.unwrap()).await.map(drop),
                _ => mapped.fetch_all(&shared).await.map(drop),
            }
        });
        assert!(task.await.unwrap_err().is_panic());
        telemetry.assert_spans(1, span("SELECT songs").failed().has("error.type", "panic"));
        assert_at_rest(&telemetry).await;
        run(&pool, on, Method::Execute, "SELECT 1 FROM songs").await.unwrap();
    }
}

/// What is dropped or fails with a transaction leaves nothing behind.
async fn transactions_that_end_badly<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, raw);
    let insert = "INSERT INTO songs (id, name) VALUES (9, 'nine')";
    // A savepoint is rolled back, what came before it is not, and the names stay right behind a failed statement.
    let mut transaction = pool.begin().await.unwrap();
    call(&mut *transaction, Method::Execute, insert).await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    assert!(call(&mut *savepoint, Method::Execute, insert).await.is_err());
    savepoint.rollback().await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    call(&mut *savepoint, Method::Execute, "DELETE FROM songs").await.unwrap();
    let inner = savepoint.begin().await.unwrap();
    drop(inner);
    drop(savepoint);
    transaction.commit().await.unwrap();
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    let expected = [
        "BEGIN",
        "INSERT songs",
        "SAVEPOINT",
        "INSERT songs",
        "ROLLBACK TO SAVEPOINT",
        "SAVEPOINT",
        "DELETE songs",
        "SAVEPOINT",
        "ROLLBACK TO SAVEPOINT",
        "ROLLBACK TO SAVEPOINT",
        "COMMIT",
    ];
    assert_eq!(names, expected);
    let rows = sqlx::query("SELECT id FROM songs").fetch_all(&pool).await.unwrap();
    assert_eq!(rows.len(), 4);
    // The whole task goes away while a statement runs.
    telemetry.clear();
    let shared = pool.clone();
    let task = tokio::spawn(async move {
        let mut transaction = shared.begin().await.unwrap();
        let mut savepoint = transaction.begin().await.unwrap();
        call(&mut *savepoint, Method::Fetch, S::SLOW).await
    });
    let runs = || telemetry.spans_named("SAVEPOINT").len() == 1 && telemetry.open_spans().len() == 1;
    otel_testing::eventually(BOUND, runs).await;
    prepared().await;
    task.abort();
    if task.await.is_err() {
        let early = telemetry.spans().iter().filter(|span| span.has("otel_db.ended_early", true)).count();
        assert_eq!(early, 1, "{}", telemetry.tree());
        telemetry.assert_span(span("ROLLBACK TO SAVEPOINT").has("otel_db.rollback_on_drop", true));
        telemetry.assert_span(span("ROLLBACK").has("otel_db.rollback_on_drop", true));
    }
    assert_at_rest(&telemetry).await;
    let rows = sqlx::query("SELECT id FROM songs").fetch_all(&pool).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert_conventional(&telemetry);
}

async fn committed<S: Server>() {
    let Some(raw) = with_songs::<S>().await else { return };
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, raw);
    let mut transaction = pool.begin().await.unwrap();
    call(&mut *transaction, Method::Execute, "INSERT INTO songs (id, name) VALUES (4, 'four')")
        .await
        .unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    call(&mut *savepoint, Method::Execute, "DELETE FROM songs").await.unwrap();
    drop(savepoint);
    transaction.commit().await.unwrap();
    drop(pool.begin().await.unwrap());
    assert_eq!(
        telemetry.spans().iter().map(|span| span.name.to_string()).collect::<Vec<_>>(),
        [
            "BEGIN",
            "INSERT songs",
            "SAVEPOINT",
            "DELETE songs",
            "ROLLBACK TO SAVEPOINT",
            "COMMIT",
            "BEGIN",
            "ROLLBACK"
        ]
    );
    telemetry.clear();
    let rows = sqlx::query("SELECT id FROM songs").fetch_all(&pool).await.unwrap();
    assert_eq!(rows.len(), 4, "the insert is there, the delete was taken back");
    assert_at_rest(&telemetry).await;
    assert_conventional(&telemetry);
}

macro_rules! on_each_database {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case::<sqlx::Sqlite>().await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case::<sqlx::Postgres>().await; })*
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case::<sqlx::MySql>().await; })*
        }
    };
}

on_each_database!(
    fine errors lost timed_out pool_timed_out cancelled stream_dropped mapper_panics transactions_that_end_badly committed
);
