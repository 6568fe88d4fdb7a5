//! `shop --orders 20 --json FILE`: run once, looked at from all sides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::otlp_json::{CLIENT, CONSUMER, Report, SERVER, Span};
use crate::process::{Folder, shop};

struct Run {
    report: Report,
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
    let report = Report::read(std::fs::read_to_string(file).expect("the file is written"));
    Run { report, orders: stdout.lines().filter_map(order).collect(), stdout }
});

/// A line such as `-- order 3: 402 card_declined (trace 7e..)`.
fn order(line: &str) -> Option<(String, String)> {
    let (_, answer) = line.strip_prefix("-- order ")?.split_once(": ")?;
    let (outcome, trace_id) = answer.split_once(" (trace ")?;
    Some((outcome.to_owned(), trace_id.trim_end_matches(')').to_owned()))
}

/// The first order that ended like this.
fn trace_of(outcome: &str) -> Vec<&'static Span> {
    let (_, trace_id) =
        RUN.orders.iter().find(|(ended, _)| ended == outcome).expect("there is such an order");
    RUN.report.trace(trace_id)
}

#[test]
fn twenty_orders_are_twenty_traces_of_at_least_three_services() {
    let traces: BTreeSet<&str> = RUN.orders.iter().map(|(_, trace_id)| trace_id.as_str()).collect();
    assert_eq!(traces.len(), 20);
    for trace_id in traces {
        let trace = RUN.report.trace(trace_id);
        let services: BTreeSet<&str> = trace.iter().map(|span| span.service.as_str()).collect();
        assert!(services.len() >= 3, "{services:?}");
        let ids: BTreeSet<&str> = trace.iter().map(|span| span.span_id.as_str()).collect();
        let roots = trace.iter().filter(|span| span.parent.is_none()).count();
        assert_eq!(roots, 1, "{trace:#?}");
        for parent in trace.iter().filter_map(|span| span.parent.as_deref()) {
            assert!(ids.contains(parent), "{parent} is missing in {trace:#?}");
        }
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

#[test]
fn every_client_span_is_the_parent_of_one_server_span_of_another_service() {
    // The assistant's model is in its own process, and has a test of its own.
    let others = || RUN.report.spans.iter().filter(|span| span.service != "assistant");
    let clients: Vec<&Span> = others().filter(|span| span.kind == CLIENT).collect();
    assert!(clients.len() > 60, "{}", clients.len());
    for client in &clients {
        let mut children = RUN.report.trace(&client.trace_id);
        children.retain(|span| span.parent.as_ref() == Some(&client.span_id));
        assert_eq!(children.len(), 1, "{client:#?}");
        assert_eq!(children[0].kind, SERVER);
        assert_ne!(children[0].service, client.service);
    }
    // And no server span but the gateway's is a root.
    for server in others().filter(|span| span.kind == SERVER) {
        assert_eq!(server.parent.is_none(), server.service == "gateway", "{server:#?}");
    }
}

#[test]
fn spans_are_marked_as_errors_where_and_only_where_the_readme_says() {
    let expected: [(&str, &[(&str, u64)]); 6] = [
        ("201 success", &[]),
        // A declined card is no fault of a server: only those who asked did not get what they wanted.
        ("402 card_declined", &[("gateway", CLIENT), ("orders", CLIENT)]),
        ("409 out_of_stock", &[("gateway", CLIENT), ("orders", CLIENT)]),
        ("422 validation_error", &[("gateway", CLIENT)]),
        ("500 database_error", &[("gateway", SERVER), ("gateway", CLIENT), ("orders", SERVER)]),
        (
            "504 gateway_timeout",
            // Payments knows from the call's deadline that nobody waits any longer.
            &[
                ("gateway", SERVER),
                ("gateway", CLIENT),
                ("orders", SERVER),
                ("orders", CLIENT),
                ("payments", SERVER),
            ],
        ),
    ];
    for (outcome, marked) in expected {
        let trace = trace_of(outcome);
        let mut errors: Vec<(&str, u64)> = trace
            .iter()
            .filter(|span| span.is_error)
            .map(|span| (span.service.as_str(), span.kind))
            .collect();
        errors.sort_unstable();
        assert_eq!(errors, marked, "{outcome}");
        for span in trace.iter().filter(|span| span.is_error) {
            assert!(span.attributes.contains_key("error.type"), "{span:#?}");
        }
    }
}

#[test]
fn errors_are_logged_once_in_the_span_where_they_arose() {
    let expected = [
        ("402 card_declined", "payments", "card_declined", "false"),
        ("409 out_of_stock", "inventory", "out_of_stock", "false"),
        ("422 validation_error", "orders", "validation_error", "false"),
        ("500 database_error", "orders", "database_error", "false"),
        ("504 gateway_timeout", "orders", "gateway_timeout", "true"),
    ];
    for (outcome, service, kind, retryable) in expected {
        let trace = trace_of(outcome);
        let server = trace.iter().find(|span| span.service == service && span.kind == SERVER).unwrap();
        let logs: Vec<_> = RUN
            .report
            .logs
            .iter()
            .filter(|log| log.trace_id == server.trace_id && log.attributes.contains_key("error.type"))
            .collect();
        let [log] = logs[..] else { panic!("{outcome}: {logs:#?}") };
        assert_eq!((log.service.as_str(), &log.span_id), (service, &server.span_id), "{outcome}");
        assert_eq!(log.attributes["error.type"], kind);
        assert_eq!(log.attributes["app.error.retryable"], retryable);
        assert!(!log.message.is_empty());
    }
}

#[test]
fn every_log_belongs_to_a_span() {
    let spans: BTreeSet<(&str, &str)> =
        RUN.report.spans.iter().map(|span| (span.trace_id.as_str(), span.span_id.as_str())).collect();
    assert!(RUN.report.logs.len() > 20);
    for log in &RUN.report.logs {
        assert!(spans.contains(&(&log.trace_id, &log.span_id)), "{log:#?}");
    }
}

#[test]
fn a_span_of_tracing_is_a_child_of_the_server_span_and_holds_the_logs_inside() {
    let trace = trace_of("201 success");
    let bank = trace.iter().find(|span| span.name == "ask_bank").expect("payments asks the bank");
    let parent = trace.iter().find(|span| bank.parent.as_ref() == Some(&span.span_id)).unwrap();
    assert_eq!((parent.service.as_str(), parent.kind), ("payments", SERVER));
    let charged = RUN.report.logs.iter().find(|log| log.span_id == bank.span_id).expect("a log inside");
    assert_eq!(charged.message, "card charged");
}

#[test]
fn every_paid_order_is_linked_by_one_notification_in_a_trace_of_its_own() {
    let consumers: Vec<&Span> = RUN.report.spans.iter().filter(|span| span.kind == CONSUMER).collect();
    assert_eq!(consumers.len(), 10);
    for (outcome, trace_id) in &RUN.orders {
        let linking: Vec<&&Span> = consumers.iter().filter(|span| span.links[0].0 == *trace_id).collect();
        assert_eq!(linking.len(), usize::from(outcome == "201 success"), "{outcome}");
        for span in linking {
            assert_eq!(span.links.len(), 1);
            assert_ne!(span.trace_id, *trace_id);
            assert_eq!(span.parent, None);
            let origin =
                RUN.report.trace(trace_id).into_iter().find(|origin| origin.span_id == span.links[0].1);
            assert_eq!(origin.expect("the link leads to a span").name, "pay_order");
        }
    }
}

#[test]
fn the_tier_comes_as_baggage_to_every_service_behind_the_gateway() {
    let trace = trace_of("201 success");
    let services = ["gateway", "orders", "inventory", "payments"];
    let mut tiers: BTreeSet<&str> = BTreeSet::new();
    for service in services {
        for span in trace.iter().filter(|span| span.service == service && span.kind == SERVER) {
            tiers.insert(&span.attributes["customer.tier"]);
        }
    }
    assert_eq!(tiers.len(), 1, "{tiers:?}");
    let trace_id = &trace[0].trace_id;
    let mut consumers = RUN.report.spans.iter().filter(|span| span.kind == CONSUMER);
    let notification = consumers.find(|span| span.links[0].0 == *trace_id).unwrap();
    assert!(tiers.contains(notification.attributes["customer.tier"].as_str()));
}

#[test]
fn business_figures_of_every_kind_of_instrument_are_right() {
    let report = &RUN.report;
    let total = |name: &str| report.points(name).iter().map(|point| point.value).sum::<f64>();
    let by = |name: &str, key: &str, value: &str| {
        let points = report
            .points(name)
            .into_iter()
            .filter(|point| point.attributes.get(key).is_some_and(|v| v == value));
        points.map(|point| point.value).sum::<f64>()
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

    for (name, unit, data, is_monotonic) in [
        ("shop.orders", "{order}", "sum", true),
        ("shop.revenue", "{EUR}", "sum", true),
        ("shop.carts.active", "{cart}", "sum", false),
        ("shop.product.price", "{EUR}", "gauge", false),
        ("shop.order.value", "{EUR}", "histogram", false),
        ("shop.login.duration", "s", "histogram", false),
        ("shop.stock", "{item}", "gauge", false),
    ] {
        let points = report.points(name);
        assert!(!points.is_empty(), "{name}");
        for point in points {
            assert_eq!(
                (point.unit.as_str(), point.data, point.is_monotonic),
                (unit, data, is_monotonic),
                "{name}"
            );
        }
    }
}

#[test]
fn requests_in_flight_are_back_to_none() {
    let points = RUN.report.points("http.server.active_requests");
    assert!(points.len() >= 5, "{points:#?}");
    assert!(points.iter().all(|point| point.value == 0.0), "{points:#?}");
}

#[test]
fn a_mistyped_password_is_a_401_and_no_error() {
    let mut logins =
        RUN.report.spans.iter().filter(|span| span.name == "POST /login" && span.service == "users");
    let refused = logins.find(|span| span.attributes["http.response.status_code"] == "401").unwrap();
    assert!(!refused.is_error);
    assert!(!RUN.report.logs.iter().any(|log| log.trace_id == refused.trace_id));
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
        assert!(!RUN.report.text.contains(secret), "{secret}");
        assert!(!RUN.stdout.contains(secret), "{secret}");
    }
}

#[test]
fn the_terminal_shows_trees_and_a_summary() {
    let shown = |text: &str| assert!(RUN.stdout.contains(text), "{text} is not in\n{}", RUN.stdout);
    shown("└─ orders POST /orders");
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
