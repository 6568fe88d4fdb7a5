//! Whatever callers send, the metrics have the same few series; and secrets are in nothing that is emitted.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use otel_testing::{AssertTelemetry, Conventions, TestTelemetry};
use tonic::Status;
use tonic::body::Body;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::support::{CLIENT_DURATION, SERVER_DURATION, client_layer, server_layer};

/// Not to be found anywhere, as it is or in the base64 of binary metadata.
const SECRETS: [&str; 2] = ["c4n4ry", "YzRuNHJ5"];

fn metadata() -> HeaderMap {
    let text = [
        "authorization",
        "cookie",
        "x-api-key",
        "x-any",
        "user-agent",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "traceparent",
        "tracestate",
        "baggage",
        "grpc-timeout",
        "grpc-message",
        "te",
    ];
    let binary = ["x-token-bin", "x-any-bin", "grpc-trace-bin", "grpc-tags-bin", "grpc-status-details-bin"];
    let pairs = text.map(|name| (name, SECRETS[0])).into_iter().chain(binary.map(|name| (name, SECRETS[1])));
    pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn request(uri: &str) -> Request<Body> {
    let mut request = Request::post(uri).body(Body::new(http_body_util::Full::from(SECRETS[0]))).unwrap();
    *request.headers_mut() = metadata();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    request
}

/// A status with all that a service may say of it.
fn status(code: &'static str) -> HeaderMap {
    let mut status = metadata();
    status.insert("grpc-status", HeaderValue::from_static(code));
    status
}

#[tokio::test]
async fn secrets_are_in_nothing_that_either_end_emits() {
    let telemetry = TestTelemetry::new();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    macro_rules! all_on {
        ($layer:expr) => {
            $layer
                .with_deadlines(true)
                .with_rich_errors(true)
                .with_message_counts(true)
                .with_message_events(true)
                .with_grpc_metrics(true)
                .with_grpc_trace_bin(true)
        };
    }
    let server = all_on!(server_layer(&telemetry)).build();
    let target = format!("https://{0}:{0}@payments.example", SECRETS[0]);
    let clients = [
        all_on!(client_layer(&telemetry)).with_target(&target).build(),
        all_on!(client_layer(&telemetry)).build(),
    ];
    let answers = service_fn(|request: Request<Body>| async move {
        if request.uri().path().ends_with("Fails") {
            return Err(BoxError::from(std::io::Error::other(SECRETS[0])));
        }
        let mut response = Response::new(Body::default());
        *response.headers_mut() = metadata();
        if request.uri().path().ends_with("TrailersOnly") {
            *response.headers_mut() = status("13");
            return Ok(response);
        }
        let last = match request.uri().path().ends_with("Breaks") {
            true => Err(Status::data_loss(SECRETS[0])),
            false => Ok(Frame::trailers(status("2"))),
        };
        let frames = [Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\x06c4n4ry"))), last];
        *response.body_mut() = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        Ok(response)
    });
    for client in clients {
        for method in ["Fails", "TrailersOnly", "Trailers", "Breaks"] {
            let uri = format!("http://{0}:{0}@payments.example/test.v1.Canary/{method}?sig={0}", SECRETS[0]);
            let both = client.layer(server.layer(answers));
            if let Ok(response) = both.oneshot(request(&uri)).await {
                let _ = response.into_body().collect().await;
            }
        }
    }
    assert_eq!(telemetry.spans().len(), 16, "{}", telemetry.tree());
    telemetry.assert_no_secrets(SECRETS);
    // The events of messages are those of gRPC's proposal A72.
    let conventions = Conventions::new().allow("grpc").allow("message-size").allow("sequence-number");
    telemetry.assert_conventions_of(&conventions);
}

#[tokio::test]
async fn ten_thousand_random_calls_yield_a_constant_number_of_series() {
    let telemetry = TestTelemetry::new();
    let server = server_layer(&telemetry).with_grpc_metrics(true).build();
    let client = client_layer(&telemetry).with_target("http://payments.example").build();
    let answers = service_fn(|request: Request<Body>| async move {
        let is_there = request.uri().path() == "/test.v1.Series/Known";
        let status = if is_there { "0" } else { "12" };
        let response = Response::builder().header("grpc-status", status).body(Body::default());
        Ok::<_, std::convert::Infallible>(response.unwrap())
    });
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        format!("{:x}", random % 1_000_000)
    };
    for number in 0..10_000 {
        let path = match number % 3 {
            0 => "/test.v1.Series/Known".to_owned(),
            1 => format!("/{}.{}/{}", word(), word(), word()),
            _ => format!("/{}", word()),
        };
        let request = Request::post(format!("http://{}.example{path}", word()))
            .header("content-type", "application/grpc")
            .header("user-agent", word())
            .header("grpc-timeout", format!("{number}S"))
            .header("baggage", format!("{}={}", word(), word()));
        let request = request.body(Body::default()).unwrap();
        match number % 10 {
            // A client passes on what its application asks for.
            0 => drop(client.layer(server.layer(answers)).oneshot(request).await.unwrap()),
            _ => drop(server.layer(answers).oneshot(request).await.unwrap()),
        }
    }
    // The method that is there, and all others; each with its status.
    for name in [SERVER_DURATION, CLIENT_DURATION, "grpc.server.call.duration"] {
        telemetry.assert_metric(name).has_at_most_series(2);
    }
    // What has started is not known to be there yet.
    telemetry.assert_metric("grpc.server.call.started").has_at_most_series(2);
    telemetry.assert_metric("grpc.server.active_requests").has_at_most_series(2);
    telemetry.assert_nothing_in_flight();
    telemetry.assert_no_ids_in_metrics();
    let names: std::collections::BTreeSet<_> =
        telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["grpc", "test.v1.Series/Known"]);
}
