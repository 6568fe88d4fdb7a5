//! The adapter on SQLite: what is recorded, and every type of sqlx that takes an executor.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use opentelemetry::KeyValue;
use otel_db::sqlx::{Connection, Observe, Pool, Transaction, client_builder};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, assert_trace, span};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Executor, QueryBuilder, Sqlite, SqlitePool, Statement};

use crate::support::{BOUND, DURATION, assert_conventional, builder, observed, total};

/// A database in memory that lives as long as the pool, with a table of three songs.
pub(crate) async fn songs() -> SqlitePool {
    let options = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = options.connect("sqlite::memory:").await.unwrap();
    let schema = "CREATE TABLE songs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                  INSERT INTO songs (name) VALUES ('one'), ('two'), ('three');";
    sqlx::raw_sql(schema).execute(&pool).await.unwrap();
    pool
}

fn names(telemetry: &TestTelemetry) -> Vec<String> {
    telemetry.spans().iter().map(|span| span.name.to_string()).collect()
}

#[tokio::test]
async fn a_statement_on_the_pool() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let name: String =
        sqlx::query_scalar("SELECT name FROM songs WHERE id = ?").bind(2).fetch_one(&pool).await.unwrap();
    assert_eq!(name, "two");
    telemetry.assert_span(span("SELECT songs").client().root().has_exactly([
        KeyValue::new("db.system.name", "sqlite"),
        KeyValue::new("db.query.summary", "SELECT songs"),
        KeyValue::new("db.query.text", "SELECT name FROM songs WHERE id = ?"),
        KeyValue::new("db.response.returned_rows", 1),
    ]));
    assert_eq!(telemetry.histogram_count(DURATION), 1);
    assert_conventional(&telemetry);
}

/// A function as code bases have it: over whatever executes.
async fn count<'e>(executor: impl Executor<'e, Database = Sqlite>) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM songs").fetch_one(executor).await.unwrap()
}

async fn count_on(connection: &mut Connection<Sqlite>) -> i64 {
    count(connection).await
}

#[tokio::test]
async fn whatever_executes_is_observed() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    assert_eq!(count(&pool).await, 3);
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(count(&mut *connection).await, 3);
    assert_eq!(count_on(&mut connection).await, 3);
    drop(connection);
    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(count(&mut *transaction).await, 3);
    assert_eq!(count_on(&mut transaction).await, 3);
    let mut savepoint = transaction.begin().await.unwrap();
    assert_eq!(count(&mut *savepoint).await, 3);
    savepoint.commit().await.unwrap();
    transaction.commit().await.unwrap();
    telemetry.assert_spans(6, span("SELECT songs").has("db.response.returned_rows", 1));
}

/// sqlx's thread takes the savepoint back because nobody waits for it, and then what is around it.
#[tokio::test]
async fn a_savepoint_that_is_cancelled_takes_the_transaction_along() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let outer = loop {
        telemetry.clear();
        let mut outer = pool.begin().await.unwrap();
        sqlx::query("DELETE FROM songs").execute(&mut *outer).await.unwrap();
        let is_waiting = {
            let mut beginning = pin!(outer.begin());
            poll_fn(|cx| Poll::Ready(beginning.as_mut().poll(cx).is_pending())).await
        };
        // Otherwise the thread was faster.
        if is_waiting {
            break outer;
        }
    };
    outer.commit().await.unwrap();
    assert_eq!(names(&telemetry), ["BEGIN", "DELETE songs", "SAVEPOINT", "ROLLBACK"]);
    telemetry.assert_span(span("SAVEPOINT").has("otel_db.ended_early", true));
    telemetry.assert_span(span("ROLLBACK").has("otel_db.rollback_on_drop", true));
    assert_eq!(count(&pool).await, 3);
}

/// Runs one statement in every way that an executor has.
macro_rules! every_method {
    ($telemetry:expr, $executor:expr) => {{
        let telemetry: &TestTelemetry = $telemetry;
        let select = || sqlx::query("SELECT id, name FROM songs WHERE id > ?").bind(0);
        let rows = || telemetry.spans().last().unwrap().attribute("db.response.returned_rows").cloned();
        telemetry.clear();
        select().execute($executor).await.unwrap();
        assert_eq!(rows(), None, "execute does not say how many rows came back");
        assert_eq!(select().fetch_all($executor).await.unwrap().len(), 3);
        assert_eq!(rows(), Some(3.into()));
        select().fetch_one($executor).await.unwrap();
        assert_eq!(rows(), Some(1.into()));
        assert!(select().fetch_optional($executor).await.unwrap().is_some());
        assert_eq!(rows(), Some(1.into()));
        assert_eq!(select().fetch($executor).try_collect::<Vec<_>>().await.unwrap().len(), 3);
        assert_eq!(rows(), Some(3.into()));
        #[expect(deprecated, reason = "sqlx still has it")]
        let many: Vec<_> = select().fetch_many($executor).try_collect().await.unwrap();
        assert_eq!(many.len(), 4);
        assert_eq!(rows(), Some(3.into()));
        let raw: Vec<_> = sqlx::raw_sql("SELECT 1 FROM songs; SELECT 2 FROM songs")
            .execute_many($executor)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(raw.len(), 2);
        assert_eq!(rows(), Some(6.into()));
        let mut expected = vec!["SELECT songs"; 6];
        expected.push("SELECT songs; SELECT songs");
        assert_eq!(names(telemetry), expected);
    }};
}

#[tokio::test]
async fn every_method_of_an_executor() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    every_method!(&telemetry, &pool);
    let mut connection = pool.acquire().await.unwrap();
    every_method!(&telemetry, &mut *connection);
    drop(connection);
    let mut transaction = pool.begin().await.unwrap();
    every_method!(&telemetry, &mut *transaction);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn statements_that_are_prepared_or_raw_or_built() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);

    let statement =
        (&pool).prepare(sqlx::SqlStr::from_static("SELECT name FROM songs WHERE id = ?")).await.unwrap();
    let row = statement.query().bind(1).fetch_one(&pool).await.unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "one");
    assert_eq!(names(&telemetry), ["PREPARE", "SELECT songs"]);
    assert!(telemetry.span("PREPARE").has("db.query.text", "SELECT name FROM songs WHERE id = ?"));

    telemetry.clear();
    sqlx::raw_sql("INSERT INTO songs (name) VALUES ('four'); DELETE FROM songs WHERE name = 'four'")
        .execute(&pool)
        .await
        .unwrap();
    let mut built = QueryBuilder::<Sqlite>::new("INSERT INTO songs (name) ");
    built.push_values(["five", "six"], |mut row, name| {
        row.push_bind(name);
    });
    built.build().execute(&pool).await.unwrap();
    let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM songs").fetch_one(&pool).await.unwrap();
    assert_eq!(count, 5);
    assert_eq!(names(&telemetry), ["INSERT songs; DELETE songs", "INSERT songs", "SELECT songs"]);
    telemetry.assert_no_secrets(["four", "five", "six"]);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn the_cache_of_statements_is_used() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let mut connection = pool.acquire().await.unwrap();
    connection.clear_cached_statements().await.unwrap();
    for id in 0..10 {
        sqlx::query("SELECT name FROM songs WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .unwrap();
    }
    assert_eq!(connection.cached_statements_size(), 1, "one statement, prepared once");
    sqlx::query("SELECT 1 FROM songs").persistent(false).fetch_all(&mut *connection).await.unwrap();
    sqlx::raw_sql("SELECT 2 FROM songs").fetch_all(&mut *connection).await.unwrap();
    assert_eq!(connection.cached_statements_size(), 1, "what is not to be cached is not");
    sqlx::query("SELECT id FROM songs").fetch_all(&mut *connection).await.unwrap();
    assert_eq!(connection.cached_statements_size(), 2);
    drop(connection);
    for id in 0..10 {
        sqlx::query("SELECT name FROM songs WHERE id = ?").bind(id).fetch_optional(&pool).await.unwrap();
    }
    assert_eq!(pool.acquire().await.unwrap().cached_statements_size(), 2, "on the pool as well");
}

#[tokio::test]
async fn transactions_and_savepoints() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let insert = "INSERT INTO songs (name) VALUES (?)";

    let mut transaction = pool.begin().await.unwrap();
    sqlx::query(insert).bind("a").execute(&mut *transaction).await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    sqlx::query(insert).bind("b").execute(&mut *savepoint).await.unwrap();
    savepoint.rollback().await.unwrap();
    let savepoint = transaction.begin().await.unwrap();
    savepoint.commit().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        names(&telemetry),
        [
            "BEGIN",
            "INSERT songs",
            "SAVEPOINT",
            "INSERT songs",
            "ROLLBACK TO SAVEPOINT",
            "SAVEPOINT",
            "RELEASE SAVEPOINT",
            "COMMIT"
        ]
    );
    telemetry.assert_span(span("COMMIT").client().has("db.operation.name", "COMMIT"));
    assert_eq!(count(&pool).await, 4, "the savepoint was rolled back");

    telemetry.clear();
    let mut dropped = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query(insert).bind("c").execute(&mut *dropped).await.unwrap();
    let savepoint = dropped.begin().await.unwrap();
    drop(savepoint);
    drop(dropped);
    pool.begin().await.unwrap().rollback().await.unwrap();
    let expected =
        ["BEGIN", "INSERT songs", "SAVEPOINT", "ROLLBACK TO SAVEPOINT", "ROLLBACK", "BEGIN", "ROLLBACK"];
    assert_eq!(names(&telemetry), expected);
    let on_drop: Vec<_> =
        telemetry.spans().iter().map(|span| span.has("otel_db.rollback_on_drop", true)).collect();
    assert_eq!(on_drop, [false, false, false, true, true, false, false]);
    assert!(telemetry.spans()[0].has("db.query.text", "BEGIN IMMEDIATE"));
    assert_eq!(count(&pool).await, 4, "what was dropped was rolled back");
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn a_transaction_in_a_closure() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let mut connection = pool.acquire().await.unwrap();
    let work = async move {
        let count = connection.transaction(|transaction| {
            Box::pin(async move { Ok::<_, sqlx::Error>(count_on(transaction).await) })
        });
        assert_eq!(count.await.unwrap(), 3);
        let failed = connection.transaction(|transaction| {
            Box::pin(sqlx::query("SELECT * FROM nowhere").execute(&mut **transaction))
        });
        assert!(failed.await.is_err());
    };
    // As a handler has to be: `Send`.
    tokio::spawn(work).await.unwrap();
    assert_eq!(names(&telemetry), ["BEGIN", "SELECT songs", "COMMIT", "BEGIN", "SELECT nowhere", "ROLLBACK"]);
}

#[tokio::test]
async fn begin_fails_and_is_cancelled() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    assert!(pool.begin_with("BEGIN NONSENSE").await.is_err());
    telemetry.assert_span(span("BEGIN").failed().has("error.type", "1"));
    telemetry.clear();

    let mut transaction: Transaction<'_, Sqlite> = pool.begin().await.unwrap();
    assert!(pool.try_begin().await.unwrap().is_none(), "no connection is idle");
    assert!(transaction.begin_with("BEGIN").await.is_err(), "not inside of another");
    telemetry.clear();
    let mut waiting = Box::pin(pool.begin());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    telemetry.assert_span(span("BEGIN").has("otel_db.ended_early", true));
    assert_eq!(total(&telemetry, "db.client.connection.pending_requests"), 0.0);
}

/// sqlx rolls back when a transaction does not begin, and inside of another one it is that which it rolls back.
#[tokio::test]
async fn a_transaction_that_does_not_begin_takes_the_one_around_it_along() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let insert = "INSERT INTO songs (name) VALUES (?)";
    let mut outer = pool.begin().await.unwrap();
    sqlx::query(insert).bind("a").execute(&mut *outer).await.unwrap();
    assert!(outer.begin_with("BEGIN IMMEDIATE").await.is_err());
    // Nothing is left to commit, and sqlx sends nothing.
    outer.commit().await.unwrap();
    assert_eq!(names(&telemetry), ["BEGIN", "INSERT songs", "BEGIN", "ROLLBACK"]);
    let refused = &telemetry.spans()[2];
    assert!(refused.has("error.type", "begin_failed") && refused.has("db.operation.name", "BEGIN"));
    assert!(telemetry.spans()[3].has("otel_db.rollback_on_drop", true));
    assert_eq!(count(&pool).await, 3, "it was rolled back");

    telemetry.clear();
    let mut outer = pool.begin().await.unwrap();
    let mut savepoint = outer.begin().await.unwrap();
    sqlx::query(insert).bind("b").execute(&mut *savepoint).await.unwrap();
    assert!(savepoint.begin_with("BEGIN IMMEDIATE").await.is_err());
    // What is innermost now is committed, and that is all there is.
    savepoint.commit().await.unwrap();
    drop(outer);
    let expected = ["BEGIN", "SAVEPOINT", "INSERT songs", "BEGIN", "ROLLBACK TO SAVEPOINT", "COMMIT"];
    assert_eq!(names(&telemetry), expected);
    assert_eq!(count(&pool).await, 3);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn migrations() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1_a.sql"), "CREATE TABLE a (x TEXT DEFAULT 'hidden')").unwrap();
    std::fs::write(folder.path().join("2_b.sql"), "CREATE TABLE b (x TEXT)").unwrap();
    let migrator = Migrator::new(folder.path()).await.unwrap();
    pool.migrate(&migrator).await.unwrap();
    assert_trace!(telemetry, "MIGRATE" => { "CREATE TABLE a", "CREATE TABLE b" });
    telemetry.assert_no_secrets(["hidden"]);

    telemetry.clear();
    pool.acquire().await.unwrap().migrate(&migrator).await.unwrap();
    assert_eq!(names(&telemetry), ["MIGRATE"], "nothing is left to do");

    telemetry.clear();
    std::fs::write(folder.path().join("3_c.sql"), "CREATE TABLE a (x TEXT)").unwrap();
    let migrator = Migrator::new(folder.path()).await.unwrap();
    assert!(pool.migrate(&migrator).await.is_err());
    telemetry.assert_span(span("CREATE TABLE a").failed().has("error.type", "1").child_of("MIGRATE"));
    telemetry.assert_span(span("MIGRATE").failed().has("error.type", "1"));
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn executors_of_sqlx_s_own() {
    let telemetry = TestTelemetry::new();
    let pool = songs().await;
    let client = client_builder::<Sqlite>(&pool.connect_options())
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_returned_rows(true)
        .build();
    assert_eq!(count((&pool).observed(&client)).await, 3);
    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(count((&mut *transaction).observed(&client)).await, 3);
    let rows =
        sqlx::query("SELECT id FROM songs").fetch_all((&mut *transaction).observed(&client)).await.unwrap();
    assert_eq!(rows.len(), 3);
    let mut stream = sqlx::query("SELECT id FROM songs").fetch((&mut *transaction).observed(&client));
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    sqlx::query("SELECT id FROM songs").execute((&mut *transaction).observed(&client)).await.unwrap();
    assert_eq!(names(&telemetry), vec!["SELECT songs"; 5]);
    assert!(telemetry.spans()[3].has("otel_db.ended_early", true));
    transaction.rollback().await.unwrap();
    assert_eq!(telemetry.spans().len(), 5, "transactions are not seen this way");
}

#[tokio::test]
async fn a_connection_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("shop.db")).create_if_missing(true);
    let telemetry = TestTelemetry::new();
    let client = client_builder::<Sqlite>(&options)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let mut connection = Connection::<Sqlite>::new(options.connect().await.unwrap(), &client);
    connection.ping().await.unwrap();
    sqlx::query("CREATE TABLE a (b TEXT)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    telemetry.assert_spans(1, span("PING").has("db.namespace", "shop.db"));
    telemetry.assert_spans(1, span("CREATE TABLE a").has("db.namespace", "shop.db"));
    let mut connection = Connection::<Sqlite>::connect_with(&options).await.unwrap();
    assert!(sqlx::query("SELECT b FROM a").fetch_optional(&mut connection).await.unwrap().is_none());
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn a_slow_statement_is_marked() {
    let telemetry = TestTelemetry::new();
    let pool = builder(&telemetry, songs().await).with_slow_threshold(Duration::ZERO).build();
    count(&pool).await;
    telemetry.assert_span(span("SELECT songs").has("otel_db.slow", true));
}

#[tokio::test]
async fn no_row_is_an_answer() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let missing = sqlx::query("SELECT id FROM songs WHERE id = 99").fetch_one(&pool).await;
    assert!(matches!(missing, Err(sqlx::Error::RowNotFound)));
    telemetry.assert_span(span("SELECT songs").has_no("error.type").has("db.response.returned_rows", 0));
}

#[test]
fn what_the_wrappers_promise() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Pool<Sqlite>>();
    fn is_send<T: Send>() {}
    is_send::<Connection<Sqlite>>();
    is_send::<Transaction<'static, Sqlite>>();
}

/// A connection that is not a pool's lives on, and with it what it knows of transactions.
#[tokio::test]
async fn a_connection_after_transactions_that_ended_badly() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let mut connection = pool.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    drop(transaction.begin().await.unwrap());
    drop(transaction);
    assert!(connection.begin_with("BEGIN NONSENSE").await.is_err());
    let cancelled = Box::pin(connection.begin());
    drop(cancelled);
    assert_eq!(count_on(&mut connection).await, 3);
    assert!(!connection.is_in_transaction());
    let transaction = connection.begin().await.unwrap();
    assert!(transaction.is_in_transaction());
    transaction.rollback().await.unwrap();
    let expected = [
        "BEGIN",
        "SAVEPOINT",
        "ROLLBACK TO SAVEPOINT",
        "ROLLBACK",
        "BEGIN",
        "SELECT songs",
        "BEGIN",
        "ROLLBACK",
    ];
    assert_eq!(names(&telemetry), expected);
    assert_conventional(&telemetry);
}

/// As sqlx's pool, which does not wait for somebody to poll the future.
#[tokio::test]
async fn a_pool_is_closed_at_once() {
    let pool = Pool::from(songs().await);
    let other = pool.clone();
    let work = async { other.close_event().do_until(std::future::pending::<()>()).await };
    let closing = pool.close();
    assert!(pool.is_closed());
    assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolClosed)));
    assert!(matches!(work.await, Err(sqlx::Error::PoolClosed)));
    closing.await;
}

#[tokio::test]
async fn connections_that_leave_their_pool_are_observed() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    otel_testing::eventually(BOUND, || pool.num_idle() == 1).await;
    let transaction = pool.try_begin_with("BEGIN IMMEDIATE").await.unwrap().unwrap();
    telemetry.assert_span(span("BEGIN").has("db.query.text", "BEGIN IMMEDIATE"));
    assert!(pool.try_begin_with("BEGIN IMMEDIATE").await.unwrap().is_none());
    transaction.rollback().await.unwrap();

    let mut detached: Connection<Sqlite> = pool.acquire().await.unwrap().detach();
    assert_eq!((count_on(&mut detached).await, pool.size()), (3, 0));
    detached.close_hard().await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    connection.close_on_drop();
    drop(connection);
    otel_testing::eventually(BOUND, || pool.size() == 0).await;
    let mut leaked: Connection<Sqlite> = pool.acquire().await.unwrap().leak();
    sqlx::query("CREATE TABLE songs (id INTEGER)").execute(&mut leaked).await.unwrap();
    assert_eq!((count_on(&mut leaked).await, pool.size()), (0, 1));
    telemetry.assert_spans(2, span("SELECT songs"));
    assert_eq!(telemetry.histogram_count("db.client.connection.use_time"), 4);
}

/// The future is one of its own, as that of sqlx's pool: it is spawned, or kept in a struct.
#[tokio::test]
async fn a_connection_is_waited_for_elsewhere() {
    let telemetry = TestTelemetry::new();
    let acquired = tokio::spawn(observed(&telemetry, songs().await).acquire());
    assert_eq!(count_on(&mut acquired.await.unwrap().unwrap()).await, 3);
    telemetry.assert_span(span("SELECT songs"));
}
