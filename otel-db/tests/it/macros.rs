//! `query!` and its siblings, which are checked against a database when they are compiled.
//!
//! What they have to know of it stands in `.sqlx`, as `cargo sqlx prepare` writes it, so that no database is needed.

use futures_util::TryStreamExt;
use otel_db::sqlx::Connection;
use otel_testing::{AssertTelemetry, TestTelemetry, span};
use sqlx::{Column, Executor, SqlSafeStr, Sqlite, TypeInfo};

use crate::sqlite::songs;
use crate::support::{assert_conventional, observed};

struct Song {
    id: i64,
    name: String,
}

async fn add(connection: &mut Connection<Sqlite>, name: &str) -> sqlx::Result<u64> {
    Ok(sqlx::query!("INSERT INTO songs (name) VALUES (?)", name).execute(connection).await?.rows_affected())
}

#[tokio::test]
async fn macros_take_the_pool_a_connection_and_a_transaction() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let rows = sqlx::query!("SELECT id, name FROM songs WHERE id > ? ORDER BY id", 1).fetch_all(&pool).await;
    let names: Vec<(i64, String)> = rows.unwrap().into_iter().map(|row| (row.id, row.name)).collect();
    assert_eq!(names, [(2, "two".to_owned()), (3, "three".to_owned())]);

    assert_eq!(add(&mut pool.acquire().await.unwrap(), "four").await.unwrap(), 1);

    let mut transaction = pool.begin().await.unwrap();
    assert_eq!(add(&mut transaction, "five").await.unwrap(), 1);
    let songs = sqlx::query_as!(Song, "SELECT id, name FROM songs WHERE id > ? ORDER BY id", 3);
    let songs: Vec<Song> = songs.fetch(&mut *transaction).try_collect().await.unwrap();
    assert_eq!(
        songs.iter().map(|song| (song.id, &*song.name)).collect::<Vec<_>>(),
        [(4, "four"), (5, "five")]
    );
    transaction.rollback().await.unwrap();
    assert_eq!(sqlx::query_scalar!("SELECT count(*) FROM songs").fetch_one(&pool).await.unwrap(), 4);

    telemetry.assert_spans(2, span("INSERT songs"));
    telemetry.assert_spans(3, span("SELECT songs").client());
    assert_conventional(&telemetry);
}

/// What is checked in is what the database says, through our connection: the macros ask for it in the same way.
#[tokio::test]
async fn what_the_macros_know_is_what_the_database_says() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let mut checked = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx")).unwrap() {
        let known = std::fs::read(file.unwrap().path()).unwrap();
        let known: serde_json::Value = serde_json::from_slice(&known).unwrap();
        let query = known["query"].as_str().unwrap().to_owned();
        let said = pool.describe(sqlx::AssertSqlSafe(query).into_sql_str()).await.unwrap();
        let columns = known["describe"]["columns"].as_array().unwrap();
        assert_eq!(said.columns().len(), columns.len());
        for (said, known) in said.columns().iter().zip(columns) {
            assert_eq!(said.name(), known["name"]);
            assert_eq!(said.type_info().name(), known["type_info"].as_str().unwrap().to_uppercase());
        }
        checked += 1;
    }
    assert_eq!(checked, 3);
    telemetry.assert_spans(3, span("DESCRIBE").client());
}
