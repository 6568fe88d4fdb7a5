//! Services and clients that go away in the middle of a request: nothing stays in flight, no span stays open.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};

use otel_testing::OtlpReceiver;

use crate::fleet::{Fleet, server_span};
use crate::process::PATIENCE;

/// Long enough to be seen in flight, also where the machine stands still for some seconds.
const UNDER_WAY: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_killed_service_leaves_nothing_open_in_the_others() {
    let mut fleet = Fleet::start(Duration::from_secs(100)).await;
    let order = tokio::spawn(fleet.slow_order().send());
    fleet.wait_for_in_flight(&["gateway", "orders", "payments"], 1.0).await;

    fleet.kill("payments");
    assert_eq!(order.await.unwrap().unwrap().status(), 502);
    fleet.wait_for_in_flight(&["gateway", "orders"], 0.0).await;
    fleet.stop();

    // Every parent has come as well, so every span that a survivor began has ended.
    let trace = fleet.order_trace();
    assert!(trace.is_complete(), "{}", trace.tree());
    assert_eq!(server_span(&trace, "payments"), None, "its last span died with it");
    for service in ["gateway", "orders"] {
        assert!(server_span(&trace, service).unwrap().has("http.response.status_code", 502));
    }
    let failed = trace.spans.iter().find(|span| {
        span.service() == "orders"
            && span.kind == SpanKind::Client
            && matches!(span.status, Status::Error { .. })
    });
    assert!(failed.is_some_and(|call| trace.children(&call.span_id).is_empty()), "{}", trace.tree());
    // Who looks for the reason finds it in the log of the service that met it.
    let logs = fleet.receiver.logs();
    let told =
        logs.iter().find(|log| log.message() == "payments gave no usable answer").expect("a log record");
    assert_eq!(told.service(), "orders");
    assert!(told.attribute("exception.message").is_some(), "{told:?}");
}

#[tokio::test]
async fn a_service_that_is_asked_to_stop_finishes_its_request_and_delivers_its_span() {
    let mut fleet = Fleet::start(UNDER_WAY).await;
    let order = tokio::spawn(fleet.slow_order().send());
    fleet.wait_for_in_flight(&["gateway", "orders", "payments"], 1.0).await;

    fleet.stop_one("payments");
    assert_eq!(order.await.unwrap().unwrap().status(), 201);

    // It has ended: what it had to say has been said.
    assert_eq!(fleet.in_flight("payments"), Some(0.0));
    fleet.wait_for_in_flight(&["gateway", "orders"], 0.0).await;
    fleet.stop();
    let trace = fleet.order_trace();
    assert!(trace.is_complete(), "{}", trace.tree());
    assert!(server_span(&trace, "payments").unwrap().has("rpc.status_code", "OK"));
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_open() {
    let mut fleet = Fleet::start(UNDER_WAY).await;
    let order = tokio::spawn(fleet.slow_order().send());
    fleet.wait_for_in_flight(&["gateway", "orders", "payments"], 1.0).await;

    order.abort();
    assert!(order.await.unwrap_err().is_cancelled());
    fleet.wait_for_in_flight(&["gateway", "orders", "payments"], 0.0).await;
    wait_for_notification(&fleet).await;
    fleet.stop();

    let trace = fleet.order_trace();
    assert!(trace.is_complete(), "{}", trace.tree());
    for service in ["gateway", "orders"] {
        let span = server_span(&trace, service).unwrap();
        assert_eq!(span.attribute("http.response.status_code"), None, "nobody was there to answer");
        assert_eq!(span.status, Status::Unset);
    }
    // The order was brought to its end nevertheless, in the same trace, and the customer is told.
    assert!(server_span(&trace, "payments").unwrap().has("rpc.status_code", "OK"));
    let spans = fleet.receiver.spans();
    let told = spans.iter().find(|span| span.kind == SpanKind::Consumer).expect("a notification");
    assert_eq!(told.links[0].trace_id, trace.trace_id);
}

#[tokio::test]
async fn a_service_that_is_asked_to_stop_finishes_the_order_that_nobody_waits_for() {
    let mut fleet = Fleet::start(UNDER_WAY).await;
    let order = tokio::spawn(fleet.slow_order().send());
    fleet.wait_for_in_flight(&["gateway", "orders", "payments"], 1.0).await;

    order.abort();
    fleet.wait_for_in_flight(&["gateway", "orders"], 0.0).await;
    fleet.stop_one("orders");
    wait_for_notification(&fleet).await;
    fleet.stop();
    let trace = fleet.order_trace();
    assert!(trace.is_complete(), "{}", trace.tree());
}

/// Somebody has told the customer of the order, which is the last that becomes of one.
async fn wait_for_notification(fleet: &Fleet) {
    let is_told =
        |receiver: &OtlpReceiver| receiver.spans().iter().any(|span| span.kind == SpanKind::Consumer);
    fleet.receiver.wait_for(PATIENCE, is_told).await.expect("a notification");
}
