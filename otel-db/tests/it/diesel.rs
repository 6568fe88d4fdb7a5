//! diesel's hook, on SQLite in memory.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use diesel::connection::{Instrumentation as _, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use otel_db::diesel::Instrumentation;
use otel_db::{DbClient, DbSystem};
use otel_testing::{AssertTelemetry, TestTelemetry, span};

use crate::support::{DURATION, assert_conventional, client};

diesel::table! {
    songs (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    pg_type (oid) {
        oid -> Integer,
    }
}

fn connect(telemetry: &TestTelemetry) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(":memory:").unwrap();
    connection
        .batch_execute("CREATE TABLE songs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
        .unwrap();
    connection.set_instrumentation(Instrumentation::new(&client(telemetry, DbSystem::SQLITE).build()));
    connection
}

fn insert(connection: &mut SqliteConnection, name: &str) -> QueryResult<usize> {
    diesel::insert_into(songs::table).values(songs::name.eq(name)).execute(connection)
}

#[test]
fn statements_without_their_binds() {
    let telemetry = TestTelemetry::new();
    let mut connection = connect(&telemetry);
    insert(&mut connection, "canary -- binds: [x] 'canary").unwrap();
    let found: Vec<String> =
        songs::table.filter(songs::name.like("canary%")).select(songs::name).load(&mut connection).unwrap();
    assert_eq!(found.len(), 1);
    diesel::sql_query("SELECT 'canary' AS name, ? AS id")
        .bind::<BigInt, _>(4_223_372_036_854_775)
        .execute(&mut connection)
        .unwrap();
    telemetry.assert_span(span("INSERT `songs`").client().has("db.system.name", "sqlite"));
    telemetry.assert_span(span("SELECT `songs`"));
    assert_eq!(telemetry.histogram_count(DURATION), 3);
    telemetry.assert_no_secrets(["canary", "4223372036854775"]);
    assert_conventional(&telemetry);
}

#[test]
fn transactions_and_errors() {
    let telemetry = TestTelemetry::new();
    let mut connection = connect(&telemetry);
    let failed = connection.transaction(|connection| {
        insert(connection, "one")?;
        insert(connection, "one")
    });
    assert!(failed.is_err());
    assert!(
        diesel::sql_query("SELECT nothing FROM nowhere")
            .bind::<Text, _>("canary")
            .execute(&mut connection)
            .is_err()
    );
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["BEGIN", "INSERT `songs`", "INSERT `songs`", "ROLLBACK", "SELECT nowhere"]);
    telemetry.assert_span(span("INSERT `songs`").failed().has("error.type", "unique_violation"));
    telemetry.assert_span(span("SELECT nowhere").failed().has("error.type", "database"));
    telemetry.assert_no_secrets(["canary"]);
    telemetry.assert_all_spans_ended();
    assert_conventional(&telemetry);
}

/// On PostgreSQL, diesel looks a type up between the start and the end of the query that binds a value of it. Here another
/// connection with the same hook does so.
#[test]
fn a_query_goes_on_while_a_type_is_looked_up() {
    let telemetry = TestTelemetry::new();
    let hook = Arc::new(Mutex::new(Instrumentation::new(&client(&telemetry, DbSystem::SQLITE).build())));
    let mut types = SqliteConnection::establish(":memory:").unwrap();
    types.batch_execute("CREATE TABLE pg_type (oid INTEGER PRIMARY KEY)").unwrap();
    types.set_instrumentation({
        let hook = Arc::clone(&hook);
        move |event: InstrumentationEvent<'_>| hook.lock().unwrap().on_connection_event(event)
    });
    let mut connection = connect(&TestTelemetry::new());
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        let starts = matches!(event, InstrumentationEvent::StartQuery { .. });
        hook.lock().unwrap().on_connection_event(event);
        for _ in 0..if starts { 2 } else { 0 } {
            assert_eq!(pg_type::table.count().get_result::<i64>(&mut types).unwrap(), 0);
        }
    });
    insert(&mut connection, "one").unwrap();
    insert(&mut connection, "one").unwrap_err();

    telemetry.assert_spans(4, span("SELECT `pg_type`").has_no("otel_db.ended_early"));
    telemetry.assert_span(span("INSERT `songs`").has_no("otel_db.ended_early").has_no("error.type"));
    telemetry.assert_span(span("INSERT `songs`").failed().has("error.type", "unique_violation"));
    assert_eq!(telemetry.histogram_count(DURATION), 6);
    telemetry.assert_all_spans_ended();
}

#[test]
fn rows_that_are_not_read_and_connections_that_are_not_made() {
    let telemetry = TestTelemetry::new();
    let mut connection = connect(&telemetry);
    insert(&mut connection, "one").unwrap();
    insert(&mut connection, "two").unwrap();
    telemetry.clear();
    let mut rows = songs::table.load_iter::<(i32, String), _>(&mut connection).unwrap();
    assert_eq!(rows.next().unwrap().unwrap().1, "one");
    drop(rows);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let rows = songs::table.load_iter::<(i32, String), _>(&mut connection).unwrap();
        for row in rows {
            assert_ne!(row.unwrap().1, "two", "a test panics here");
        }
    }));
    assert!(panicked.is_err());
    assert_eq!(songs::table.count().get_result::<i64>(&mut connection).unwrap(), 2);
    telemetry.assert_spans(3, span("SELECT `songs`"));
    assert_eq!(telemetry.histogram_count(DURATION), 5, "with both inserts");
    telemetry.assert_all_spans_ended();
    assert_conventional(&telemetry);

    telemetry.clear();
    // As a pool does it, which makes connections by itself; for this test's thread alone.
    thread_local! {
        static DB: RefCell<Option<DbClient>> = const { RefCell::new(None) };
    }
    DB.set(Some(client(&telemetry, DbSystem::SQLITE).build()));
    let hook: fn() -> Option<Box<dyn diesel::connection::Instrumentation>> =
        || DB.with_borrow(|db| Some(Box::new(Instrumentation::new(db.as_ref()?)) as _));
    diesel::connection::set_default_instrumentation(hook).unwrap();
    assert!(SqliteConnection::establish("/nowhere/at/all/canary-password").is_err());
    telemetry.assert_span(span("CONNECT").failed().has("error.type", "connect"));
    telemetry.assert_no_secrets(["canary-password"]);
    telemetry.assert_all_spans_ended();
}
