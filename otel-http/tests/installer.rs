//! What whoever installs the SDK says of it: whether instruments can be bound to their attributes, which paths are left
//! out. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry::metrics::{
    Histogram, HistogramBuilder, InstrumentProvider, Meter, MeterProvider, SyncInstrument,
};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};
use opentelemetry_sdk::trace::SpanData;
use otel_core::propagation::{B3Propagator, TraceContextPropagator};
use otel_core::{HttpHeaders, Install};
use otel_http::{HttpClientLayer, HttpServerLayer};
use otel_testing::TestTelemetry;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tower::ServiceExt;

/// An SDK that knows nothing of bound instruments: what they record would be lost.
struct Plain {
    recorded: Arc<AtomicUsize>,
}

struct PlainHistogram(Arc<AtomicUsize>);

impl MeterProvider for Plain {
    fn meter_with_scope(&self, _: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(Plain { recorded: Arc::clone(&self.recorded) }))
    }
}

impl InstrumentProvider for Plain {
    fn f64_histogram(&self, _: HistogramBuilder<'_, Histogram<f64>>) -> Histogram<f64> {
        Histogram::new(Arc::new(PlainHistogram(Arc::clone(&self.recorded))))
    }
}

impl SyncInstrument<f64> for PlainHistogram {
    fn measure(&self, _: f64, attributes: &[KeyValue]) {
        assert!(attributes.len() >= 4, "{attributes:?}");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const B3: &str = "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1";

/// What is said replaces what was said before.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn serve(app: &Router, path: &str) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    axum::body::to_bytes(response.into_body(), 100).await.unwrap();
}

#[tokio::test]
async fn paths_that_are_excluded_pass_with_their_callers_context() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let telemetry = TestTelemetry::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let handler = {
        let seen = Arc::clone(&seen);
        get(move || async move {
            seen.lock().unwrap().push(Context::current().span().span_context().trace_id().to_string());
        })
    };
    let layer = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_propagator(TraceContextPropagator::new())
        .build();
    let app = Router::new().route("/{*path}", handler).layer(layer);
    Install::new()
        .with_excluded_paths("OTEL_HTTP", ["/health*", "/metrics"])
        .with_excluded_paths("grpc", ["/users/*"])
        .announce();
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for path in ["/healthz", "/health/live?verbose", "/metrics", "/users/1", "/metrics/all"] {
        let request = Request::get(path).header("traceparent", caller).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), ["4bf92f3577b34da6a3ce929d0e0e4736"; 5]);
    let paths = || {
        let spans = telemetry.spans();
        let path = |span: &SpanData| span.attributes.iter().find(|kv| kv.key.as_str() == "url.path").cloned();
        spans.iter().map(|span| path(span).unwrap().value.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(paths(), ["/users/1", "/metrics/all"]);
    assert_eq!(telemetry.histogram_count("http.server.request.duration"), 2);
    Install::new().announce();
    serve(&app, "/metrics").await;
    assert_eq!(paths(), ["/users/1", "/metrics/all", "/metrics"]);
}

#[tokio::test]
async fn the_propagator_that_is_named_is_used_and_the_global_one_if_none_is() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let telemetry = TestTelemetry::new();
    let layer = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let app = Router::new().route("/", get(|| async {})).layer(layer);
    let traces = async || {
        for header in [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("b3", B3)]
        {
            let request = Request::get("/").header(header.0, header.1).body(Body::empty()).unwrap();
            app.clone().oneshot(request).await.unwrap();
        }
        let spans = telemetry.spans();
        telemetry.clear();
        spans.iter().map(|span| span.parent_span_id.to_string()).collect::<Vec<_>>()
    };
    global::set_text_map_propagator(B3Propagator::single());
    Install::new().with_propagator(TraceContextPropagator::new()).announce();
    assert_eq!(traces().await, ["00f067aa0ba902b7", "0000000000000000"]);
    let w3c = || Install::new().with_propagator_reads_only_w3c(true);
    w3c().with_propagator(TraceContextPropagator::new()).announce();
    assert_eq!(traces().await, ["00f067aa0ba902b7", "0000000000000000"]);
    // Said of no propagator: the global one may be any.
    for install in [w3c(), Install::new()] {
        install.announce();
        assert_eq!(traces().await, ["0000000000000000", "05e3ac9a4f6e3b90"]);
    }
}

#[tokio::test]
async fn every_metric_arrives_whether_the_sdk_can_bind_or_not() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let routes = || {
        Router::new()
            .route("/users/{id}", get(|| async { "Ada" }))
            .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
    };
    let app = routes().layer(HttpServerLayer::builder().for_axum().with_body_sizes(true).build());

    // Set by hand, without a word on what it can.
    let recorded = Arc::new(AtomicUsize::new(0));
    global::set_meter_provider(Plain { recorded: Arc::clone(&recorded) });
    otel_core::announce_install(false);
    for _ in 0..5 {
        serve(&app, "/users/42").await;
    }
    assert_eq!(recorded.load(Ordering::Relaxed), 5);

    // An SDK that can, as otel-init installs it; then one that was given by hand beside it.
    let telemetry = TestTelemetry::new();
    global::set_meter_provider(telemetry.meter_provider());
    Install::new().with_bound_instruments(true).with_sampler_reads_attributes(false).announce();
    let recorded = Arc::new(AtomicUsize::new(0));
    let own =
        HttpServerLayer::builder().for_axum().with_meter_provider(Plain { recorded: Arc::clone(&recorded) });
    let own = routes().layer(own.build());
    for _ in 0..7 {
        serve(&app, "/users/42").await;
        serve(&app, "/broken").await;
        serve(&own, "/users/42").await;
    }
    assert_eq!(recorded.load(Ordering::Relaxed), 7);
    let metric = telemetry.metric("http.server.request.duration");
    assert_eq!(metric.points.len(), 2);
    for point in &metric.points {
        assert_eq!(point.count(), Some(7));
        let mut keys = point.attributes.keys();
        keys.sort_unstable();
        let route = point.attribute("http.route").and_then(|route| route.as_str()).unwrap();
        let expected: &[&str] = match route {
            "/broken" => &["error.type"],
            _ => &[],
        };
        let common = [
            "http.request.method",
            "http.response.status_code",
            "http.route",
            "network.protocol.version",
            "url.scheme",
        ];
        assert_eq!(keys, [expected, &common[..]].concat());
    }
    let sizes = telemetry.metric("http.server.response.body.size");
    let total: u64 = sizes.points.iter().filter_map(otel_testing::Point::count).sum();
    assert_eq!(total, 14);
}

#[tokio::test]
async fn headers_that_the_installer_names_come_besides_those_of_the_layer_and_secrets_do_not() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let telemetry = TestTelemetry::new();
    let server = HttpServerLayer::builder()
        .for_axum()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_captured_request_headers(["x-own", "!x-shop-noise"])
        .build();
    let client = HttpClientLayer::builder()
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .build();
    let answer = || async { [("x-shop-answer", "yes"), ("set-cookie", "hunter2")] };
    let app = Router::new().route("/", get(answer)).layer(server);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let http = tower::Layer::layer(&client, Client::builder(TokioExecutor::new()).build_http::<Body>());
    let headers = async || {
        let request = Request::get(format!("http://{address}/"));
        let request =
            [("x-own", "1"), ("x-shop-tenant", "a"), ("x-shop-noise", "b"), ("authorization", "hunter2")]
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value));
        let response = http.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        axum::body::to_bytes(Body::new(response.into_body()), 100).await.unwrap();
        let said = |kind| {
            let span = telemetry.spans().into_iter().find(|span| span.span_kind == kind).unwrap();
            let headers = span.attributes.iter().filter(|kv| kv.key.as_str().contains(".header."));
            let mut said: Vec<_> = headers.map(|kv| format!("{}={}", kv.key, kv.value)).collect();
            said.sort();
            said
        };
        let said = (said(SpanKind::Server), said(SpanKind::Client));
        telemetry.clear();
        said
    };
    let own = "http.request.header.x-own=[\"1\"]".to_owned();
    Install::new().announce();
    assert_eq!(headers().await, (vec![own.clone()], vec![]));
    Install::new()
        .with_captured_headers(HttpHeaders::ServerRequest, ["X-Shop-*", "authorization"])
        .with_captured_headers(HttpHeaders::ServerResponse, ["x-shop-answer"])
        .with_captured_headers(HttpHeaders::ClientRequest, ["x-shop-tenant"])
        .with_captured_headers(HttpHeaders::ClientResponse, ["set-cookie"])
        .announce();
    let (server, client) = headers().await;
    assert_eq!(
        server,
        [
            "http.request.header.authorization=[\"REDACTED\"]",
            &own,
            "http.request.header.x-shop-tenant=[\"a\"]",
            "http.response.header.x-shop-answer=[\"yes\"]",
        ]
    );
    assert_eq!(
        client,
        ["http.request.header.x-shop-tenant=[\"a\"]", "http.response.header.set-cookie=[\"REDACTED\"]"]
    );
    Install::new().announce();
    assert_eq!(headers().await, (vec![own], vec![]));
    serving.abort();
}
