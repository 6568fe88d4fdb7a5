//! Random secrets in every place where an application may have them, and in no byte that is exported.

use otel_testing::{AssertTelemetry, TestTelemetry};
use sqlx::AssertSqlSafe;

use crate::sqlite::songs;
use crate::support::{assert_conventional, observed};

fn secret(name: &str) -> String {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("{name}{time:x}canary")
}

#[tokio::test]
async fn literals_binds_and_messages_of_errors() {
    let telemetry = TestTelemetry::new();
    let pool = observed(&telemetry, songs().await);
    let secrets: Vec<_> = ["literal", "bind", "error", "comment", "raw"].map(secret).to_vec();
    let [literal, bind, error, comment, raw] = secrets.as_slice() else { panic!("five") };

    let query = format!("SELECT id FROM songs WHERE name = '{literal}' OR name = ? /* {comment} */");
    sqlx::query(AssertSqlSafe(query)).bind(bind).fetch_all(&pool).await.unwrap();
    let insert = format!("INSERT INTO songs (name) VALUES ('{error}')");
    sqlx::raw_sql(AssertSqlSafe(insert.clone())).execute(&pool).await.unwrap();
    assert!(sqlx::raw_sql(AssertSqlSafe(insert)).execute(&pool).await.is_err());
    let broken = format!("SELECT '{raw}");
    assert!(sqlx::raw_sql(AssertSqlSafe(broken)).execute(&pool).await.is_err());
    let mut transaction = pool.begin().await.unwrap();
    let update = format!("UPDATE songs SET name = x'{}' || \"{raw}\"", "00");
    assert!(sqlx::query(AssertSqlSafe(update)).execute(&mut *transaction).await.is_err());
    drop(transaction);

    assert!(telemetry.spans().len() >= 6, "{}", telemetry.tree());
    telemetry.assert_no_secrets(secrets);
    assert_conventional(&telemetry);
}

#[test]
fn passwords_of_urls() {
    let password = secret("password");
    let options: sqlx::postgres::PgConnectOptions =
        format!("postgres://ada:{password}@db/shop").parse().unwrap();
    let client = otel_db::sqlx::client_builder::<sqlx::Postgres>(&options);
    assert!(!format!("{client:?}").contains(&password));
    let options: sqlx::mysql::MySqlConnectOptions =
        format!("mysql://ada:{password}@db/shop").parse().unwrap();
    let client = otel_db::sqlx::client_builder::<sqlx::MySql>(&options);
    assert!(!format!("{client:?}").contains(&password));
    let options: sqlx::any::AnyConnectOptions = format!("postgres://ada:{password}@db/shop").parse().unwrap();
    let client = otel_db::sqlx::client_builder::<sqlx::Any>(&options);
    assert!(!format!("{client:?}").contains(&password));
    let client = otel_db::redis::client_builder(format!("redis://ada:{password}@cache/1")).unwrap();
    assert!(!format!("{client:?}").contains(&password));
}
