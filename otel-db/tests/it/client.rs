//! Operations of any client.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::logs::Severity;
use opentelemetry::trace::Status;
use otel_db::{DbClient, DbFailure, DbOperationBuilder, DbSystem};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, log, span};

use crate::support::{DURATION, assert_conventional, client};

fn postgres(telemetry: &TestTelemetry) -> DbClient {
    client(telemetry, DbSystem::POSTGRESQL)
        .with_server_address("db.internal")
        .with_server_port(5433)
        .with_namespace("shop|public")
        .build()
}

#[test]
fn a_query_has_a_summary_a_text_without_literals_and_the_server() {
    let telemetry = TestTelemetry::new();
    let db = postgres(&telemetry);
    db.query("SELECT name FROM songs WHERE id = $1 AND year > 1999").start().end();

    telemetry.assert_span(span("SELECT songs").client().status(Status::Unset).has_exactly([
        KeyValue::new("db.system.name", "postgresql"),
        KeyValue::new("db.namespace", "shop|public"),
        KeyValue::new("db.query.summary", "SELECT songs"),
        KeyValue::new("db.query.text", "SELECT name FROM songs WHERE id = $1 AND year > ?"),
        KeyValue::new("server.address", "db.internal"),
        KeyValue::new("server.port", 5433),
    ]));
    let duration = telemetry.assert_metric(DURATION);
    duration.is_histogram().has_unit("s").has_scope("otel-db").has_series(1).has_only_attributes([
        "db.system.name",
        "db.namespace",
        "db.query.summary",
        "server.address",
        "server.port",
    ]);
    let bounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
    duration.point([KeyValue::new("db.query.summary", "SELECT songs")]).has_count(1).has_bounds(bounds);
    assert_conventional(&telemetry);
}

#[test]
fn names() {
    fn name(system: DbSystem, prepare: impl FnOnce(&DbClient) -> DbOperationBuilder<'_>) -> String {
        let telemetry = TestTelemetry::new();
        let db = client(&telemetry, system).with_server_address("host").with_namespace("3").build();
        prepare(&db).start().end();
        telemetry.spans()[0].name.to_string()
    }
    let mongo = DbSystem::MONGODB;
    assert_eq!(name(mongo, |db| db.operation("find").with_collection("songs")), "find songs");
    assert_eq!(
        name(mongo, |db| db.operation("find").with_collection("songs").with_summary("find it")),
        "find it"
    );
    assert_eq!(name(mongo, |db| db.operation("call").with_stored_procedure("tidy")), "call tidy");
    assert_eq!(name(mongo, |db| db.operation("ping")), "ping 3");
    assert_eq!(name(mongo, |db| db.operation("ping").with_namespace("admin")), "ping admin");
    assert_eq!(
        name(mongo, |db| db.operation("insert").with_collection("songs").with_batch_size(3)),
        "BATCH insert songs"
    );
    assert_eq!(
        name(mongo, |db| db.operation("insert").with_collection("songs").with_batch_size(1)),
        "insert songs"
    );
    // The number of a database says nothing in a name.
    let redis = DbSystem::REDIS;
    assert_eq!(name(redis, |db| db.operation("GET")), "GET host:6379");
    assert_eq!(name(redis, |db| db.operation("GET").with_batch_size(2)), "PIPELINE GET host:6379");
    assert_eq!(name(redis, |db| db.operation("PIPELINE").with_batch_size(2)), "PIPELINE host:6379");
    assert_eq!(name(redis, |db| db.operation("MULTI SET").with_batch_size(2)), "MULTI SET host:6379");

    let telemetry = TestTelemetry::new();
    client(&telemetry, DbSystem::REDIS).build().operation("GET").start().end();
    client(&telemetry, DbSystem::MONGODB).build().query("").start().end();
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["GET", "mongodb"]);
}

/// What these systems are sent is a word and values, with nothing around them that a reader of SQL would take for a literal.
#[test]
fn a_command_is_no_sql() {
    let telemetry = TestTelemetry::new();
    let redis = client(&telemetry, DbSystem::REDIS).with_server_address("host").build();
    redis.query("SET session:1 s3cret EX 60").start().end();
    redis.query(" AUTH s3cret").start().end();
    redis.query("CONFIG SET requirepass s3cret").start().end();
    redis.query("PING").start().end();
    redis.query("\"s3cret\" word").start().end();
    redis.query("").start().end();
    redis.batch(&["GET s3cret", "GET b"]).start().end();
    redis.batch(&["GET s3cret", "DEL b"]).start().end();
    redis.batch(&["GET s3cret", "\"s3cret\" word"]).start().end();
    redis.batch(&[]).start().end();
    client(&telemetry, DbSystem::MEMCACHED).build().query("set s3cret 0 60 6\r\ns3cret").start().end();

    let facts = |span: &opentelemetry_sdk::trace::SpanData| {
        let of = |key: &str| span.attribute(key).map(ToString::to_string);
        assert_eq!(of("db.query.summary"), None);
        (span.name.to_string(), of("db.operation.name"), of("db.query.text"))
    };
    let facts: Vec<_> = telemetry.spans().iter().map(facts).collect();
    let expected = [
        ("SET host:6379", Some("SET"), Some("SET ?")),
        ("AUTH host:6379", Some("AUTH"), Some("AUTH ?")),
        ("CONFIG host:6379", Some("CONFIG"), Some("CONFIG SET ?")),
        ("PING host:6379", Some("PING"), Some("PING")),
        ("UNKNOWN host:6379", Some("UNKNOWN"), None),
        ("UNKNOWN host:6379", Some("UNKNOWN"), None),
        ("PIPELINE GET host:6379", Some("PIPELINE GET"), Some("GET ?; GET ?")),
        ("PIPELINE host:6379", Some("PIPELINE"), Some("GET ?; DEL ?")),
        ("PIPELINE host:6379", Some("PIPELINE"), None),
        ("PIPELINE host:6379", Some("PIPELINE"), None),
        ("set", Some("set"), Some("set ?")),
    ];
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
    let expected = expected.map(|(name, operation, text)| (name.to_owned(), owned(operation), owned(text)));
    assert_eq!(facts, expected);
    telemetry.assert_no_secrets(["s3cret"]);
    assert_conventional(&telemetry);

    let telemetry = TestTelemetry::new();
    client(&telemetry, DbSystem::new("valkey")).build().query("GET s3cret").start().end();
    telemetry.assert_span(span("GET").has("db.query.text", "GET ?"));
}

/// Collectors refuse a request that is too large, with everything else that is in it.
#[test]
fn the_text_of_a_batch_is_bounded_as_that_of_a_statement() {
    let telemetry = TestTelemetry::new();
    let texts: Vec<_> =
        (0..5_000).map(|table| format!("INSERT INTO t{table:0>4} VALUES ('s3cret')")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    postgres(&telemetry).batch(&texts).start().end();
    let span = &telemetry.spans()[0];
    let text = span.attribute("db.query.text").map(ToString::to_string).unwrap_or_default();
    assert!(
        text.starts_with("INSERT INTO t0000 VALUES (?); INSERT INTO t0001 VALUES (?); "),
        "{}",
        text.len()
    );
    assert!(text.ends_with(" VALUES (?); ?"), "{}", text.len());
    assert!((32_000..32 * 1024 + 3).contains(&text.len()), "{}", text.len());
    assert_eq!(span.attribute("db.operation.batch.size"), Some(&5_000.into()));
    telemetry.assert_no_secrets(["s3cret"]);
}

#[test]
fn the_port_is_left_out_where_it_says_nothing() {
    for (system, address, port, expected) in [
        (DbSystem::POSTGRESQL, Some("db"), Some(5432), None),
        (DbSystem::POSTGRESQL, Some("db"), Some(6432), Some(6432)),
        (DbSystem::POSTGRESQL, None, Some(6432), None),
        (DbSystem::POSTGRESQL, Some("/run/postgresql"), Some(6432), None),
        (DbSystem::new("duckdb"), Some("db"), Some(1), Some(1)),
    ] {
        let telemetry = TestTelemetry::new();
        let mut builder = client(&telemetry, system);
        if let Some(address) = address {
            builder = builder.with_server_address(address);
        }
        if let Some(port) = port {
            builder = builder.with_server_port(port);
        }
        builder.build().operation("ping").start().end();
        let found = telemetry.spans()[0].attribute("server.port").cloned();
        assert_eq!(found, expected.map(|port: i64| port.into()), "{system:?} {address:?} {port:?}");
    }
}

#[test]
fn batches() {
    let telemetry = TestTelemetry::new();
    let db = postgres(&telemetry);
    db.batch(&["INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)"]).start().end();
    db.batch(&["INSERT INTO a VALUES ($1)", "INSERT INTO a VALUES ($1)"])
        .with_parameter("0", 7)
        .start()
        .end();
    db.batch(&["INSERT INTO a VALUES (1)", "DELETE FROM b"]).start().end();
    db.batch(&["DELETE FROM b"]).start().end();
    db.batch(&[]).start().end();

    let facts = |index: usize| {
        let span: &_ = &telemetry.spans()[index];
        let of = |key: &str| span.attribute(key).map(ToString::to_string);
        (span.name.to_string(), of("db.query.text"), of("db.operation.batch.size"))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        facts(0),
        ("BATCH INSERT a".into(), some("INSERT INTO a VALUES (?); INSERT INTO a VALUES (?)"), some("2"))
    );
    assert_eq!(facts(1), ("BATCH INSERT a".into(), some("INSERT INTO a VALUES ($1)"), some("2")));
    assert_eq!(facts(2), ("BATCH".into(), some("INSERT INTO a VALUES (?); DELETE FROM b"), some("2")));
    assert_eq!(facts(3), ("DELETE b".into(), some("DELETE FROM b"), None));
    assert_eq!(facts(4).0, "BATCH");
    assert_eq!(facts(4).2, some("0"));
    assert_conventional(&telemetry);
}

#[test]
fn every_way_out_ends_the_span_once() {
    let telemetry = TestTelemetry::new();
    let db = postgres(&telemetry);
    db.operation("ok").start().end();
    db.operation("code").start().fail(DbFailure::with_code("23505"));
    db.operation("class").start().fail(DbFailure::new("pool_closed"));
    db.operation("timeout").start().fail(DbFailure::TIMEOUT);
    drop(db.operation("dropped").start());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut operation = db.operation("panic").start();
        operation.run(|| panic!("a test panics here"));
    }));
    assert!(panicked.is_err());

    let unset = |name: &str| span(format!("{name} shop|public")).status(Status::Unset).has_no("error.type");
    let failed = |name: &str, error_type: &str| {
        span(format!("{name} shop|public")).failed().has("error.type", error_type)
    };
    telemetry.assert_span(unset("ok").has_no("otel_db.ended_early"));
    telemetry.assert_span(failed("code", "23505").has("db.response.status_code", "23505"));
    telemetry.assert_span(failed("class", "pool_closed").has_no("db.response.status_code"));
    telemetry.assert_span(failed("timeout", "timeout"));
    telemetry.assert_span(unset("dropped").has("otel_db.ended_early", true));
    telemetry.assert_span(failed("panic", "panic"));
    assert_eq!(telemetry.histogram_count(DURATION), 6);
    assert!(telemetry.open_spans().is_empty());
    assert_conventional(&telemetry);
}

#[tokio::test]
async fn a_future_is_polled_inside_of_the_span() {
    let telemetry = TestTelemetry::new();
    let db = postgres(&telemetry);
    let mut operation = db.operation("outer").start();
    let value = operation
        .observe(async {
            tokio::task::yield_now().await;
            db.operation("inner").start().end();
            7
        })
        .await;
    operation.end();
    assert_eq!(value, 7);
    assert!(telemetry.span("inner shop|public").is_child_of(&telemetry.span("outer shop|public")));
}

#[test]
fn rows_and_parameters_are_recorded_when_asked_for() {
    let run = |asked: bool| {
        let telemetry = TestTelemetry::new();
        let db = client(&telemetry, DbSystem::SQLITE)
            .with_returned_rows(asked)
            .with_query_parameters(asked)
            .build();
        let mut operation = db.query("SELECT a FROM b WHERE c = ?").with_parameter("0", "secret").start();
        operation.set_returned_rows(3);
        operation.end();
        assert_conventional(&telemetry);
        telemetry
    };
    let telemetry = run(true);
    telemetry.assert_span(
        span("SELECT b").has("db.response.returned_rows", 3).has("db.query.parameter.0", "secret"),
    );
    let rows = telemetry.assert_metric("db.client.response.returned_rows");
    rows.has_unit("{row}").point([]).has_sum(3.0);
    let telemetry = run(false);
    telemetry
        .assert_span(span("SELECT b").has_no("db.response.returned_rows").has_no("db.query.parameter.0"));
    telemetry.assert_no_secrets(["secret"]);
}

#[test]
fn hooks_filter_name_and_add_and_may_panic() {
    let telemetry = TestTelemetry::new();
    let db = client(&telemetry, DbSystem::SQLITE)
        .with_filter(|request| request.query() != Some("SELECT 1"))
        .with_span_name(|request| request.summary()?.starts_with("SELECT").then(|| "read".into()))
        .with_attributes(|request, attributes| {
            assert_ne!(request.summary(), Some("DELETE a"), "a test panics here");
            attributes
                .both("app.is_read", request.summary().is_some_and(|summary| summary.starts_with("SELECT")));
        })
        .build();
    db.query("SELECT 1").start().end();
    db.query("SELECT a FROM b").start().end();
    db.query("DELETE FROM a").start().end();
    let names: Vec<_> = telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["read", "DELETE a"]);
    assert!(telemetry.span("read").has("app.is_read", true));
}

/// "The attribute keys [...] MUST be unique", and the SDK does not look.
#[test]
fn what_a_hook_says_once_more_is_left_out() {
    let telemetry = TestTelemetry::new();
    let db = client(&telemetry, DbSystem::POSTGRESQL)
        .with_attributes(|_, attributes| {
            for name in ["db.system.name", "db.namespace", "error.type", "db.response.status_code"] {
                attributes.both(name, "mine");
            }
            attributes.span("db.query.text", "mine");
        })
        .build();
    db.query("SELECT a FROM b").start().fail(DbFailure::with_code("42P01"));

    let span = telemetry.span("SELECT b");
    let values = |name: &str| -> Vec<_> {
        let all = span.attributes.iter().filter(|pair| pair.key.as_str() == name);
        all.map(|pair| pair.value.to_string()).collect()
    };
    assert_eq!(values("db.system.name"), ["postgresql"]);
    assert_eq!(values("db.query.text"), ["SELECT a FROM b"]);
    assert_eq!(values("error.type"), ["42P01"]);
    assert_eq!(values("db.response.status_code"), ["42P01"]);
    // Nobody else knows it.
    assert_eq!(values("db.namespace"), ["mine"]);
    let expected = [
        KeyValue::new("db.system.name", "postgresql"),
        KeyValue::new("db.namespace", "mine"),
        KeyValue::new("db.query.summary", "SELECT b"),
        KeyValue::new("db.response.status_code", "42P01"),
        KeyValue::new("error.type", "42P01"),
    ];
    telemetry.assert_metric("db.client.operation.duration").point(expected);
}

#[test]
fn a_slow_call_is_marked() {
    let telemetry = TestTelemetry::new();
    let start = |threshold| {
        let db = client(&telemetry, DbSystem::SQLITE).with_slow_threshold(threshold).build();
        db.operation("x").start().end();
    };
    start(Duration::ZERO);
    start(Duration::from_secs(3600));
    let marks: Vec<_> = telemetry.spans().iter().map(|span| span.has("otel_db.slow", true)).collect();
    assert_eq!(marks, [true, false]);
}

#[test]
fn a_text_that_says_so_is_left_out_or_kept() {
    let telemetry = TestTelemetry::new();
    let query = "SELECT a FROM b WHERE c = ? AND d = 7";
    let text = |with: &dyn Fn(otel_db::DbClientBuilder) -> otel_db::DbClientBuilder| {
        telemetry.clear();
        with(client(&telemetry, DbSystem::SQLITE)).build().query(query).start().end();
        telemetry.span("SELECT b").attribute("db.query.text").map(ToString::to_string)
    };
    assert_eq!(text(&|builder| builder).as_deref(), Some("SELECT a FROM b WHERE c = ? AND d = ?"));
    assert_eq!(text(&|builder| builder.with_query_text(false)), None);
    assert_eq!(text(&|builder| builder.with_parameterized_text_verbatim(true)).as_deref(), Some(query));
}

#[test]
fn a_failed_call_is_an_exception_for_whoever_asks() {
    let telemetry = TestTelemetry::new();
    let logs = telemetry.logger_provider();
    let db = client(&telemetry, DbSystem::POSTGRESQL).with_exception_events(&logs).build();
    db.operation("COMMIT").start().end();
    drop(db.operation("COMMIT").start());
    assert!(telemetry.logs().is_empty());

    db.query("SELECT 'secret'").start().fail(DbFailure::with_code("57P01"));
    let mut operation = db.operation("COMMIT").start();
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| operation.run(|| panic!("secret"))));
    assert!(panicked.is_err());
    drop(operation);

    let event = || log("").event_name("db.client.operation.exception").severity(Severity::Warn);
    telemetry.assert_logs(2, event());
    telemetry.assert_logs(1, event().has("exception.type", "57P01"));
    telemetry.assert_logs(1, event().has("exception.type", "panic"));
    telemetry.assert_no_secrets(["secret"]);
    telemetry.assert_span(span("SELECT").failed().has("db.response.status_code", "57P01"));
    assert_conventional(&telemetry);
}
