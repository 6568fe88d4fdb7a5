use std::collections::HashMap;
use std::sync::{Barrier, LazyLock};
use std::thread;

use axum::body::Body;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::trace::{FutureExt, Span, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use otel_http::{HttpClientLayer, HttpServerLayer};
use otel_testing::{AssertTelemetry, TestTelemetry, assert_trace, span};
use tower::{Layer, ServiceExt};

/// As libraries keep them. Taken after the providers were set, because the first test to need one attaches first.
static TRACER: LazyLock<BoxedTracer> = LazyLock::new(|| global::tracer("shop"));
static ORDERS: LazyLock<Counter<u64>> = LazyLock::new(|| global::meter("shop").u64_counter("orders").build());
static SIZES: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("shop").f64_histogram("sizes").with_unit("By").with_boundaries(vec![1.0, 2.0]).build()
});

fn checkout(user: i64) {
    TRACER.in_span("checkout", |context| {
        context.span().set_attribute(KeyValue::new("user", user));
        ORDERS.add(user as u64, &[KeyValue::new("tier", "gold")]);
        SIZES.record(1.5, &[]);
    });
}

#[test]
fn two_hundred_tests_at_once_use_the_same_names_and_see_their_own() {
    const USERS: i64 = 200;
    let barrier = Barrier::new(USERS as usize);
    thread::scope(|scope| {
        for user in 1..=USERS {
            let barrier = &barrier;
            scope.spawn(move || {
                let telemetry = TestTelemetry::new();
                let _attached = telemetry.attach();
                barrier.wait();
                for _ in 0..3 {
                    checkout(user);
                }
                barrier.wait();
                telemetry.assert_spans(3, span("checkout").has("user", user).root().scope("shop"));
                assert_eq!(telemetry.spans().len(), 3);
                telemetry.assert_metric("orders").has_series(1).has_total(3 * user as u64);
                telemetry.assert_metric("sizes").has_unit("By").point([]).has_count(3).has_buckets([0, 3, 0]);
            });
        }
    });
}

#[test]
fn tasks_that_carry_the_context_are_captured() {
    let telemetry = TestTelemetry::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(
        async {
            checkout(1);
            let task = async {
                checkout(2);
                tokio::task::yield_now().await;
                checkout(3);
            };
            tokio::spawn(task.with_current_context()).await.unwrap();
            // Without the context nothing tells whose it is.
            tokio::spawn(async { checkout(4) }).await.unwrap();
        }
        .with_context(telemetry.context()),
    );
    telemetry.assert_spans(3, "checkout");
    telemetry.assert_metric("orders").has_total(6_u64);
}

#[test]
fn a_span_with_a_parent_from_elsewhere_belongs_to_the_test_that_runs_it() {
    let telemetry = TestTelemetry::new();
    let _attached = telemetry.attach();
    TRACER.start_with_context("served", &Context::new()).end();
    telemetry.assert_span(span("served").root());
}

#[test]
fn a_bound_instrument_is_routed() {
    let telemetry = TestTelemetry::new();
    let attached = telemetry.attach();
    let bound = ORDERS.bind(&[KeyValue::new("tier", "tin")]);
    bound.add(2);
    drop(attached);
    bound.add(2);
    telemetry.assert_metric("orders").point([KeyValue::new("tier", "tin")]).has_value(2_u64);
}

#[test]
fn ids_count_up_on_request() {
    let telemetry = TestTelemetry::builder().with_counting_ids().build();
    let _attached = telemetry.attach();
    checkout(1);
    checkout(2);
    let ids: Vec<String> =
        telemetry.spans().iter().map(|span| span.span_context.span_id().to_string()).collect();
    assert_eq!(ids, ["0000000000000001", "0000000000000002"]);
    assert_eq!(telemetry.spans()[1].span_context.trace_id().to_string(), "00000000000000000000000000000002");
}

#[test]
fn context_is_propagated_where_the_global_providers_are_used() {
    let telemetry = TestTelemetry::new();
    let _attached = telemetry.attach();
    let mut headers = HashMap::new();
    TRACER.in_span("checkout", |context| {
        let context = context.with_baggage([KeyValue::new("tier", "gold")]);
        global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    });
    let trace_id = telemetry.span("checkout").span_context.trace_id().to_string();
    assert!(headers["traceparent"].contains(&trace_id), "{headers:?}");
    assert_eq!(headers["baggage"], "tier=gold");
}

/// The server runs on a task of its own, where only the headers tell of the client.
#[tokio::test]
async fn a_client_and_its_server_are_one_trace_by_their_propagators() {
    let telemetry = TestTelemetry::new();
    let server_layer = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_propagator(telemetry.propagator())
        .build();
    let client_layer = HttpClientLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_propagator(telemetry.propagator())
        .build();
    let router = axum::Router::new().route("/cart", axum::routing::get(|| async { "3" })).layer(server_layer);
    let client = client_layer.layer(tower::service_fn(move |request| {
        let answer = router.clone().oneshot(request);
        async { tokio::spawn(answer).await.unwrap() }
    }));
    let request = axum::http::Request::get("http://shop.example/cart").body(Body::empty()).unwrap();
    let response = client.oneshot(request).await.unwrap();
    axum::body::to_bytes(Body::new(response.into_body()), 10).await.unwrap();
    assert_trace!(telemetry, span("GET").client() => { span("GET /cart").server() });
}

/// The harness of this process captures standard error, so the message is looked for in that of another one.
#[test]
fn a_failing_test_shows_its_tree() {
    if std::env::var_os("OTEL_TESTING_FAILS").is_some() {
        let telemetry = TestTelemetry::new();
        let _shown = telemetry.show_on_failure();
        let _attached = telemetry.attach();
        checkout(7);
        panic!("as asked for");
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "globals::a_failing_test_shows_its_tree"])
        .env("OTEL_TESTING_FAILS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(
        text.contains("telemetry of the failed test:\ntrace 1\n  checkout internal {user=7}\n"),
        "{text}"
    );
}
