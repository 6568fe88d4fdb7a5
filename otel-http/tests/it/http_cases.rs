//! The behaviours that the reference suites describe: each is run here, or the table says where it is held or why not.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Method, Request, Response, StatusCode};
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use otel_http::UrlTemplate;
use otel_testing::{SpanDataExt, TestTelemetry};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{call, client_layer, server_layer};

/// Lines of an id, or of the beginning of ids with a star, and what becomes of it: `held` and the tests that hold it, or
/// `not` and the reason.
const TABLE: &str = include_str!("http_cases.txt");

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Server,
    Client,
}

#[tokio::test]
async fn each_case_is_run_or_its_place_is_known() {
    let Some(path) = otel_testing::shared_file!("vectors/http_cases.json") else { return };
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let table: BTreeMap<&str, &str> = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(" | ").unwrap_or_else(|| panic!("no bar in {line:?}")))
        .collect();
    let (mut run, mut used) = (0, BTreeSet::new());
    for case in document["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let sides: &[Side] = match case["kind"].as_str().unwrap() {
            "server" => &[Side::Server],
            "client" => &[Side::Client],
            _ => &[Side::Server, Side::Client],
        };
        if let Some(row) = row_of(&table, id) {
            used.insert(row);
            continue;
        }
        for side in sides {
            let span =
                send(case, *side).await.unwrap_or_else(|| panic!("{id} is neither run nor in the table"));
            check(id, &span, &case["expect"], *side);
        }
        run += 1;
    }
    let unused: Vec<_> = table.keys().filter(|row| !used.contains(*row)).collect();
    assert!(unused.is_empty(), "the table has rows of no case: {unused:?}");
    assert!(run >= 140, "only {run} cases were run");
    let source = SOURCES.concat();
    for (row, place) in &table {
        let Some(tests) = place.strip_prefix("held ") else {
            assert!(place.starts_with("not "), "{row}: {place}");
            continue;
        };
        for test in tests.split(' ') {
            assert!(source.contains(&format!("fn {test}(")), "{row}: no test is called {test}");
        }
    }
}

/// Where the tests are that the table names.
const SOURCES: [&str; 16] = [
    include_str!("client.rs"),
    include_str!("client_errors.rs"),
    include_str!("client_exits.rs"),
    include_str!("client_options.rs"),
    include_str!("exits.rs"),
    include_str!("known_methods.rs"),
    include_str!("nesting.rs"),
    include_str!("once.rs"),
    include_str!("reqwest_client.rs"),
    include_str!("reqwest_sends.rs"),
    include_str!("server.rs"),
    include_str!("server_extras.rs"),
    include_str!("server_matrix.rs"),
    include_str!("server_options.rs"),
    include_str!("sockets.rs"),
    include_str!("http_cases.rs"),
];

fn row_of<'a>(table: &BTreeMap<&'a str, &str>, id: &str) -> Option<&'a str> {
    let fits = |row: &&&'a str| match row.strip_suffix('*') {
        Some(beginning) => id.starts_with(beginning),
        None => **row == id,
    };
    table.keys().find(fits).copied()
}

/// Sends what the case gives; `None` if it is of no kind that is run here.
async fn send(case: &Value, side: Side) -> Option<SpanData> {
    let given = &case["given"];
    let method = given["method"].as_str().or(given["http.request.method"].as_str());
    let status = given["http.response.status_code"].as_u64();
    let is_known = method.is_some() || status.is_some();
    if !is_known {
        return None;
    }
    // `_OTHER` is what becomes of an unknown one.
    let method = method.map_or("GET", |method| if method == "_OTHER" { "PURGE" } else { method });
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let status = StatusCode::from_u16(u16::try_from(status.unwrap_or(200)).ok()?).ok()?;
    let route = given["http.route"].as_str().map(str::to_owned);
    let path = given["path"].as_str().unwrap_or("/cats/7");
    let request = Request::builder().method(method).uri(format!("http://cats.example{path}"));
    let telemetry = TestTelemetry::new();
    let answer = move || async move {
        Ok::<_, std::io::Error>(Response::builder().status(status).body(Body::empty()).unwrap())
    };
    match side {
        Side::Server => {
            let layer = server_layer(&telemetry).with_route(move |_| route.clone().map(Into::into)).build();
            let app =
                Router::new().fallback(any(move || async move { answer().await.unwrap() })).layer(layer);
            call(&app, request.body(Body::empty()).unwrap()).await;
        }
        Side::Client => {
            let template =
                given["url.template"].as_str().map(|template| UrlTemplate::new(template.to_owned()));
            let mut request = request.body(Body::empty()).unwrap();
            request.extensions_mut().extend(
                template
                    .map(|template| {
                        let mut extensions = http::Extensions::new();
                        extensions.insert(template);
                        extensions
                    })
                    .unwrap_or_default(),
            );
            let client = client_layer(&telemetry).build().layer(service_fn(move |_: Request<Body>| answer()));
            client.oneshot(request).await.unwrap();
        }
    }
    telemetry.spans().pop()
}

fn check(id: &str, span: &SpanData, expect: &Value, side: Side) {
    if let Some(several) = expect["any_of"].as_array() {
        assert!(several.iter().any(|one| differences(span, one, side).is_empty()), "{id}: {span:?}");
        return;
    }
    let differences = differences(span, expect, side);
    assert!(differences.is_empty(), "{id}: {differences:?} in {span:?}");
}

/// What the span says otherwise.
fn differences(span: &SpanData, expect: &Value, side: Side) -> Vec<String> {
    let mut found = Vec::new();
    for (key, expected) in expect.as_object().unwrap() {
        let expected_text = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
        let is_right = match key.as_str() {
            "span_name" => span.name == expected_text,
            "span_name_method_part" => span.name.split(' ').next() == Some(expected_text.as_str()),
            "span_status" => (span.status == Status::Unset) == (expected_text == "UNSET"),
            "status_description" => span.status == Status::error(expected_text.clone()),
            "absent" => {
                let absent = expected.as_array().unwrap().iter().filter_map(Value::as_str);
                absent.into_iter().all(|key| span.attribute(key).is_none())
            }
            "note" => true,
            attribute => span.attribute(attribute).is_some_and(|value| value.as_str() == expected_text),
        };
        if !is_right {
            found.push(format!(
                "{key}, expected {expected}, on the {}",
                if side == Side::Server { "server" } else { "client" }
            ));
        }
    }
    found
}

#[tokio::test]
async fn a_hundred_parallel_requests_keep_their_parents() {
    let telemetry = TestTelemetry::new();
    let handler = |request: Request<Body>| async move {
        tokio::task::yield_now().await;
        let id = request.headers()["x-id"].to_str().unwrap().to_owned();
        opentelemetry::Context::map_current(|context| {
            use opentelemetry::trace::TraceContextExt;
            context.span().set_attribute(opentelemetry::KeyValue::new("app.id", id));
        });
    };
    let app = Router::new().route("/", any(handler)).layer(server_layer(&telemetry).build());
    let calls = (1..=100_u64).map(|number| {
        let parent = format!("00-{number:032x}-{number:016x}-01");
        let request = Request::get("/").header("traceparent", parent).header("x-id", number.to_string());
        let (app, request) = (app.clone(), request.body(Body::empty()).unwrap());
        tokio::spawn(async move { call(&app, request).await })
    });
    futures_util::future::join_all(calls).await;
    let spans = telemetry.spans();
    assert_eq!(spans.len(), 100);
    for span in spans {
        let id: u64 = span.attribute("app.id").unwrap().as_str().parse().unwrap();
        assert_eq!(span.parent_span_id.to_string(), format!("{id:016x}"));
        assert_eq!(span.span_context.trace_id().to_string(), format!("{id:032x}"));
    }
}

#[tokio::test]
async fn fifty_parallel_requests_of_a_client_keep_their_parents() {
    use opentelemetry::trace::{
        FutureExt, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    };
    let telemetry = TestTelemetry::new();
    let app = Router::new().fallback(any(|request: Request<Body>| async move {
        request.headers()["traceparent"].to_str().unwrap().to_owned()
    }));
    let address = crate::support::serve(app).await;
    // One connection, as HTTP/2 has it.
    let inner = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let client = otel_http::reqwest::Client::instrument(inner)
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(opentelemetry_sdk::propagation::TraceContextPropagator::new())
        .build();
    let calls = (1..=50_u64).map(|number| {
        let (trace, span) = (TraceId::from(u128::from(number)), SpanId::from(number));
        let parent = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE);
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        let sent = client.get(format!("http://{address}/")).send();
        async move { (number, sent.await.unwrap().text().await.unwrap()) }.with_context(context)
    });
    for (number, told) in futures_util::future::join_all(calls).await {
        assert!(told.starts_with(&format!("00-{number:032x}-")), "{number}: {told}");
    }
    assert!(telemetry.spans().iter().all(|span| {
        let trace = u128::from_be_bytes(span.span_context.trace_id().to_bytes());
        trace == u128::from(u64::from_be_bytes(span.parent_span_id.to_bytes()))
    }));
    assert_eq!(telemetry.spans().len(), 50);
}

#[tokio::test]
async fn an_unsampled_caller_is_told_on() {
    use opentelemetry::trace::{
        FutureExt, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    };
    let telemetry = TestTelemetry::builder()
        .with_sampler(opentelemetry_sdk::trace::Sampler::ParentBased(Box::new(
            opentelemetry_sdk::trace::Sampler::AlwaysOn,
        )))
        .build();
    let client = client_layer(&telemetry).build().layer(service_fn(|request: Request<Body>| async move {
        let sent = request.headers()["traceparent"].to_str().unwrap().to_owned();
        Ok::<_, std::io::Error>(Response::new(Body::from(sent)))
    }));
    let parent =
        SpanContext::new(TraceId::from(7), SpanId::from(7), TraceFlags::default(), false, TraceState::NONE);
    let context = opentelemetry::Context::new().with_remote_span_context(parent);
    let request = Request::get("http://users.example/").body(Body::empty()).unwrap();
    let response = client.oneshot(request).with_context(context).await.unwrap();
    let sent = axum::body::to_bytes(Body::new(response.into_body()), 100).await.unwrap();
    let sent = String::from_utf8(sent.to_vec()).unwrap();
    assert!(sent.starts_with(&format!("00-{:032x}-", 7)) && sent.ends_with("-00"), "{sent}");
    assert!(telemetry.spans().is_empty());
}

#[tokio::test]
async fn a_route_known_at_the_start_stays() {
    let telemetry = TestTelemetry::new();
    let late = || async {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(otel_http::HttpRoute::new("/late"));
        response
    };
    let app = Router::new().route("/users/{id}", any(late)).layer(server_layer(&telemetry).build());
    call(&app, crate::support::get("/users/42")).await;
    assert!(telemetry.span("GET /users/{id}").has("http.route", "/users/{id}"));
}
