//! diesel's hook, on SQLite in memory.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use otel_db::DbSystem;
use otel_db::diesel::Instrumentation;
use otel_testing::{AssertTelemetry, TestTelemetry, span};

use crate::support::{DURATION, assert_conventional, client};

diesel::table! {
    songs (id) {
        id -> Integer,
        name -> Text,
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
