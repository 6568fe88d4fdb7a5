//! The adapter for the crate `redis`, on a real server.

use std::time::Duration;

use otel_db::redis::{Connection, client_builder};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, require_service, span};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, RedisError, Script};

use crate::support::{DURATION, assert_conventional, total};

async fn connect(telemetry: &TestTelemetry) -> Option<(Connection<MultiplexedConnection>, String)> {
    let url = require_service("Redis (TEST_REDIS_URL)", std::env::var("TEST_REDIS_URL").ok())?;
    let client = Client::open(url.clone()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let db = client_builder(client.get_connection_info())
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let observed = Connection::new(connection, &db);
    let address = url.trim_start_matches("redis://").split('/').next().unwrap().to_owned();
    Some((observed, address))
}

fn key(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[tokio::test]
async fn commands_hits_and_misses() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let (here, missing) = (key("canary-here"), key("canary-missing"));
    let () = cache.set(&here, "canary-value").await.unwrap();
    assert_eq!(cache.get::<_, Option<String>>(&here).await.unwrap().as_deref(), Some("canary-value"));
    assert_eq!(cache.get::<_, Option<String>>(&missing).await.unwrap(), None);
    let many: Vec<Option<String>> = cache.mget(&[&here, &missing, &here]).await.unwrap();
    assert_eq!(many.len(), 3);

    let name = |command: &str| format!("{command} {address}");
    telemetry.assert_span(
        span(name("SET"))
            .client()
            .has("db.system.name", "redis")
            .has("db.operation.name", "SET")
            .has("db.namespace", "0")
            .has("server.address", "127.0.0.1")
            .has("db.query.text", "SET ?"),
    );
    let hits: Vec<_> =
        telemetry.spans_named(&name("GET")).iter().map(|span| span.has("otel_db.cache.hit", true)).collect();
    assert_eq!(hits, [true, false]);
    let lookups = telemetry.points("otel_db.cache.lookups");
    let of = |result: &str| {
        let point = lookups.iter().find(|point| point.has("otel_db.cache.result", result)).unwrap();
        point.number().unwrap().as_f64()
    };
    assert_eq!((of("hit"), of("miss")), (3.0, 2.0));
    assert_eq!(total(&telemetry, "otel_db.cache.lookups"), 5.0);
    assert_eq!(telemetry.histogram_count(DURATION), 4);
    telemetry.assert_no_secrets(["canary-here", "canary-missing", "canary-value"]);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn pipelines_transactions_and_scripts() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let (one, other) = (key("one"), key("other"));
    let () = redis::pipe().set(&one, 1).set(&other, 2).query_async(&mut cache).await.unwrap();
    let () = redis::pipe().get(&one).del(&other).query_async(&mut cache).await.unwrap();
    let () = redis::pipe().atomic().set(&one, 3).incr(&one, 1).query_async(&mut cache).await.unwrap();
    let () = redis::pipe().atomic().del(&one).del(&other).query_async(&mut cache).await.unwrap();
    // One command is no batch, whatever it came in.
    let () = redis::pipe().get(&one).query_async(&mut cache).await.unwrap();
    let () = redis::pipe().atomic().get(&one).query_async(&mut cache).await.unwrap();
    let answer: i32 = Script::new(&format!("return 7 -- {one}")).invoke_async(&mut cache).await.unwrap();
    assert_eq!(answer, 7);
    let facts: Vec<_> = telemetry
        .spans()
        .iter()
        .take(6)
        .map(|span| {
            (span.name.to_string(), span.attribute("db.operation.batch.size").map(ToString::to_string))
        })
        .collect();
    let expected = [
        ("PIPELINE SET", Some("2")),
        ("PIPELINE", Some("2")),
        ("MULTI", Some("2")),
        ("MULTI DEL", Some("2")),
        ("GET", None),
        ("MULTI GET", None),
    ];
    let expected = expected.map(|(name, size)| (format!("{name} {address}"), size.map(ToOwned::to_owned)));
    assert_eq!(facts, expected);
    // The crate `redis` loads a script when the server does not know it.
    telemetry.assert_span(span(format!("EVALSHA {address}")).failed().has("error.type", "NOSCRIPT"));
    telemetry.assert_span(span(format!("EVALSHA {address}")).has_no("error.type"));
    assert_conventional(&telemetry);
}

/// `db.stored_procedure.name`: "if operation applies to a specific Lua script".
#[tokio::test]
async fn scripts_and_functions_are_named() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let script = Script::new("return 7");
    let _: i32 = script.invoke_async(&mut cache).await.unwrap();
    let digest = script.get_hash().to_owned();
    telemetry.assert_span(
        span(format!("EVALSHA {address}"))
            .has("db.stored_procedure.name", digest.clone())
            .has_no("error.type"),
    );
    // A service may make a script for each call: digests are in no name and no metric.
    let points = telemetry.points(DURATION);
    assert!(points.iter().all(|point| point.attribute("db.stored_procedure.name").is_none()));

    telemetry.clear();
    let function = key("f").replace('-', "_");
    for (command, name) in
        [("FCALL", function.as_str()), ("FCALL_RO", "canary name"), ("EVALSHA_RO", "canary")]
    {
        let called: Result<i32, RedisError> =
            redis::cmd(command).arg(name).arg(0).query_async(&mut cache).await;
        called.unwrap_err();
    }
    telemetry.assert_span(
        span(format!("FCALL {function}")).has("db.stored_procedure.name", function.clone()).failed(),
    );
    telemetry.assert_span(span(format!("FCALL_RO {address}")).has_no("db.stored_procedure.name"));
    telemetry.assert_span(span(format!("EVALSHA_RO {address}")).has_no("db.stored_procedure.name"));
    let points = telemetry.points(DURATION);
    assert!(points.iter().any(|point| point.has("db.stored_procedure.name", function.as_str())));
    telemetry.assert_no_secrets(["canary"]);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn errors_timeouts_and_cancellations() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let text = key("canary-text");
    let () = cache.set(&text, "canary-value").await.unwrap();
    let wrong: Result<(), RedisError> = cache.lpush(&text, "canary-value").await;
    assert_eq!(wrong.unwrap_err().code(), Some("WRONGTYPE"));
    let wrong: Result<(), RedisError> =
        redis::pipe().lpush(&text, 1).lpush(&text, 2).query_async(&mut cache).await;
    assert!(wrong.is_err());
    let unknown: Result<(), RedisError> =
        redis::cmd("NO SUCH COMMAND").arg("canary-value").query_async(&mut cache).await;
    assert!(unknown.is_err());
    let slow = redis::cmd("BLPOP").arg(key("never")).arg(0).to_owned();
    let gave_up = tokio::time::timeout(Duration::from_millis(30), slow.query_async::<()>(&mut cache)).await;
    assert!(gave_up.is_err());

    let failed = |name: &str, code: &str| span(format!("{name} {address}")).failed().has("error.type", code);
    telemetry.assert_span(failed("LPUSH", "WRONGTYPE").has("db.response.status_code", "WRONGTYPE"));
    telemetry.assert_span(failed("PIPELINE LPUSH", "WRONGTYPE"));
    telemetry.assert_span(failed("UNKNOWN", "ERR"));
    telemetry
        .assert_span(span(format!("BLPOP {address}")).has("otel_db.ended_early", true).has_no("error.type"));
    telemetry.assert_no_secrets(["canary-value", "canary-text"]);
    assert_conventional(&telemetry);
}

/// The server answers a transaction with one array, and what it refused is in there.
#[tokio::test]
async fn a_refused_command_fails_its_transaction() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let text = key("canary-text");
    let () = cache.set(&text, "canary-value").await.unwrap();
    telemetry.clear();
    let refused: Result<(), RedisError> =
        redis::pipe().atomic().set(key("one"), 1).lpush(&text, 1).query_async(&mut cache).await;
    assert!(refused.is_err());
    // This one is not even queued, so that nothing runs.
    let aborted: Result<(), RedisError> =
        redis::pipe().atomic().cmd("SET").set(key("one"), 1).query_async(&mut cache).await;
    assert!(aborted.is_err());
    let span = &telemetry.spans()[0];
    assert_eq!(span.name, format!("MULTI {address}"));
    assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), Some("WRONGTYPE"));
    let code = span.attribute("db.response.status_code").map(ToString::to_string);
    assert_eq!(code.as_deref(), Some("WRONGTYPE"));
    let aborted = telemetry.spans()[1].attribute("error.type").map(ToString::to_string);
    assert_eq!(aborted.as_deref(), Some("EXECABORT"));
    telemetry.assert_no_secrets(["canary-value", "canary-text"]);
    assert_conventional(&telemetry);
}

/// Each error is the result of its command, which the application asked for: the call itself went well.
#[tokio::test]
async fn a_pipeline_whose_errors_are_ignored_has_not_failed() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let (text, missing) = (key("canary-text"), key("canary-missing"));
    let () = cache.set(&text, "canary-value").await.unwrap();
    telemetry.clear();
    for atomic in [false, true] {
        let mut pipeline = redis::pipe();
        if atomic {
            pipeline.atomic();
        }
        pipeline.ignore_errors().get(&text).lpush(&text, 1).get(&missing);
        let answers: Vec<redis::RedisResult<Option<String>>> =
            pipeline.query_async(&mut cache).await.unwrap();
        assert!(matches!(&answers[..], [Ok(Some(_)), Err(_), Ok(None)]), "{answers:?}");
        let name = if atomic { "MULTI" } else { "PIPELINE" };
        telemetry.assert_span(
            span(format!("{name} {address}"))
                .has_no("error.type")
                .has("db.response.status_code", "WRONGTYPE")
                .has("db.operation.batch.size", 3),
        );
    }
    assert_eq!(total(&telemetry, "otel_db.cache.lookups"), 2.0, "of the pipeline that is no transaction");

    // What is not a command's result is the application's error, whatever it ignores.
    let mut pipeline = redis::pipe();
    pipeline.atomic().ignore_errors().get(&text).cmd("CANARY-UNKNOWN");
    let refused: redis::RedisResult<Vec<redis::RedisResult<()>>> = pipeline.query_async(&mut cache).await;
    assert!(refused.is_err(), "{refused:?}");
    telemetry.assert_span(span(format!("MULTI {address}")).failed().has("db.operation.batch.size", 2));
    telemetry.assert_no_secrets(["canary-text", "canary-missing", "canary-value"]);
    assert_conventional(&telemetry);
}

/// The first word of an error is its code, but for the scripts of people who do not know.
#[tokio::test]
async fn the_first_word_of_an_error_is_no_code_unless_it_looks_like_one() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let mut fail = async |error: &str| {
        let script = format!("return {{err='{error}'}}");
        let failed: Result<(), RedisError> =
            redis::cmd("EVAL").arg(script).arg(0).query_async(&mut cache).await;
        assert!(failed.is_err());
    };
    fail("canary7@example.com is not allowed").await;
    fail("MYCODE something").await;
    let failed = || span(format!("EVAL {address}")).failed();
    telemetry.assert_span(failed().has("error.type", "database").has_no("db.response.status_code"));
    telemetry.assert_span(failed().has("error.type", "MYCODE").has("db.response.status_code", "MYCODE"));
    telemetry.assert_no_secrets(["canary7"]);
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn connections_that_are_lost_and_answers_that_do_not_come() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    cache.inner().set_response_timeout(Duration::from_millis(20));
    let slow: Result<(), RedisError> =
        redis::cmd("BLPOP").arg(key("never")).arg(0).query_async(&mut cache).await;
    assert!(slow.unwrap_err().is_timeout());
    telemetry.assert_span(span(format!("BLPOP {address}")).failed().has("error.type", "timeout"));

    telemetry.clear();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    cache.client().query("WAIT 0 0").start().end();
    telemetry.assert_span(span(format!("WAIT {address}")));
    let id: i64 = redis::cmd("CLIENT").arg("ID").query_async(&mut cache).await.unwrap();
    let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("SKIPME").arg("no").to_owned();
    let _ = kill.query_async::<()>(&mut cache).await;
    let one: Result<(), RedisError> = cache.set("canary-key", 1).await;
    assert!(one.is_err());
    let many: Result<(), RedisError> = redis::pipe().get("a").get("b").query_async(&mut cache).await;
    assert!(many.is_err());
    for name in ["SET", "PIPELINE GET"] {
        telemetry.assert_span(
            span(format!("{name} {address}"))
                .failed()
                .has("error.type", "connection_lost")
                .has_no("otel_db.cache.hit"),
        );
    }
    telemetry.assert_no_metric("otel_db.cache.lookups");
    telemetry.assert_all_spans_ended();
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn what_is_dropped_before_it_was_polled_has_not_happened() {
    let telemetry = TestTelemetry::new();
    let Some((mut cache, address)) = connect(&telemetry).await else { return };
    let pipeline = redis::pipe().blpop(key("never"), 1.0).blpop(key("never"), 1.0).to_owned();
    drop(pipeline.query_async::<()>(&mut cache));
    assert_eq!(telemetry.started_spans(), 0);
    let mut running = Box::pin(pipeline.query_async::<()>(&mut cache));
    assert!(futures_util::poll!(&mut running).is_pending());
    drop(running);
    telemetry.assert_span(span(format!("PIPELINE BLPOP {address}")).has("otel_db.ended_early", true));
    telemetry.assert_all_spans_ended();
    assert_eq!(telemetry.histogram_count(DURATION), 1);
}
