//! Random secrets in every place where an application may have them, and in no byte that is exported.

use otel_db::sqlx::Pool;
use otel_testing::{AssertTelemetry, TestTelemetry, require_service};
use redis::AsyncCommands;
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Encode, Executor, Type};

use crate::matrix::Server;
use crate::sqlite::songs;
use crate::support::{assert_conventional, builder, mariadb_url, observed, postgres_url};

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
    let redis = redis::Client::open(format!("redis://ada:{password}@cache/1")).unwrap();
    let client = otel_db::redis::client_builder(redis.get_connection_info());
    assert!(!format!("{client:?}").contains(&password));
}

/// Nothing that can be printed for debugging tells a password or a literal.
#[tokio::test]
async fn what_is_printed_for_debugging() {
    sqlx::any::install_default_drivers();
    let secrets: Vec<_> = ["password", "literal", "bind"].map(secret).to_vec();
    let [password, literal, bind] = secrets.as_slice() else { panic!("three") };
    let url = format!("postgres://ada:{password}@127.0.0.1:1/shop?password={password}");
    let any = Pool::instrument(sqlx::AnyPool::connect_lazy(&url).unwrap());
    let mut shown = format!("{any:?}");
    let any = any.with_pool_metrics(true).build();
    shown.push_str(&format!("{any:?} {any:#?}"));
    let error = any.acquire().await.unwrap_err();
    shown.push_str(&format!("{error} {error:?}"));

    let query = format!("SELECT id FROM songs WHERE name = '{literal}' AND id = ?");
    let printed = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let hook = printed.clone();
    let telemetry = TestTelemetry::new();
    let pool = builder(&telemetry, songs().await)
        .with_filter(move |request| {
            hook.lock().unwrap().push_str(&format!("{request:?}"));
            true
        })
        .build();
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(query.clone())).bind(bind).fetch_all(&mut *transaction).await.unwrap();
    shown.push_str(&format!("{transaction:?} {:?} {pool:?}", &*transaction));
    drop(transaction);
    let call = pool.client().query(&query).with_parameter("0", bind);
    shown.push_str(&format!("{call:?}"));
    let operation = call.start();
    shown.push_str(&format!("{operation:?} {:?} {:?}", pool.client(), pool.acquire().await.unwrap()));
    operation.end();
    let redis = redis::Client::open(format!("redis://ada:{password}@127.0.0.1:1/1")).unwrap();
    let client = otel_db::redis::client_builder(redis.get_connection_info());
    shown.push_str(&format!("{client:?}"));
    shown.push_str(&format!("{:?}", otel_db::redis::Connection::new((), &client.build())));

    let printed = printed.lock().unwrap();
    assert!(printed.contains("SELECT songs") && shown.contains("Transaction"), "{printed} {shown}");
    for secret in &secrets {
        assert!(!shown.contains(secret) && !printed.contains(secret), "{secret}: {shown} {printed}");
    }
    telemetry.assert_no_secrets(secrets);
}

/// What a user of a database may do wrong with a value that nobody is to see; where each goes, to the end of the message
/// that the server answers with.
async fn on_a_server<S: Server>(cast: &str)
where
    for<'q> String: Encode<'q, S> + Type<S>,
{
    let Some(raw) = S::pool(PoolOptions::new()).await else { return };
    S::run(&raw, "CREATE TABLE songs (id INTEGER NOT NULL, name VARCHAR(100) NOT NULL UNIQUE)").await;
    let telemetry = TestTelemetry::new();
    let logs = telemetry.logger_provider();
    let pool: Pool<S> = builder(&telemetry, raw).with_exception_events(&logs).build();
    let secrets: Vec<_> = ["literal", "bind", "cast", "comment", "broken", "table"].map(secret).to_vec();
    let [literal, bind, value, comment, broken, table] = secrets.as_slice() else { panic!("six") };

    let insert = format!("INSERT INTO songs (id, name) VALUES (1, '{literal}') /* {comment} */");
    pool.execute(sqlx::raw_sql(AssertSqlSafe(insert.clone()))).await.unwrap();
    let duplicate = pool.execute(sqlx::raw_sql(AssertSqlSafe(insert))).await.err().unwrap();
    let placeholder = if S::NAME == "PostgreSQL" { "$1" } else { "?" };
    let select = format!("SELECT id FROM songs WHERE name = {placeholder}");
    let query = sqlx::query(AssertSqlSafe(select)).bind(bind.clone());
    assert!(query.fetch_optional(&pool).await.unwrap().is_none());
    let mut messages = duplicate.to_string();
    for wrong in [
        cast.replace("VALUE", value),
        format!("SELECT '{broken}"),
        format!("SELECT id FROM songs WHERE \"{table}\" = 'x' AND nothing = 1"),
    ] {
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(wrong)).execute(&pool).await {
            messages.push_str(&error.to_string());
        }
    }
    if S::NAME != "SQLite" {
        assert!(messages.contains(value), "the server quotes values: {messages}");
    }
    let mut transaction = pool.begin().await.unwrap();
    let update = format!("UPDATE songs SET name = '{value}' WHERE name = '{literal}'");
    transaction.execute(sqlx::raw_sql(AssertSqlSafe(update))).await.unwrap();
    drop(transaction);
    pool.close().await;

    assert!(telemetry.spans().len() >= 7, "{}", telemetry.tree());
    assert!(!telemetry.logs().is_empty());
    // The name of a column is one, in PostgreSQL: it is no secret there.
    telemetry.assert_no_secrets(secrets.iter().filter(|secret| *secret != table || S::NAME != "PostgreSQL"));
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn on_sqlite() {
    on_a_server::<sqlx::Sqlite>("SELECT json('VALUE')").await;
}

#[tokio::test]
async fn on_postgres() {
    on_a_server::<sqlx::Postgres>("SELECT 'VALUE'::integer").await;
}

#[tokio::test]
async fn on_mariadb() {
    on_a_server::<sqlx::MySql>("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'VALUE'").await;
}

#[tokio::test]
async fn passwords_of_users_of_servers() {
    let password = secret("password");
    let user = format!("u{}", secret("").replace("canary", ""));
    if let Some(url) = postgres_url() {
        let admin = sqlx::PgPool::connect(&url).await.unwrap();
        let create = format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'");
        admin.execute(sqlx::raw_sql(AssertSqlSafe(create))).await.unwrap();
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let options = options.username(&user).password(&password);
        check_password(PoolOptions::<sqlx::Postgres>::new().connect_lazy_with(options), &password).await;
    }
    if let Some(url) = mariadb_url() {
        let admin = sqlx::MySqlPool::connect(&url).await.unwrap();
        let create = format!("CREATE USER {user} IDENTIFIED BY '{password}'");
        admin.execute(sqlx::raw_sql(AssertSqlSafe(create))).await.unwrap();
        let options: sqlx::mysql::MySqlConnectOptions = url.parse().unwrap();
        let options = options.username(&user).password(&password).database("information_schema");
        check_password(PoolOptions::<sqlx::MySql>::new().connect_lazy_with(options), &password).await;
    }
}

/// Whether the server lets the user in or not.
async fn check_password<S: Server>(raw: sqlx::Pool<S>, password: &str) {
    let telemetry = TestTelemetry::new();
    let logs = telemetry.logger_provider();
    let pool: Pool<S> = builder(&telemetry, raw).with_exception_events(&logs).build();
    let _ = pool.execute(sqlx::raw_sql("SELECT 1")).await;
    let _ = pool.execute(sqlx::raw_sql("SELECT id FROM no_table_of_this_name")).await;
    let _ = pool.begin().await;
    assert!(telemetry.spans().len() >= 3);
    assert!(!format!("{pool:?}").contains(password));
    telemetry.assert_no_secrets([password]);
}

#[tokio::test]
async fn on_redis() {
    let url = require_service("Redis (TEST_REDIS_URL)", std::env::var("TEST_REDIS_URL").ok());
    let Some(url) = url else { return };
    let telemetry = TestTelemetry::new();
    let client = redis::Client::open(url).unwrap();
    let raw = client.get_multiplexed_async_connection().await.unwrap();
    let logs = telemetry.logger_provider();
    let db = otel_db::redis::client_builder(client.get_connection_info())
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_exception_events(&logs)
        .build();
    let mut connection = otel_db::redis::Connection::new(raw, &db);
    let secrets: Vec<_> = ["key", "value", "password", "script"].map(secret).to_vec();
    let [key, value, password, script] = secrets.as_slice() else { panic!("four") };
    connection.set::<_, _, ()>(key, value).await.unwrap();
    assert_eq!(&connection.get::<_, String>(key).await.unwrap(), value);
    assert!(connection.incr::<_, _, i64>(key, 1).await.is_err());
    assert!(redis::cmd("AUTH").arg(password).query_async::<()>(&mut connection).await.is_err());
    let error = format!("return redis.error_reply('{script}')");
    assert!(redis::Script::new(&error).invoke_async::<_, ()>(&mut connection).await.is_err());
    assert!(telemetry.spans().len() >= 5 && !telemetry.logs().is_empty());
    telemetry.assert_no_secrets(secrets);
}
