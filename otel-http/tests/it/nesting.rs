//! `tracing` spans of the application and our spans form one tree, both ways round.

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::{Request, Response};
use http_body_util::Empty;
use otel_testing::TestTelemetry;
use tower::{Layer, ServiceExt, service_fn};
use tracing::Instrument;

use crate::support::{call, client_layer, get, server_layer};

#[tokio::test]
async fn a_tracing_span_in_the_handler_is_a_child_of_the_server_span() {
    let telemetry = TestTelemetry::new();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    let handler = || async {
        tracing::info!("charging");
        "done"
    };
    let handler = move || handler().instrument(tracing::info_span!("charge card"));
    let app = Router::new().route("/", on_get(handler)).layer(server_layer(&telemetry).build());
    call(&app, get("/")).await;

    let (server, inner) = (telemetry.span("GET /"), telemetry.span("charge card"));
    assert_eq!(inner.parent_span_id, server.span_context.span_id(), "{}", telemetry.tree());
    assert_eq!(inner.span_context.trace_id(), server.span_context.trace_id());
    let logs = telemetry.logs();
    assert_eq!(logs[0].span_id, Some(inner.span_context.span_id()), "{logs:?}");
}

#[tokio::test]
async fn a_client_span_made_inside_a_tracing_span_is_its_child() {
    let telemetry = TestTelemetry::new();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    let client = client_layer(&telemetry).build().layer(service_fn(|_: Request<Body>| async {
        Ok::<_, std::io::Error>(Response::new(Empty::<bytes::Bytes>::new()))
    }));
    async { client.oneshot(get("http://users.example/")).await.unwrap() }
        .instrument(tracing::info_span!("load user"))
        .await;

    let (outer, client) = (telemetry.span("load user"), telemetry.span("GET"));
    assert_eq!(client.parent_span_id, outer.span_context.span_id(), "{}", telemetry.tree());
}
