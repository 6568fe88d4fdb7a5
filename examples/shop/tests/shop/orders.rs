//! `shop --orders 20 --json FILE`: run once, looked at from all sides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use opentelemetry::trace::{SpanKind, Status};
use otel_testing::{
    AssertTelemetry, Captured, Conventions, Metric, MetricKind, Number, Point, ReceivedSpan, ReceivedTrace,
    log, span,
};

use crate::fleet::server_span;
use crate::postgres::{assert_trace_of_statements, is_statement};
use crate::process::{Folder, shop};

struct Run {
    report: Captured,
    /// The report as it was written.
    json: String,
    stdout: String,
    /// Outcome and trace of each order, as the answers to the customer had them.
    orders: Vec<(String, String)>,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    let folder = Folder::create();
    let file = folder.path.join("telemetry.json");
    let file = file.to_str().expect("the folder's name is text");
    // What a shell may be set up for is kept from the demonstration.
    let output = shop(["--orders", "20", "--json", file])
        .env("OTEL_TRACES_SAMPLER", "always_off")
        .env("OTEL_METRICS_EXPORTER", "none")
        .env("OTEL_SERVICE_NAME", "somebody_else")
        .output()
        .expect("the shop starts");
    let stdout = String::from_utf8(output.stdout).expect("the output is text");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    let json = std::fs::read_to_string(file).expect("the file is written");
    let report = Captured::from_otlp_json(&json).expect("the file is OTLP/JSON");
    Run { report, json, orders: stdout.lines().filter_map(order).collect(), stdout }
});

/// A line such as `-- order 3: 402 card_declined (trace 7e..)`.
fn order(line: &str) -> Option<(String, String)> {
    let (_, answer) = line.strip_prefix("-- order ")?.split_once(": ")?;
    let (outcome, trace_id) = answer.split_once(" (trace ")?;
    Some((outcome.to_owned(), trace_id.trim_end_matches(')').to_owned()))
}

fn trace(trace_id: &str) -> ReceivedTrace {
    RUN.report.trace(trace_id).expect("the trace was reported")
}

/// The first order that ended like this.
fn trace_of(outcome: &str) -> ReceivedTrace {
    let (_, trace_id) =
        RUN.orders.iter().find(|(ended, _)| ended == outcome).expect("there is such an order");
    trace(trace_id)
}

fn spans_of_kind(kind: SpanKind) -> impl Iterator<Item = &'static ReceivedSpan> {
    RUN.report.spans.iter().map(AsRef::as_ref).filter(move |span: &&ReceivedSpan| span.kind == kind)
}

fn is_error(span: &ReceivedSpan) -> bool {
    matches!(span.status, Status::Error { .. })
}

fn text<'s>(span: &'s ReceivedSpan, key: &str) -> &'s str {
    span.attribute(key)
        .and_then(|value| value.as_str())
        .unwrap_or_else(|| panic!("{key} is a text: {span:#?}"))
}

#[test]
fn twenty_orders_are_twenty_traces_of_at_least_three_services() {
    let traces: BTreeSet<&str> = RUN.orders.iter().map(|(_, trace_id)| trace_id.as_str()).collect();
    assert_eq!(traces.len(), 20);
    for trace_id in traces {
        let trace = trace(trace_id);
        assert!(trace.services().len() >= 3, "{}", trace.tree());
        assert!(trace.is_complete(), "{}", trace.tree());
    }
}

#[test]
fn outcomes_are_those_that_the_readme_promises() {
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for (outcome, _) in &RUN.orders {
        *outcomes.entry(outcome).or_default() += 1;
    }
    let expected = [
        ("201 success", 10),
        ("402 card_declined", 2),
        ("409 out_of_stock", 2),
        ("422 validation_error", 2),
        ("500 database_error", 2),
        ("504 gateway_timeout", 2),
    ];
    assert_eq!(outcomes, BTreeMap::from(expected));
}

/// What a duration is of, by the attribute that its spans have.
const DURATIONS: [(&str, SpanKind, &str); 6] = [
    ("http.server.request.duration", SpanKind::Server, "http.request.method"),
    ("http.client.request.duration", SpanKind::Client, "http.request.method"),
    ("rpc.server.call.duration", SpanKind::Server, "rpc.method"),
    ("rpc.client.call.duration", SpanKind::Client, "rpc.method"),
    ("db.client.operation.duration", SpanKind::Client, "db.system.name"),
    ("gen_ai.client.operation.duration", SpanKind::Client, "gen_ai.provider.name"),
];

#[test]
fn every_duration_leads_to_a_request_that_took_so_long() {
    for (name, kind, key) in DURATIONS {
        let mut led = 0;
        for metric in RUN.report.metrics.iter().filter(|metric| metric.name == name) {
            for exemplar in metric.points.iter().flat_map(|point| &point.exemplars) {
                let trace = trace(exemplar.trace_id.as_deref().unwrap());
                let span = trace.span(exemplar.span_id.as_deref().unwrap()).unwrap();
                assert!(span.attribute(key).is_some(), "{name} leads to {span:#?}");
                assert!(span.kind == kind || span.kind == SpanKind::Internal, "{name} leads to {span:#?}");
                let difference = exemplar.value.unwrap().as_f64() - span.duration().as_secs_f64();
                assert!(difference.abs() < 1e-6, "{name} is {difference} away from {span:#?}");
                led += 1;
            }
        }
        assert!(led > 0, "{name} leads nowhere");
    }
}

#[test]
fn every_client_span_is_the_parent_of_one_server_span_of_another_service() {
    // The assistant's model is in its own process, and has a test of its own.
    let others = |span: &&ReceivedSpan| span.service() != "assistant";
    let requests = spans_of_kind(SpanKind::Client).filter(|span| !is_statement(span));
    let clients: Vec<&ReceivedSpan> = requests.filter(others).collect();
    assert!(clients.len() > 60, "{}", clients.len());
    for client in &clients {
        let trace = trace(&client.trace_id);
        let [child] = trace.children(&client.span_id)[..] else { panic!("{client:#?}") };
        assert_eq!(child.kind, SpanKind::Server);
        assert_ne!(child.service(), client.service());
    }
    // And no server span but the gateway's is a root.
    for server in spans_of_kind(SpanKind::Server).filter(others) {
        assert_eq!(server.parent_span_id.is_none(), server.service() == "gateway", "{server:#?}");
    }
}

#[test]
fn statements_are_in_the_trace_of_their_order() {
    assert_trace_of_statements(&trace_of("201 success"), "sqlite");
    let failed = trace_of("500 database_error");
    // SQLITE_CONSTRAINT_CHECK.
    failed.assert_span(span("INSERT orders").client().failed().has("db.response.status_code", "275"));
    for statement in spans_of_kind(SpanKind::Client).filter(|span| is_statement(span)) {
        let trace = trace(&statement.trace_id);
        assert!(statement.parent_span_id.is_some(), "{}", trace.tree());
        assert!(trace.children(&statement.span_id).is_empty(), "{}", trace.tree());
    }
    let limits = RUN.report.points("db.client.connection.limit");
    let of_orders = limits.iter().find(|point| point.has("db.client.connection.pool.name", "orders"));
    assert_eq!(of_orders.and_then(|point| point.number()), Some(Number::from(4)), "{limits:#?}");
    let metrics =
        ["db.client.connection.count", "db.client.connection.wait_time", "db.client.operation.duration"];
    RUN.report.assert_emitted(metrics);
}

#[test]
fn the_conventions_are_kept() {
    // Of the metrics of a process the checker knows the names alone, and tokio's have none in the conventions.
    let of_process = ["cpu.mode", "disk.io.direction", "system.paging.fault.type", "tokio"];
    let own = ["shop", "app", "customer.tier", "grpc"].into_iter().chain(of_process);
    let own = own.fold(Conventions::new(), |conventions, name| conventions.allow(name));
    RUN.report.assert_conventions_of(&own);
}

#[test]
fn spans_are_marked_as_errors_where_and_only_where_the_readme_says() {
    let expected: [(&str, &[&str]); 6] = [
        ("201 success", &[]),
        // A declined card is no fault of a server: only those who asked did not get what they wanted.
        ("402 card_declined", &["gateway Client", "orders Client"]),
        ("409 out_of_stock", &["gateway Client", "orders Client"]),
        ("422 validation_error", &["gateway Client"]),
        ("500 database_error", &["gateway Client", "gateway Server", "orders Client", "orders Server"]),
        (
            "504 gateway_timeout",
            // Payments knows from the call's deadline that nobody waits any longer.
            &["gateway Client", "gateway Server", "orders Client", "orders Server", "payments Server"],
        ),
    ];
    for (outcome, marked) in expected {
        let trace = trace_of(outcome);
        let failed: Vec<&ReceivedSpan> =
            trace.spans.iter().map(AsRef::as_ref).filter(|span| is_error(span)).collect();
        let mut errors: Vec<String> =
            failed.iter().map(|span| format!("{} {:?}", span.service(), span.kind)).collect();
        errors.sort_unstable();
        assert_eq!(errors, marked, "{outcome}");
        for span in failed {
            assert!(span.attribute("error.type").is_some(), "{span:#?}");
        }
    }
}

#[test]
fn errors_are_logged_once_in_the_span_where_they_arose() {
    let expected = [
        ("402 card_declined", "payments", "card_declined", false),
        ("409 out_of_stock", "inventory", "out_of_stock", false),
        ("422 validation_error", "orders", "validation_error", false),
        ("500 database_error", "orders", "database_error", false),
        ("504 gateway_timeout", "orders", "gateway_timeout", true),
    ];
    for (outcome, service, kind, retryable) in expected {
        let trace = trace_of(outcome);
        let server = server_span(&trace, service).unwrap();
        let logs: Vec<_> = trace.logs.iter().filter(|log| log.attribute("error.type").is_some()).collect();
        let [log] = logs[..] else { panic!("{outcome}: {logs:#?}") };
        assert_eq!((log.service(), log.span_id.as_ref()), (service, Some(&server.span_id)), "{outcome}");
        assert!(log.has("error.type", kind) && log.has("app.error.retryable", retryable), "{log:#?}");
        assert!(!log.message().is_empty());
    }
}

#[test]
fn every_log_belongs_to_a_span() {
    let spans: BTreeSet<(&str, &str)> =
        RUN.report.spans.iter().map(|span| (span.trace_id.as_str(), span.span_id.as_str())).collect();
    assert!(RUN.report.logs.len() > 20);
    for log in &RUN.report.logs {
        let ids = log.trace_id.as_deref().zip(log.span_id.as_deref());
        assert!(ids.is_some_and(|ids| spans.contains(&ids)), "{log:#?}");
    }
}

#[test]
fn a_span_of_tracing_is_a_child_of_the_server_span_and_holds_the_logs_inside() {
    let trace = trace_of("201 success");
    let payments = server_span(&trace, "payments").expect("payments is called");
    trace.assert_span(span("ask_bank").child_of(payments.name.as_str()).resource("service.name", "payments"));
    trace.assert_log(log("card charged").in_span("ask_bank"));
}

#[test]
fn every_paid_order_is_linked_by_one_notification_in_a_trace_of_its_own() {
    let consumers: Vec<&ReceivedSpan> = spans_of_kind(SpanKind::Consumer).collect();
    assert_eq!(consumers.len(), 10);
    for (outcome, trace_id) in &RUN.orders {
        let linking: Vec<&&ReceivedSpan> =
            consumers.iter().filter(|span| span.links[0].trace_id == *trace_id).collect();
        assert_eq!(linking.len(), usize::from(outcome == "201 success"), "{outcome}");
        for span in linking {
            assert_eq!(span.links.len(), 1);
            assert_ne!(span.trace_id, *trace_id);
            assert_eq!(span.parent_span_id, None);
            let order = trace(trace_id);
            let origin = order.span(&span.links[0].span_id).expect("the link leads to a span");
            assert_eq!(origin.name, "pay_order");
        }
    }
}

#[test]
fn the_tier_comes_as_baggage_to_every_service_behind_the_gateway() {
    let trace = trace_of("201 success");
    let services = ["gateway", "orders", "inventory", "payments"];
    let mut tiers: BTreeSet<&str> = BTreeSet::new();
    for service in services {
        let spans = trace.spans.iter().filter(|span| span.service() == service);
        for server in spans.filter(|span| span.kind == SpanKind::Server) {
            tiers.insert(text(server, "customer.tier"));
        }
    }
    assert_eq!(tiers.len(), 1, "{tiers:?}");
    let mut consumers = spans_of_kind(SpanKind::Consumer);
    let notification = consumers.find(|span| span.links[0].trace_id == trace.trace_id).unwrap();
    assert!(tiers.contains(text(notification, "customer.tier")));
}

#[test]
fn business_figures_of_every_kind_of_instrument_are_right() {
    let report = &RUN.report;
    let total = |name: &str| report.total(name);
    let by = |name: &str, key: &str, text: &str| {
        report.points(name).into_iter().filter(|point| point.has(key, text)).map(Point::total).sum::<f64>()
    };
    // Counters.
    assert_eq!(total("shop.orders"), 20.0);
    assert_eq!(by("shop.orders", "app.outcome", "card_declined"), 2.0);
    assert_eq!(by("shop.login.attempts", "app.reason", "wrong_password"), 1.0);
    assert_eq!(by("shop.login.attempts", "app.outcome", "success"), 2.0);
    assert_eq!(total("shop.conversions"), 10.0);
    assert_eq!(by("shop.funnel.steps", "shop.funnel.step", "product"), 20.0);
    assert_eq!(by("shop.funnel.steps", "shop.funnel.step", "cart"), 20.0);
    assert_eq!(by("shop.funnel.steps", "shop.funnel.step", "order"), 10.0);
    assert_eq!(total("shop.page.views"), 41.0);
    assert_eq!(by("shop.api.calls", "app.outcome", "gateway_timeout"), 2.0);
    assert_eq!(total("shop.notifications.sent"), 10.0);
    // What was taken is what was ordered.
    assert!(total("shop.revenue") > 0.0);
    assert!((total("shop.revenue") - total("shop.order.value")).abs() < 0.001);
    // Sold pieces are gone from the shelves, and only those: failed orders have put theirs back.
    assert_eq!(total("shop.stock"), 300_003.0 - total("shop.items.sold"));
    assert_eq!(by("shop.product.price", "shop.product", "mug"), 12.5);

    let counter = MetricKind::Sum { monotonic: true };
    let up_down_counter = MetricKind::Sum { monotonic: false };
    for (name, unit, kind) in [
        ("shop.orders", "{order}", counter),
        ("shop.revenue", "{EUR}", counter),
        ("shop.carts.active", "{cart}", up_down_counter),
        ("shop.product.price", "{EUR}", MetricKind::Gauge),
        ("shop.order.value", "{EUR}", MetricKind::Histogram),
        ("shop.login.duration", "s", MetricKind::Histogram),
        ("shop.stock", "{item}", MetricKind::Gauge),
    ] {
        let metric = report.assert_metric(name);
        let Metric { unit: found, kind: is, points, .. } = metric.metric();
        assert_eq!((found.as_str(), *is), (unit, kind), "{name}");
        assert!(!points.is_empty(), "{name}");
    }
}

#[test]
fn requests_in_flight_are_back_to_none() {
    let points = RUN.report.points("http.server.active_requests");
    assert!(points.len() >= 5, "{points:#?}");
    assert!(points.iter().all(|point| point.total() == 0.0), "{points:#?}");
}

#[test]
fn a_mistyped_password_is_a_401_and_no_error() {
    let refused = spans_of_kind(SpanKind::Server)
        .find(|span| span.service() == "users" && span.has("http.response.status_code", 401))
        .unwrap();
    assert_eq!(refused.name, "POST /login");
    assert!(!is_error(refused));
    assert!(trace(&refused.trace_id).logs.is_empty());
}

#[test]
fn no_secret_leaves_a_process() {
    for secret in [
        "ada.lovelace",
        "grace.hopper",
        "correct-horse-battery",
        "staple-nanosecond-wire",
        "mistyped",
        "4242424242424242",
        "4000000000000002",
        "4000000000000044",
        "Happy birthday",
        "Bearer",
    ] {
        assert!(!RUN.json.contains(secret), "{secret}");
        assert!(!RUN.stdout.contains(secret), "{secret}");
    }
}

#[test]
fn the_terminal_shows_trees_and_a_summary() {
    let shown = |text: &str| assert!(RUN.stdout.contains(text), "{text} is not in\n{}", RUN.stdout);
    shown("└─ orders POST /orders");
    shown("─ gateway GET /session ");
    shown("─ orders POST /reservations ");
    shown("─ orders DELETE /reservations/{id} ");
    shown("─ orders INSERT orders ");
    shown("db.client.connection.pool.name=orders");
    shown("* WARN the bank declined the card  app.error.retryable=false error.type=card_declined");
    shown("~ comes from span ");
    shown("P99");
    shown("shop.revenue");
    shown("20 orders, all traces complete");
    let heads = RUN.stdout.lines().filter(|line| line.starts_with("trace ")).count();
    let traces: BTreeSet<&str> = RUN.report.spans.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(heads, traces.len(), "every trace is drawn once");
    assert!(!RUN.stdout.contains('\x1b'), "colours are for terminals");
}
