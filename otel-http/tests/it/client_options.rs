//! Options of clients: templates, service names, sizes, destinations, numbered attempts.

use std::convert::Infallible;
use std::future::ready;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use futures_util::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{self, connect::HttpInfo};
use hyper_util::rt::TokioExecutor;
use opentelemetry::Context;
use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use otel_http::reqwest::Client;
use otel_http::{DestinationPolicy, HttpClientLayerBuilder, ResendCount, ResendCountLayer, UrlTemplate};
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry};
use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::follow_redirect::FollowRedirectLayer;

use crate::support::{CLIENT_DURATION, client_layer, get, serve};

async fn answer(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from("hello")))
}

async fn send(layer: HttpClientLayerBuilder, request: Request<Body>) {
    let response = layer.build().layer(service_fn(answer)).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn a_template_names_span_and_metrics() {
    for (own, path, expected) in [
        (None, "/users/42", Some("/users/{id}")),
        (None, "/users/me", Some("/users/me")),
        (None, "/users/42/orders", None),
        (Some("/people/{name}"), "/users/42", Some("/people/{name}")),
    ] {
        let telemetry = TestTelemetry::new();
        let layer = client_layer(&telemetry)
            .with_url_templates(["/users/{id}", "/users/me"])
            .with_active_requests(true)
            .with_body_sizes(true);
        let mut request = get(&format!("http://users.example{path}"));
        if let Some(own) = own {
            request.extensions_mut().insert(UrlTemplate::new(own));
        }
        send(layer, request).await;
        let name = expected.map_or("GET".to_owned(), |template| format!("GET {template}"));
        let span = telemetry.span(&name);
        assert_eq!(span.attribute("url.template").map(ToString::to_string).as_deref(), expected);
        let sizes = ["http.client.request.body.size", "http.client.response.body.size"];
        for metric in [CLIENT_DURATION, "http.client.active_requests"].into_iter().chain(sizes) {
            let points = telemetry.points(metric);
            let template = points[0].attribute("url.template").and_then(|value| value.as_str());
            assert_eq!((points.len(), template), (1, expected), "{metric}");
        }
        assert_eq!(Conventions::new().check(&telemetry), []);
    }
}

#[tokio::test]
async fn a_service_is_named_on_the_span_alone() {
    for (url, expected) in [
        ("http://users.internal/", Some("users")),
        ("http://a.b.example/", Some("examples")),
        ("http://localhost:8080/", Some("local")),
        ("http://localhost:8081/", None),
    ] {
        let telemetry = TestTelemetry::new();
        let names = [("users.internal", "users"), ("*.example", "examples"), ("localhost:8080", "local")];
        send(client_layer(&telemetry).with_service_names(names), get(url)).await;
        let span = telemetry.span("GET");
        assert_eq!(
            span.attribute("server.service.name").map(ToString::to_string).as_deref(),
            expected,
            "{url}"
        );
        assert!(telemetry.points(CLIENT_DURATION)[0].attribute("server.service.name").is_none());
        assert_eq!(Conventions::new().check(&telemetry), []);
    }
}

#[tokio::test]
async fn development_metrics_are_off_unless_asked_for() {
    let telemetry = TestTelemetry::new();
    send(client_layer(&telemetry), get("http://users.example/")).await;
    let names: Vec<_> = telemetry.metrics().into_iter().map(|metric| metric.name).collect();
    assert_eq!(names, [CLIENT_DURATION]);
}

#[tokio::test]
async fn what_is_in_flight_carries_its_server() {
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry).with_active_requests(true).build();
    let client = layer
        .layer(service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>()));
    let mut sent = Box::pin(client.oneshot(get("http://users.example/")));
    assert!(futures_util::poll!(&mut sent).is_pending());
    let metric = telemetry.metric("http.client.active_requests");
    assert_eq!((metric.unit.as_str(), metric.points[0].number().unwrap().as_f64()), ("{request}", 1.0));
    let mut keys = metric.points[0].attributes.keys();
    keys.sort_unstable();
    assert_eq!(keys, ["http.request.method", "server.address", "server.port"]);
    drop(sent);
    assert_eq!(telemetry.sum("http.client.active_requests"), 0.0);
}

/// Count and sum of a histogram.
fn size(telemetry: &TestTelemetry, direction: &str) -> Option<(u64, f64)> {
    let points = telemetry.points(&format!("http.client.{direction}.body.size"));
    let histogram = points.first()?.histogram()?;
    Some((histogram.count, histogram.sum?))
}

#[tokio::test]
async fn sizes_that_are_not_known_are_not_recorded() {
    let stream = || Body::from_stream(stream::iter(["ab", "cde"].map(Ok::<_, Infallible>)));
    for (body, expected) in
        [(Body::from("body"), Some((1, 4.0))), (Body::empty(), Some((1, 0.0))), (stream(), None)]
    {
        let telemetry = TestTelemetry::new();
        let request = Request::post("http://users.example/").body(body).unwrap();
        send(client_layer(&telemetry).with_body_sizes(true), request).await;
        assert_eq!(size(&telemetry, "request"), expected);
        assert_eq!(size(&telemetry, "response"), Some((1, 5.0)));
    }
}

#[tokio::test]
async fn reqwest_counts_streams_in_both_directions_and_changes_nothing_else() {
    let telemetry = TestTelemetry::new();
    let echo = |body: axum::body::Bytes| async move { ([("x-kept", "1")], body) };
    let address = serve(Router::new().route("/", post(echo))).await;
    let client = Client::instrument(reqwest::Client::builder().no_proxy().build().unwrap())
        .with_tracer_provider(telemetry.tracer_provider())
        .with_meter_provider(telemetry.meter_provider())
        .with_body_sizes(true)
        .with_end_at_body(true)
        .build();
    let chunks = stream::iter(["ab", "cde"].map(Ok::<_, Infallible>));
    let body = reqwest::Body::wrap_stream(chunks);
    let response = client.post(format!("http://{address}/")).body(body).send().await.unwrap();
    assert_eq!(response.url().as_str(), format!("http://{address}/"));
    assert_eq!((response.remote_addr(), response.content_length()), (Some(address), Some(5)));
    assert_eq!(response.headers()["x-kept"], "1");
    assert!(telemetry.spans().is_empty());
    assert_eq!(response.text().await.unwrap(), "abcde");
    assert_eq!(telemetry.spans().len(), 1);
    assert_eq!((size(&telemetry, "request"), size(&telemetry, "response")), (Some((1, 5.0)), Some((1, 5.0))));
    let points = telemetry.points("http.client.request.body.size");
    assert!(
        points[0].has("http.response.status_code", 200) && points[0].has("network.protocol.version", "1.1")
    );
}

/// Sends so many times, whatever comes back.
#[derive(Clone)]
struct Again(usize);

impl<B> tower::retry::Policy<Request<String>, Response<B>, Infallible> for Again {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<String>,
        _: &mut Result<Response<B>, Infallible>,
    ) -> Option<Self::Future> {
        self.0 = self.0.checked_sub(1)?;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<String>) -> Option<Request<String>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_layer_s_attempts_are_numbered() {
    async fn answer(_: Request<String>) -> Result<Response<String>, Infallible> {
        Ok(Response::new(String::new()))
    }
    let resends = |telemetry: &TestTelemetry| -> Vec<_> {
        let spans = telemetry.spans();
        spans.iter().map(|span| span.attribute("http.request.resend_count").cloned()).collect()
    };
    let request = || Request::get("http://users.example/").body(String::new()).unwrap();
    let expected = [None, Some(1.into()), Some(2.into())];

    let telemetry = TestTelemetry::new();
    let client = ServiceBuilder::new()
        .layer(ResendCountLayer::new())
        .layer(RetryLayer::new(Again(2)))
        .layer(client_layer(&telemetry).build())
        .service_fn(answer);
    client.oneshot(request()).await.unwrap();
    assert_eq!(resends(&telemetry), expected);

    // The application may count by itself.
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry).build();
    let client = ServiceBuilder::new().layer(RetryLayer::new(Again(2))).layer(layer).service_fn(answer);
    let mut counted = request();
    counted.extensions_mut().insert(ResendCount::new());
    client.clone().oneshot(counted).await.unwrap();
    assert_eq!(resends(&telemetry), expected);

    // Without a count nobody knows.
    telemetry.clear();
    client.oneshot(request()).await.unwrap();
    assert_eq!(resends(&telemetry), [None, None, None]);
}

#[tokio::test]
async fn each_send_of_a_layer_that_follows_redirects_has_a_span_and_a_context() {
    let telemetry = TestTelemetry::new();
    let (sender, sent) = std::sync::mpsc::channel();
    let answer = move |request: Request<String>| {
        let to = match request.uri().path() {
            "/old" => Some("/new"),
            "/new" => Some("http://other.example/"),
            _ => None,
        };
        sender.send(request.headers()["traceparent"].clone()).unwrap();
        let mut response = Response::builder().status(if to.is_some() { 307 } else { 200 });
        if let Some(to) = to {
            response = response.header("location", to);
        }
        ready(Ok::<_, Infallible>(response.body(String::new()).unwrap()))
    };
    let client = ServiceBuilder::new()
        .layer(ResendCountLayer::new())
        .layer(FollowRedirectLayer::new())
        .layer(client_layer(&telemetry).build())
        .service_fn(answer);
    client.oneshot(Request::get("http://users.example/old").body(String::new()).unwrap()).await.unwrap();
    let spans = telemetry.spans();
    let facts = spans.iter().map(|span| {
        let [url, resends] = ["url.full", "http.request.resend_count"].map(|key| span.attribute(key));
        (url.unwrap().to_string(), resends.cloned())
    });
    // tower-http hands extensions on within an origin.
    let expected = [
        ("http://users.example/old", None),
        ("http://users.example/new", Some(1.into())),
        ("http://other.example/", None),
    ];
    assert_eq!(facts.collect::<Vec<_>>(), expected.map(|(url, resends)| (url.to_owned(), resends)));
    for (span, header) in spans.iter().zip(sent.try_iter()) {
        assert!(header.to_str().unwrap().contains(&span.span_context.span_id().to_string()), "{header:?}");
    }
}

#[tokio::test]
async fn a_destination_policy_of_the_layer() {
    let policy = DestinationPolicy::new()
        .deny("partner.internal")
        .allow("*.internal")
        .allow_trace_context("api.example")
        .allow_baggage("bags.example:8080")
        .allow_baggage_keys("some.example", ["tenant", "absent"])
        .allow_baggage_keys("none.example", ["absent"]);
    for (url, trace_context, baggage) in [
        ("http://users.internal/", true, &["role=admin", "tenant=7;ttl=1"][..]),
        ("http://partner.internal/", false, &[]),
        ("https://API.example/", true, &[]),
        ("http://bags.example:8080/", false, &["role=admin", "tenant=7;ttl=1"]),
        ("http://bags.example/", false, &[]),
        ("http://some.example/", true, &["tenant=7;ttl=1"]),
        ("http://none.example/", true, &[]),
        ("http://user:secret@evil.example/?users.internal", false, &[]),
    ] {
        let telemetry = TestTelemetry::new();
        let propagator = TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ]);
        let layer =
            client_layer(&telemetry).with_propagator(propagator).with_destinations(policy.clone()).build();
        let client = layer.layer(service_fn(|request: Request<Body>| {
            let mut response = Response::new(Body::empty());
            *response.headers_mut() = request.headers().clone();
            async move { Ok::<_, Infallible>(response) }
        }));
        let mut request = get(url);
        for name in ["traceparent", "tracestate", "baggage", "b3", "x-other"] {
            request.headers_mut().insert(name, "byhand=1".parse().unwrap());
        }
        let context = Context::new().with_baggage([
            KeyValueMetadata::new("tenant", "7", "ttl=1"),
            KeyValueMetadata::new("role", "admin", ""),
        ]);
        let sent =
            opentelemetry::context::FutureExt::with_context(client.oneshot(request), context).await.unwrap();
        let headers: &HeaderMap = sent.headers();
        assert_eq!(
            headers.get("traceparent").is_some_and(|value| value != "byhand=1"),
            trace_context,
            "{url}"
        );
        assert_eq!(headers.get("traceparent").is_some(), trace_context, "{url}");
        assert_eq!(headers.get("b3").is_some(), trace_context, "{url}");
        let sent: Vec<_> = headers.get_all("baggage").iter().map(|value| value.to_str().unwrap()).collect();
        let mut sent: Vec<_> = sent.iter().flat_map(|value| value.split(',')).collect();
        sent.sort_unstable();
        assert_eq!(sent, baggage, "{url}");
        assert!(headers.contains_key("x-other"));
        assert_eq!(telemetry.spans().len(), 1, "the request is observed wherever it goes");
    }
}

/// Methods, paths, queries and headers of a client come from its users; the hosts it calls are its own.
#[tokio::test]
async fn ten_thousand_requests_make_no_new_series() {
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry)
        .with_active_requests(true)
        .with_body_sizes(true)
        .with_url_templates(["/users/{id}"])
        .build();
    let client = layer.layer(service_fn(answer));
    let mut series = Vec::new();
    for number in 0..10_000_u32 {
        let method = match number % 3 {
            0 => Method::GET,
            1 => Method::from_bytes(format!("M{number}").as_bytes()).unwrap(),
            _ => Method::from_bytes(format!("get{number}").as_bytes()).unwrap(),
        };
        let (user, host) =
            (number.wrapping_mul(2_654_435_761), ["a.example", "b.example:8080"][number as usize % 2]);
        let path = if number % 5 == 0 { format!("/{user}") } else { format!("/users/{user}") };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://u{user}:p{user}@{host}{path}?q={user}"))
            .header("user-agent", format!("agent {user}"))
            .header("x-forwarded-for", format!("10.{}.0.1", number % 256))
            .header("host", format!("{user}.example"))
            .body(Body::from(vec![0; number as usize % 7]))
            .unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        if number == 99 || number == 9_999 {
            let metrics = telemetry.metrics();
            series.push(
                metrics.iter().map(|metric| (metric.name.clone(), metric.points.len())).collect::<Vec<_>>(),
            );
        }
    }
    assert_eq!(series[0], series[1]);
    // GET and `_OTHER`, two hosts, with and without a template.
    assert!(series[0].iter().all(|(_, points)| *points == 8), "{series:?}");
    let names: std::collections::BTreeSet<_> = telemetry.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[tokio::test]
async fn statuses_are_few_whatever_a_server_says() {
    let telemetry = TestTelemetry::new();
    let layer = client_layer(&telemetry).build();
    for code in 100..1_000 {
        let client = layer.layer(service_fn(move |_: Request<Body>| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            ready(Ok::<_, Infallible>(response))
        }));
        client.oneshot(get("http://users.example/")).await.unwrap();
    }
    assert_eq!(telemetry.points(CLIENT_DURATION).len(), 900, "a status has three digits");
}

/// As gRPC clients, Jaeger's, OpenTracing's and others write them.
const TRACE_CONTEXT: [&str; 5] =
    ["traceparent", "grpc-trace-bin", "uber-trace-id", "x-cloud-trace-context", "x-datadog-tags"];
const BAGGAGE: [&str; 4] = ["baggage", "uberctx-tenant", "ot-baggage-tenant", "jaeger-baggage"];

#[tokio::test]
async fn a_policy_holds_for_requests_that_a_layer_further_out_observes() {
    let telemetry = TestTelemetry::new();
    let destinations = DestinationPolicy::new().allow_trace_context("traces.example").allow("all.example");
    let layer = client_layer(&telemetry).with_destinations(destinations).build();
    let client = layer.layer(service_fn(|request: Request<Body>| async move {
        let all = |names: &[&str]| names.iter().filter(|name| request.headers().contains_key(**name)).count();
        let sent = format!("{} {}", all(&TRACE_CONTEXT), all(&BAGGAGE));
        Ok::<_, Infallible>(Response::new(Body::from(sent)))
    }));
    for (host, expected) in [("stranger.example", "0 0"), ("traces.example", "5 0"), ("all.example", "5 4")] {
        let mut request = get(&format!("http://{host}/"));
        for name in TRACE_CONTEXT.into_iter().chain(BAGGAGE) {
            request.headers_mut().insert(name, "0af7651916cd43dd8448eb211c80319c".parse().unwrap());
        }
        otel_core::AlreadyObserved::mark(request.extensions_mut());
        let response = client.clone().oneshot(request).await.unwrap();
        let sent = axum::body::to_bytes(Body::new(response.into_body()), 100).await.unwrap();
        assert_eq!(sent, expected, "{host}");
    }
    assert!(telemetry.spans().is_empty(), "{}", telemetry.tree());
}

#[tokio::test]
async fn a_count_that_a_request_has_already_goes_on() {
    let telemetry = TestTelemetry::new();
    let layers = ServiceBuilder::new().layer(ResendCountLayer::new()).layer(client_layer(&telemetry).build());
    let client = layers.service(service_fn(answer));
    let count = ResendCount::new();
    for _ in 0..2 {
        let mut request = get("http://users.example/");
        request.extensions_mut().insert(count.clone());
        client.clone().oneshot(request).await.unwrap();
    }
    let [first, second] = telemetry.spans().try_into().unwrap();
    assert_eq!(first.attribute("http.request.resend_count"), None);
    assert!(second.has("http.request.resend_count", 1), "{}", telemetry.tree());
}

/// A buffer between the layers takes the request into a task that has another context.
#[tokio::test]
async fn a_policy_reads_what_a_layer_further_out_has_written() {
    let telemetry = TestTelemetry::new();
    let destinations = DestinationPolicy::new()
        .allow_trace_context("traces.example")
        .allow_baggage("bags.example")
        .allow_baggage_keys("some.example", ["tenant"]);
    let propagator = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]);
    let layer = client_layer(&telemetry).with_propagator(propagator).with_destinations(destinations).build();
    let client = layer.layer(service_fn(|request: Request<Body>| async move {
        let sent = ["traceparent", "baggage"].map(|name| request.headers().get(name).cloned());
        Ok::<_, Infallible>(Response::new(Body::from(format!("{sent:?}"))))
    }));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (host, expected) in [
        ("traces.example", [Some(parent), None]),
        ("bags.example", [None, Some("tenant=7")]),
        ("some.example", [Some(parent), Some("tenant=7")]),
    ] {
        let mut request = get(&format!("http://{host}/"));
        let baggage = if host == "some.example" { "tenant=7,role=admin" } else { "tenant=7" };
        for (name, value) in [("traceparent", parent), ("baggage", baggage)] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        otel_core::AlreadyObserved::mark(request.extensions_mut());
        let other = Context::new().with_baggage([KeyValueMetadata::new("tenant", "other", "")]);
        let sent = opentelemetry::context::FutureExt::with_context(client.clone().oneshot(request), other);
        let sent = sent.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        assert_eq!(sent, format!("{expected:?}"), "{host}");
    }
}

#[tokio::test]
async fn the_socket_s_other_end_is_what_the_response_tells() {
    let address = serve(Router::new().route("/", axum::routing::get(|| async { "fine" }))).await;
    let telemetry = TestTelemetry::new();
    let inner = legacy::Client::builder(TokioExecutor::new()).build_http::<Body>();
    let url = format!("http://localhost:{}/", address.port());
    let layer = client_layer(&telemetry)
        .with_peer_address(|response| response.get::<HttpInfo>().map(HttpInfo::remote_addr))
        .with_attributes(|_, attributes| attributes.span("network.peer.address", "mine"));
    layer.build().layer(inner.clone()).oneshot(get(&url)).await.unwrap();
    let panics = client_layer(&telemetry).with_peer_address(|_| panic!("as the test wants it"));
    panics.build().layer(inner).oneshot(get(&url)).await.unwrap();

    let [known, unknown] = telemetry.spans().try_into().unwrap();
    assert!(known.has("network.peer.address", "127.0.0.1"), "{}", telemetry.tree());
    assert!(known.has("network.peer.port", i64::from(address.port())), "{}", telemetry.tree());
    assert_eq!(unknown.attribute("network.peer.address"), None);
    telemetry.assert_clean();
    telemetry.assert_conventions_of(&Conventions::new());
}
