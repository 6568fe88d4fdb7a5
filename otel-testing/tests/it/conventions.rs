use std::time::{Duration, Instant};

use insta::assert_snapshot;
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider};
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{Span, SpanKind, Tracer, TracerProvider};
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use otel_http::{HttpClientLayer, HttpServerLayer};
use otel_testing::ViolationKind::{self, *};
use otel_testing::{AssertTelemetry, Captured, Conventions, TestTelemetry};
use tower::{Layer, ServiceExt};

use crate::spans::panic_message;

fn attribute(key: &'static str, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(key, value)
}

fn texts(values: &[&'static str]) -> Value {
    Value::Array(values.iter().map(|text| StringValue::from(*text)).collect::<Vec<_>>().into())
}

fn span(telemetry: &TestTelemetry, kind: SpanKind, attributes: Vec<KeyValue>) {
    let tracer = telemetry.tracer_provider().tracer("shop");
    tracer.span_builder("planted").with_kind(kind).with_attributes(attributes).start(&tracer).end();
}

fn http_server() -> Vec<KeyValue> {
    vec![
        attribute("http.request.method", "GET"),
        attribute("url.path", "/users/7"),
        attribute("url.scheme", "https"),
        attribute("http.route", "/users/{id}"),
        attribute("http.response.status_code", 200),
        attribute("http.request.header.x-tenant", texts(&["blue"])),
    ]
}

fn http_client() -> Vec<KeyValue> {
    vec![
        attribute("http.request.method", "GET"),
        attribute("url.full", "https://example.com/"),
        attribute("server.address", "example.com"),
        attribute("server.port", 443),
    ]
}

fn database() -> Vec<KeyValue> {
    vec![attribute("db.system.name", "postgresql"), attribute("db.query.text", "SELECT 1")]
}

fn grpc() -> Vec<KeyValue> {
    vec![
        attribute("rpc.system.name", "grpc"),
        attribute("rpc.method", "shop.Cart/Add"),
        attribute("rpc.status_code", "OK"),
        attribute("server.address", "cart"),
    ]
}

fn chat() -> Vec<KeyValue> {
    vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.provider.name", "openai"),
        attribute("gen_ai.request.temperature", 0.5),
        attribute("gen_ai.response.finish_reasons", texts(&["stop"])),
    ]
}

/// The same attributes with one more, or one of another value.
fn changed(mut attributes: Vec<KeyValue>, key: &'static str, value: impl Into<Value>) -> Vec<KeyValue> {
    attributes.retain(|attribute| attribute.key.as_str() != key);
    attributes.push(attribute(key, value));
    attributes
}

fn without(mut attributes: Vec<KeyValue>, key: &str) -> Vec<KeyValue> {
    attributes.retain(|attribute| attribute.key.as_str() != key);
    attributes
}

fn clean() -> TestTelemetry {
    let resource = Resource::builder_empty()
        .with_attributes([attribute("service.name", "shop"), attribute("telemetry.sdk.language", "rust")])
        .build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    span(&telemetry, SpanKind::Server, http_server());
    span(&telemetry, SpanKind::Client, http_client());
    span(&telemetry, SpanKind::Client, changed(http_client(), "error.type", "my.own.Error"));
    span(&telemetry, SpanKind::Client, database());
    span(&telemetry, SpanKind::Internal, changed(database(), "db.system.name", "sqlite"));
    span(&telemetry, SpanKind::Client, grpc());
    span(&telemetry, SpanKind::Server, without(grpc(), "server.address"));
    span(&telemetry, SpanKind::Client, chat());
    span(
        &telemetry,
        SpanKind::Internal,
        vec![attribute("gen_ai.operation.name", "execute_tool"), attribute("gen_ai.tool.name", "weather")],
    );
    span(&telemetry, SpanKind::Client, vec![attribute("mcp.method.name", "tools/call")]);
    span(&telemetry, SpanKind::Internal, vec![]);
    let meter = telemetry.meter_provider().meter("shop");
    meter.f64_histogram("http.server.request.duration").with_unit("s").build().record(0.1, &point());
    meter.i64_up_down_counter("http.server.active_requests").with_unit("{request}").build().add(0, &point());
    let logger = telemetry.logger_provider().logger("shop");
    let mut record = logger.create_log_record();
    record.set_body("order placed".into());
    record.add_attribute("items", 3);
    record.add_attribute("exception.message", "none");
    logger.emit(record);
    telemetry
}

fn point() -> [KeyValue; 2] {
    [attribute("http.request.method", "GET"), attribute("url.scheme", "http")]
}

#[test]
fn clean_telemetry_has_no_violation() {
    clean().assert_conventions();
}

/// Each tells what is planted: the kind of the violation and a part of its message.
type Planted = (ViolationKind, &'static str, Box<dyn Fn(&TestTelemetry)>);

fn in_span(
    expected: ViolationKind,
    message: &'static str,
    kind: SpanKind,
    attributes: impl Fn() -> Vec<KeyValue> + 'static,
) -> Planted {
    (expected, message, Box::new(move |telemetry| span(telemetry, kind.clone(), attributes())))
}

fn in_metric(expected: ViolationKind, message: &'static str, record: impl Fn(&Meter) + 'static) -> Planted {
    (expected, message, Box::new(move |telemetry| record(&telemetry.meter_provider().meter("shop"))))
}

fn planted_in_spans() -> Vec<Planted> {
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    vec![
        in_span(UnknownAttribute, "shop.tier is not in", Internal, || vec![attribute("shop.tier", "gold")]),
        in_span(UnknownAttribute, "did you mean \"http.route\"", Server, || {
            changed(http_server(), "http.rout", "/")
        }),
        in_span(UnknownAttribute, "busy_ns", Internal, || vec![attribute("busy_ns", 12)]),
        in_span(DeprecatedAttribute, "use http.response.status_code", Server, || {
            changed(http_server(), "http.status_code", 200)
        }),
        in_span(DeprecatedAttribute, "use http.request.method", Server, || {
            changed(http_server(), "http.method", "GET")
        }),
        in_span(DeprecatedAttribute, "http.url", Client, || {
            changed(http_client(), "http.url", "https://example.com/")
        }),
        in_span(DeprecatedAttribute, "db.statement", Client, || {
            changed(database(), "db.statement", "SELECT 1")
        }),
        in_span(DeprecatedAttribute, "Replaced by `server.address`", Internal, || {
            vec![attribute("net.peer.name", "a")]
        }),
        in_span(DeprecatedAttribute, "use rpc.status_code", Client, || {
            changed(grpc(), "rpc.response.status_code", "OK")
        }),
        in_span(DeprecatedAttribute, "gen_ai.system", Client, || changed(chat(), "gen_ai.system", "openai")),
        in_span(WrongType, "is the text \"200\", expected int", Server, || {
            changed(http_server(), "http.response.status_code", "200")
        }),
        in_span(WrongType, "server.port", Client, || changed(http_client(), "server.port", "443")),
        in_span(WrongType, "expected string", Server, || changed(http_server(), "url.path", 7)),
        in_span(WrongType, "expected string[]", Server, || {
            changed(http_server(), "http.request.header.x-tenant", "blue")
        }),
        in_span(WrongType, "gen_ai.request.temperature", Client, || {
            changed(chat(), "gen_ai.request.temperature", 1)
        }),
        in_span(WrongType, "finish_reasons", Client, || {
            changed(chat(), "gen_ai.response.finish_reasons", "stop")
        }),
        in_span(WrongType, "expected boolean", Client, || changed(chat(), "gen_ai.request.stream", "true")),
        in_span(WrongType, "rpc.status_code", Client, || changed(grpc(), "rpc.status_code", 0)),
        in_span(WrongValue, "did you mean \"GET\"", Server, || {
            changed(http_server(), "http.request.method", "get")
        }),
        in_span(WrongValue, "http.request.method is \"BREW\"", Server, || {
            changed(http_server(), "http.request.method", "BREW")
        }),
        in_span(WrongValue, "db.system.name", Client, || changed(database(), "db.system.name", "postgres")),
        in_span(WrongValue, "network.transport", Server, || {
            changed(http_server(), "network.transport", "TCP")
        }),
        in_span(WrongValue, "gen_ai.operation.name", Client, || {
            changed(chat(), "gen_ai.operation.name", "talk")
        }),
        in_span(MissingAttribute, "http.request.method is missing", Server, || {
            without(http_server(), "http.request.method")
        }),
        in_span(MissingAttribute, "url.scheme is missing", Server, || without(http_server(), "url.scheme")),
        in_span(MissingAttribute, "server.port is missing", Client, || without(http_client(), "server.port")),
        in_span(MissingAttribute, "url.full is missing", Client, || without(http_client(), "url.full")),
        in_span(MissingAttribute, "db.system.name is missing", Client, || {
            without(database(), "db.system.name")
        }),
        in_span(MissingAttribute, "rpc.status_code is missing", Client, || {
            without(grpc(), "rpc.status_code")
        }),
        in_span(MissingAttribute, "gen_ai.provider.name is missing", Client, || {
            without(chat(), "gen_ai.provider.name")
        }),
        in_span(WrongSpanKind, "is internal, expected client or server", Internal, http_server),
        in_span(WrongSpanKind, "is producer, expected client or internal", Producer, database),
        in_span(WrongSpanKind, "is consumer", Consumer, grpc),
        in_span(WrongSpanKind, "is server", Server, chat),
    ]
}

fn planted_elsewhere() -> Vec<Planted> {
    vec![
        in_metric(UnknownMetric, "did you mean \"http.server.request.duration\"", |meter| {
            meter.f64_histogram("http.server.request_duration").with_unit("s").build().record(0.1, &point());
        }),
        in_metric(DeprecatedMetric, "it is deprecated", |meter| {
            let attributes = [attribute("db.client.connection.pool.name", "main")];
            meter
                .i64_up_down_counter("db.client.connection.max")
                .with_unit("{connection}")
                .build()
                .add(5, &attributes);
        }),
        in_metric(WrongUnit, "its unit is \"ms\", expected \"s\"", |meter| {
            meter.f64_histogram("http.server.request.duration").with_unit("ms").build().record(0.1, &point());
        }),
        in_metric(WrongUnit, "its unit is \"\", expected \"s\"", |meter| {
            meter.f64_histogram("http.server.request.duration").build().record(0.1, &point());
        }),
        in_metric(WrongInstrument, "it is a counter, expected a histogram", |meter| {
            meter.f64_counter("http.server.request.duration").with_unit("s").build().add(0.1, &point());
        }),
        in_metric(WrongInstrument, "it is a counter, expected an up-down counter", |meter| {
            meter.u64_counter("http.server.active_requests").with_unit("{request}").build().add(1, &point());
        }),
        in_metric(WrongInstrument, "of type double, expected int", |meter| {
            let active =
                meter.f64_up_down_counter("http.server.active_requests").with_unit("{request}").build();
            active.add(1.0, &point());
        }),
        in_metric(MissingAttribute, "url.scheme is missing", |meter| {
            let duration = meter.f64_histogram("http.server.request.duration").with_unit("s").build();
            duration.record(0.1, &point()[..1]);
        }),
        in_metric(UnknownAttribute, "user.tier", |meter| {
            let duration = meter.f64_histogram("http.server.request.duration").with_unit("s").build();
            duration.record(0.1, &[&point()[..], &[attribute("user.tier", "gold")]].concat());
        }),
        in_metric(WrongType, "http.response.status_code", |meter| {
            let duration = meter.f64_histogram("http.server.request.duration").with_unit("s").build();
            duration.record(0.1, &[&point()[..], &[attribute("http.response.status_code", "200")]].concat());
        }),
        (
            DeprecatedAttribute,
            "exception.escaped",
            Box::new(|telemetry| {
                let mut span = telemetry.tracer_provider().tracer("shop").start("planted");
                span.add_event("exception", vec![attribute("exception.escaped", true)]);
                span.end();
            }),
        ),
        (
            DeprecatedEvent,
            "gen_ai.user.message is deprecated",
            Box::new(|telemetry| {
                let mut span = telemetry.tracer_provider().tracer("shop").start("planted");
                span.add_event("gen_ai.user.message", vec![]);
                span.end();
            }),
        ),
        (
            MissingAttribute,
            "feature_flag.key is missing",
            Box::new(|telemetry| {
                let mut span = telemetry.tracer_provider().tracer("shop").start("planted");
                span.add_event("feature_flag.evaluation", vec![]);
                span.end();
            }),
        ),
        (
            UnknownAttribute,
            "http.foo",
            Box::new(|telemetry| {
                let logger = telemetry.logger_provider().logger("shop");
                let mut record = logger.create_log_record();
                record.add_attribute("http.foo", "bar");
                logger.emit(record);
            }),
        ),
    ]
}

#[test]
fn each_planted_violation_is_found_and_nothing_else() {
    let planted: Vec<Planted> = planted_in_spans().into_iter().chain(planted_elsewhere()).collect();
    let mut violations = String::new();
    for (kind, message, plant) in &planted {
        let telemetry = clean();
        plant(&telemetry);
        let found = Conventions::new().check(&telemetry);
        let [violation] = found.as_slice() else { panic!("{message}: {found:#?}") };
        assert_eq!(violation.kind, *kind, "{message}: {violation}");
        assert!(violation.message.contains(message), "{message}: {violation}");
        violations.push_str(&format!("{violation}\n"));
    }
    assert_eq!(planted.len(), 48);
    assert_snapshot!(violations);
}

#[test]
fn a_resource_is_checked_too() {
    let resource =
        Resource::builder_empty().with_attribute(attribute("deployment.environment", "prod")).build();
    let telemetry = TestTelemetry::builder().with_resource(resource).build();
    span(&telemetry, SpanKind::Internal, vec![]);
    let found = Conventions::new().check(&telemetry);
    assert_eq!(
        found[0].to_string(),
        "resource: deployment.environment is deprecated: use deployment.environment.name"
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn what_is_allowed_is_no_violation() {
    let telemetry = TestTelemetry::new();
    span(&telemetry, SpanKind::Internal, vec![attribute("shop.tier", "gold"), attribute("busy_ns", 1)]);
    span(&telemetry, SpanKind::Client, changed(database(), "db.system.name", "my.database"));
    telemetry.meter_provider().meter("shop").u64_counter("shop.orders").build().add(1, &[]);
    // What this family has beside the conventions is known.
    span(&telemetry, SpanKind::Internal, vec![attribute("otel_http.ended_early", true)]);
    let conventions = Conventions::new().allow("shop").allow("busy_ns").allow_any_value_of("db.system.name");
    telemetry.assert_conventions_of(&conventions);
    // A namespace ends with a dot.
    span(&telemetry, SpanKind::Internal, vec![attribute("shopping", 1)]);
    assert_eq!(conventions.check(&telemetry).len(), 1);
}

#[test]
fn a_failure_names_every_violation_once() {
    let telemetry = TestTelemetry::new();
    for _ in 0..2 {
        span(
            &telemetry,
            SpanKind::Internal,
            without(changed(http_server(), "http.status_code", 200), "url.scheme"),
        );
    }
    assert_snapshot!(panic_message(|| telemetry.assert_conventions()));
}

#[test]
fn what_must_be_emitted() {
    let telemetry = clean();
    telemetry.assert_emitted(["http.server.request.duration", "http.route", "gen_ai.tool.name", "items"]);
    let message = panic_message(|| telemetry.assert_emitted(["http.route", "http.routes", "url.query"]));
    assert_snapshot!(message.split("all spans").next().unwrap());
}

/// The server layer around a handler, and the client layer around the server.
#[test]
fn the_telemetry_of_otel_http_follows_the_conventions() {
    let telemetry = TestTelemetry::new();
    let handler = |path: axum::extract::Path<u64>| async move {
        match path.0 {
            0 => Err(axum::http::StatusCode::INTERNAL_SERVER_ERROR),
            id => Ok(format!("user {id}")),
        }
    };
    let server_layer = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let client_layer = HttpClientLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let router = axum::Router::new().route("/users/{id}", axum::routing::get(handler)).layer(server_layer);
    let service = client_layer.layer(router);
    futures_executor::block_on(async {
        for (method, path) in
            [("GET", "/users/7"), ("GET", "/users/0"), ("BREW", "/users/7"), ("GET", "/nowhere?a=b")]
        {
            let uri = format!("https://example.com:8443{path}");
            let request =
                axum::http::Request::builder().method(method).uri(uri).header("host", "example.com:8443");
            let request = request.header("user-agent", "test/1").body(axum::body::Body::empty()).unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            axum::body::to_bytes(axum::body::Body::new(response.into_body()), 1000).await.unwrap();
        }
    });
    telemetry.assert_spans(2, otel_testing::span("GET /users/{id}").server().child_of("GET"));
    telemetry
        .assert_spans(1, otel_testing::span("HTTP").client().has("http.request.method_original", "BREW"));
    assert_eq!(telemetry.spans().len(), 8);
    telemetry.assert_conventions();
    telemetry.assert_clean();
    telemetry.assert_emitted(["http.server.request.duration", "http.route", "url.scheme", "error.type"]);
    telemetry.assert_emitted(["http.client.request.duration", "url.full", "server.port"]);
}

/// In a build without optimizations, on a shared machine: the best of many rounds, each shorter than the time that a thread gets
/// at once, or else it measures the machine.
#[test]
fn a_span_is_checked_in_less_than_50_microseconds() {
    const SPANS: u32 = 100;
    let telemetry = TestTelemetry::new();
    for _ in 0..SPANS {
        span(&telemetry, SpanKind::Server, http_server());
    }
    let captured = Captured::from(&telemetry);
    let conventions = Conventions::new();
    let once = || {
        let start = Instant::now();
        assert!(conventions.check(&captured).is_empty());
        start.elapsed()
    };
    let copying = (0..100).map(|_| {
        let start = Instant::now();
        drop(captured.clone());
        start.elapsed()
    });
    let best = (0..100).map(|_| once()).min().unwrap().saturating_sub(copying.min().unwrap());
    let per_span = best / SPANS;
    println!("{per_span:?} per span");
    assert!(per_span < Duration::from_micros(50), "{per_span:?}");
}

#[test]
fn resources_and_scopes_are_looked_at_whatever_the_signal() {
    let source = r#""resource": {"attributes": [{"key": "service.nick", "value": {"stringValue": "shop"}}]}"#;
    let scope = r#""scope": {"attributes": [{"key": "http.status_code", "value": {"intValue": 1}}]}"#;
    for signal in [
        format!(
            r#"{{"resourceSpans": [{{{source}, "scopeSpans": [{{{scope}, "spans": [{{"name": "a"}}]}}]}}]}}"#
        ),
        format!(
            r#"{{"resourceMetrics": [{{{source}, "scopeMetrics": [{{{scope}, "metrics": [
                {{"name": "a", "gauge": {{"dataPoints": [{{"asInt": 1}}]}}}}]}}]}}]}}"#
        ),
        format!(r#"{{"resourceLogs": [{{{source}, "scopeLogs": [{{{scope}, "logRecords": [{{}}]}}]}}]}}"#),
    ] {
        let captured = Captured::from_otlp_json(&signal).unwrap();
        let found = Conventions::new().allow("a").check(&captured);
        let found: Vec<_> =
            found.iter().map(|violation| (violation.place.as_str(), violation.kind)).collect();
        assert_eq!(found, [("resource", UnknownAttribute), ("scope", DeprecatedAttribute)], "{signal}");
    }
}
