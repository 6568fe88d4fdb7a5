//! Behind switches: gRPC's own metrics, counts of messages, events, attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::SpanKind;
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry};
use tonic::Code;
use tower::{Layer, ServiceBuilder, ServiceExt};

use crate::echo::{Asked, EchoClient, End, Kind, words};
use crate::support::{channel, client_layer, client_of, connected, of_kind, serve, server_layer, settled};

fn well(kind: Kind) -> Asked {
    Asked::new(kind, Code::Ok, End::Trailers)
}

/// Messages that the client sends and gets, and their bytes: tag and length take two.
fn expected(kind: Kind) -> [i64; 4] {
    match kind {
        Kind::Unary => [1, 5, 1, 5],
        Kind::ClientStream => [2, 10, 1, 9],
        Kind::ServerStream => [1, 9, 2, 10],
        Kind::Bidi => [2, 10, 2, 10],
    }
}

#[tokio::test]
async fn messages_are_counted_in_both_directions_on_both_ends() {
    for kind in Kind::ALL {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry).with_message_counts(true).build();
        let mut client = client_of(client_layer(&telemetry).with_message_counts(true), serve(server).await);
        client.call(&well(kind)).await.unwrap();
        settled(&telemetry).await;
        let [sent, sent_bytes, received, received_bytes] = expected(kind);
        let (server, client) =
            (of_kind(&telemetry, &SpanKind::Server), of_kind(&telemetry, &SpanKind::Client));
        for (span, here, there) in [(client, "sent", "rcvd"), (server, "rcvd", "sent")] {
            let tree = telemetry.tree();
            assert!(span.has(&format!("grpc.{here}_messages"), sent), "{kind:?} {tree}");
            assert!(span.has(&format!("grpc.{there}_messages"), received), "{kind:?} {tree}");
            let size = |way: &str| format!("grpc.{way}_total_compressed_message_size");
            assert!(span.has(&size(here), sent_bytes), "{kind:?} {tree}");
            assert!(span.has(&size(there), received_bytes), "{kind:?} {tree}");
        }
    }
}

#[tokio::test]
async fn compressed_messages_count_as_they_are_sent() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_message_counts(true).with_message_events(true).build();
    let address = serve(server).await;
    let mut client = EchoClient::new(channel(address)).compressed();
    let text = "word ".repeat(1_000);
    let request = well(Kind::Unary).request(words(&text));
    client.unary(request).await.unwrap();
    otel_testing::eventually(crate::support::BOUND, || telemetry.spans().len() == 1).await;
    let span = &telemetry.spans()[0];
    for size in ["grpc.rcvd_total_compressed_message_size", "grpc.sent_total_compressed_message_size"] {
        let bytes = match span.attribute(size) {
            Some(opentelemetry::Value::I64(bytes)) => *bytes,
            other => panic!("{other:?}"),
        };
        assert!((1..1_000).contains(&bytes), "{size} is {bytes}, of 5000 before");
    }
    let events: Vec<_> = span.events.iter().collect();
    assert_eq!(events.len(), 2, "{}", telemetry.tree());
    for event in events {
        assert!(event.attributes.iter().any(|attribute| attribute.key.as_str() == "message-size-compressed"));
    }
}

#[tokio::test]
async fn message_events_are_off_until_asked_for() {
    for asked in [false, true] {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry).with_message_events(asked).build();
        let client = client_layer(&telemetry).with_message_events(asked);
        client_of(client, serve(server).await).call(&well(Kind::Bidi)).await.unwrap();
        settled(&telemetry).await;
        for kind in [SpanKind::Server, SpanKind::Client] {
            let span = of_kind(&telemetry, &kind);
            let count = |name: &str| span.events.iter().filter(|event| event.name == name).count();
            let each = if asked { 2 } else { 0 };
            assert_eq!((count("Inbound message"), count("Outbound message")), (each, each));
        }
    }
}

#[tokio::test]
async fn grpc_s_own_metrics_are_behind_a_switch() {
    let telemetry = TestTelemetry::new();
    let mut client = connected(&telemetry).await;
    client.call(&well(Kind::Unary)).await.unwrap();
    settled(&telemetry).await;
    let names: Vec<_> = telemetry.metrics().into_iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), 4, "two durations, and two counters that the tests ask for: {names:?}");
}

#[tokio::test]
async fn grpc_s_own_metrics_of_both_ends() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_grpc_metrics(true).build();
    let address = serve(server).await;
    let mut client = client_of(client_layer(&telemetry).with_grpc_metrics(true), address);
    client.call(&Asked::new(Kind::ServerStream, Code::Aborted, End::Trailers)).await.unwrap_err();
    settled(&telemetry).await;

    let target = format!("http://{address}");
    for name in [
        "grpc.server.call.duration",
        "grpc.server.call.sent_total_compressed_message_size",
        "grpc.server.call.rcvd_total_compressed_message_size",
        "grpc.server.call.sent_messages",
        "grpc.server.call.rcvd_messages",
        "grpc.client.call.duration",
        "grpc.client.attempt.duration",
        "grpc.client.attempt.sent_total_compressed_message_size",
        "grpc.client.attempt.rcvd_total_compressed_message_size",
        "grpc.client.attempt.sent_messages",
        "grpc.client.attempt.rcvd_messages",
    ] {
        let metric = telemetry.assert_metric(name);
        metric.is_histogram().has_series(1);
        let point = &metric.metric().points[0];
        assert_eq!(point.count(), Some(1), "{name}");
        assert!(
            point.has("grpc.method", "test.v1.Echo/ServerStream") && point.has("grpc.status", "ABORTED"),
            "{name}"
        );
        assert_eq!(point.has("grpc.target", target.as_str()), name.contains("client"), "{name}");
        let sum = point.histogram().and_then(|histogram| histogram.sum).unwrap();
        match name.rsplit('.').next().unwrap() {
            "sent_messages" | "rcvd_messages" => {
                let is_answer = name.contains("server") == name.contains("sent");
                assert_eq!(sum, if is_answer { 2.0 } else { 1.0 }, "{name}");
            }
            "duration" => assert_eq!(metric.metric().unit, "s"),
            _ => assert_eq!(metric.metric().unit, "By"),
        }
    }
    for name in ["grpc.server.call.started", "grpc.client.attempt.started"] {
        telemetry.assert_metric(name).is_counter();
        assert_eq!(telemetry.sum(name), 1.0);
    }
    assert!(telemetry.points("grpc.client.call.retries").is_empty(), "0 is not reported");
    telemetry.assert_conventions_of(&Conventions::new().allow("grpc"));
}

/// Asks again while the answer is `UNAVAILABLE`, three times at most.
#[derive(Clone)]
struct Retry(u32);

type Answer<B, E> = Result<http::Response<B>, E>;

impl<B, E> tower::retry::Policy<http::Request<tonic::body::Body>, http::Response<B>, E> for Retry {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        request: &mut http::Request<tonic::body::Body>,
        result: &mut Answer<B, E>,
    ) -> Option<Self::Future> {
        let unavailable = result
            .as_ref()
            .is_ok_and(|answer| answer.headers().get("grpc-status").is_some_and(|it| it == "14"));
        self.0 = self.0.checked_sub(1).filter(|_| unavailable)?;
        // The last attempt is asked to go well.
        if self.0 == 0 {
            request.headers_mut().insert("x-code", 0.into());
            request.headers_mut().insert("x-end", http::HeaderValue::from_static("trailers"));
        }
        Some(std::future::ready(()))
    }

    fn clone_request(
        &mut self,
        request: &http::Request<tonic::body::Body>,
    ) -> Option<http::Request<tonic::body::Body>> {
        let mut clone = http::Request::new(message());
        *clone.uri_mut() = request.uri().clone();
        *clone.method_mut() = request.method().clone();
        *clone.headers_mut() = request.headers().clone();
        *clone.extensions_mut() = request.extensions().clone();
        Some(clone)
    }
}

/// The one message of the test, again: a stream cannot be sent twice.
fn message() -> tonic::body::Body {
    tonic::body::Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"\0\0\0\0\x05\n\x03one")))
}

#[tokio::test]
async fn attempts_are_measured_one_by_one_and_the_call_as_a_whole() {
    let telemetry = TestTelemetry::new();
    let server =
        server_layer(&telemetry).with_captured_request_headers(["grpc-previous-rpc-attempts"]).build();
    let address = serve(server).await;
    let calls = client_layer(&telemetry).with_grpc_metrics(true).with_target("shop:1").build();
    let attempts = calls.attempt_layer();
    let service = ServiceBuilder::new()
        .layer(calls)
        .layer(tower::retry::RetryLayer::new(Retry(2)))
        .layer(attempts)
        .service(channel(address));
    // With what a client of this service's had said of its own attempts.
    let asked = Asked::new(Kind::Unary, Code::Unavailable, End::TrailersOnly);
    let mut request = asked.request(words("one"));
    request.metadata_mut().insert("grpc-previous-rpc-attempts", 7.into());
    EchoClient::new(service).unary(request).await.unwrap();
    otel_testing::eventually(crate::support::BOUND, || telemetry.spans().len() == 4).await;

    let client = of_kind(&telemetry, &SpanKind::Client);
    assert!(client.has("rpc.status_code", "OK"), "one span for the call with all its attempts");
    let mut previous: Vec<_> = telemetry
        .spans()
        .iter()
        .filter(|span| span.span_kind == SpanKind::Server)
        .map(|span| span.attribute("rpc.request.header.grpc-previous-rpc-attempts").map(ToString::to_string))
        .collect();
    previous.sort();
    assert_eq!(previous, [None, Some("[\"1\"]".to_owned()), Some("[\"2\"]".to_owned())]);
    assert_eq!(telemetry.sum("grpc.client.attempt.started"), 3.0);
    let of_status = |status: &str| -> u64 {
        let points = telemetry.points("grpc.client.attempt.duration");
        points
            .iter()
            .filter(|point| point.has("grpc.status", status))
            .filter_map(otel_testing::Point::count)
            .sum()
    };
    assert_eq!((of_status("UNAVAILABLE"), of_status("OK")), (2, 1));
    assert_eq!(telemetry.histogram_count("grpc.client.call.duration"), 1);
    let retries = telemetry.points("grpc.client.call.retries");
    assert_eq!(retries[0].histogram().and_then(|histogram| histogram.sum), Some(2.0));
    assert!(retries[0].has("grpc.target", "dns:///shop:1"));
}

/// Asks once more after half of the time, and then nobody answers.
#[derive(Clone)]
struct AskLate {
    retry: Retry,
    after: std::time::Duration,
}

impl<B, E> tower::retry::Policy<http::Request<tonic::body::Body>, http::Response<B>, E> for AskLate {
    type Future = futures_util::future::BoxFuture<'static, ()>;

    fn retry(
        &mut self,
        request: &mut http::Request<tonic::body::Body>,
        result: &mut Answer<B, E>,
    ) -> Option<Self::Future> {
        let _now = tower::retry::Policy::retry(&mut self.retry, request, result)?;
        request.headers_mut().insert("x-end", http::HeaderValue::from_static("hang"));
        let backoff = tokio::time::timeout(self.after, std::future::pending::<()>());
        Some(Box::pin(async move { drop(backoff.await) }))
    }

    fn clone_request(
        &mut self,
        request: &http::Request<tonic::body::Body>,
    ) -> Option<http::Request<tonic::body::Body>> {
        tower::retry::Policy::<_, http::Response<B>, E>::clone_request(&mut self.retry, request)
    }
}

#[tokio::test]
async fn the_time_of_a_call_is_that_of_its_last_attempt_too() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let calls = client_layer(&telemetry).with_grpc_metrics(true).with_target("shop:1").build();
    let attempts = calls.attempt_layer();
    let time = std::time::Duration::from_secs(6);
    let policy = AskLate { retry: Retry(1), after: time / 2 };
    let service = ServiceBuilder::new()
        .layer(calls)
        .layer(tower::retry::RetryLayer::new(policy))
        .layer(attempts)
        .service(channel(address));
    let mut asked = Asked::new(Kind::Unary, Code::Unavailable, End::TrailersOnly);
    asked.timeout = Some(time);
    let answer = tokio::time::timeout(time, async { EchoClient::new(service).call(&asked).await }).await;
    assert!(answer.is_err(), "{answer:?}");
    let statuses = |metric: &str| {
        let points = telemetry.points(metric);
        let of = |status: &&str| points.iter().any(|point| point.has("grpc.status", *status));
        ["CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"].into_iter().filter(of).collect::<Vec<_>>()
    };
    assert_eq!(statuses("grpc.client.call.duration"), ["DEADLINE_EXCEEDED"]);
    assert_eq!(statuses("grpc.client.attempt.duration"), ["DEADLINE_EXCEEDED", "UNAVAILABLE"]);
}

/// A layer that two channels share, of which only one sends again.
#[tokio::test]
async fn a_channel_without_the_attempt_layer_is_measured_as_ever() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let calls = client_layer(&telemetry).with_grpc_metrics(true).build();
    let attempts = calls.attempt_layer();
    let retrying = ServiceBuilder::new()
        .layer(calls.clone())
        .layer(tower::retry::RetryLayer::new(Retry(1)))
        .layer(attempts)
        .service(channel(address));
    let plain = ServiceBuilder::new().layer(calls).service(channel(address));
    let asked = |kind| Asked::new(kind, Code::Unavailable, End::TrailersOnly);
    EchoClient::new(retrying).call(&asked(Kind::Unary)).await.unwrap();
    EchoClient::new(plain).call(&asked(Kind::ServerStream)).await.unwrap_err();

    let count_of = |metric: &str, method: &str| -> f64 {
        let points = telemetry.points(metric);
        let of_method = points.iter().filter(|point| point.has("grpc.method", method));
        of_method.map(|point| point.count().map_or_else(|| point.total(), |count| count as f64)).sum()
    };
    for (method, expected) in [("test.v1.Echo/Unary", 2.0), ("test.v1.Echo/ServerStream", 1.0)] {
        for metric in ["started", "duration", "sent_messages", "rcvd_total_compressed_message_size"] {
            let metric = format!("grpc.client.attempt.{metric}");
            assert_eq!(count_of(&metric, method), expected, "{metric} of {method}");
        }
    }
    assert_eq!(telemetry.histogram_count("grpc.client.call.duration"), 2);
}

#[tokio::test]
async fn a_call_that_is_not_sent_again_has_no_retries() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let calls = client_layer(&telemetry).with_grpc_metrics(true).build();
    let service = ServiceBuilder::new().layer(calls.clone()).layer(calls.attempt_layer());
    EchoClient::new(service.service(channel(address))).call(&well(Kind::Unary)).await.unwrap();
    assert_eq!(telemetry.histogram_count("grpc.client.attempt.duration"), 1);
    assert!(telemetry.points("grpc.client.call.retries").is_empty(), "0 is not reported");
}

/// What waits before a retry layer, and is dropped there, was never attempted.
#[tokio::test]
async fn a_call_that_is_never_sent_has_no_attempt() {
    let telemetry = TestTelemetry::new();
    let address = serve(server_layer(&telemetry).build()).await;
    let calls = client_layer(&telemetry).with_grpc_metrics(true).build();
    let attempts = calls.attempt_layer();
    let is_held = Arc::new(AtomicBool::new(false));
    let (holds, inner) = (Arc::clone(&is_held), attempts.layer(channel(address)));
    let gate = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let (is_held, inner) = (holds.load(Ordering::Relaxed), inner.clone());
        async move {
            if is_held {
                std::future::pending::<()>().await;
            }
            inner.oneshot(request).await
        }
    });
    let mut client = EchoClient::new(calls.layer(gate));
    client.call(&well(Kind::Unary)).await.unwrap();
    is_held.store(true, Ordering::Relaxed);
    let asked = well(Kind::Unary);
    let mut call = Box::pin(client.call(&asked));
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    assert_eq!(telemetry.histogram_count("grpc.client.call.duration"), 2);
    assert_eq!(telemetry.histogram_count("grpc.client.attempt.duration"), 1);
    assert_eq!(telemetry.sum("grpc.client.attempt.started"), 1.0);
}

/// Without a list a method is not known before a call of it has ended.
#[tokio::test]
async fn the_first_call_of_a_method_is_counted_under_its_name() {
    for code in [Code::Ok, Code::Unimplemented] {
        let telemetry = TestTelemetry::new();
        let server = server_layer(&telemetry).with_grpc_metrics(true).build();
        let answer = tower::service_fn(move |_: http::Request<http_body_util::Empty<bytes::Bytes>>| {
            let response = tonic::Status::new(code, "").into_http::<tonic::body::Body>();
            std::future::ready(Ok::<_, std::convert::Infallible>(response))
        });
        // A name that no other test calls.
        let path = format!("/test.v1.First{}/Call", i32::from(code));
        let request = http::Request::post(path.as_str()).header("content-type", "application/grpc");
        let request = request.body(http_body_util::Empty::new()).unwrap();
        drop(server.layer(answer).oneshot(request).await.unwrap());
        let method = if code == Code::Ok { &path[1..] } else { "other" };
        let started = telemetry.points("grpc.server.call.started");
        let [point] = started.as_slice() else { panic!("{started:?}") };
        assert!(point.has("grpc.method", method), "{started:?}");
        assert!(telemetry.points("grpc.server.call.duration")[0].has("grpc.method", method));
    }
}
