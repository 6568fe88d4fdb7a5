//! Whatever clients send, the metrics have the same few series; and secrets are in nothing that is emitted.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{any, get as on_get};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use otel_http::TrustedProxies;
use otel_testing::{AssertTelemetry, TestTelemetry};

use crate::support::{SERVER_DURATION, call, client_layer, conventions, server_layer};

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn word(&mut self) -> String {
        format!("{:x}", self.next() % 1_000_000)
    }
}

fn request(random: &mut Random) -> Request<Body> {
    let method = match random.next() % 3 {
        0 => Method::GET,
        1 => Method::POST,
        _ => Method::from_bytes(format!("M{}", random.word()).as_bytes()).unwrap(),
    };
    let path = match random.next() % 3 {
        0 => format!("/users/{}", random.word()),
        1 => format!("/{}/{}?{}={}", random.word(), random.word(), random.word(), random.word()),
        _ => format!("https://{}.example:{}/users/1", random.word(), random.next() % 65_535),
    };
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for name in [
        "host",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "forwarded",
        "traceparent",
        "baggage",
    ] {
        if random.next() % 2 == 0 {
            let value = match name {
                "forwarded" => format!("for={0};host={0};proto={0}", random.word()),
                "baggage" => format!("{0}={0}", random.word()),
                _ => random.word(),
            };
            request.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
        }
    }
    request
}

#[tokio::test]
async fn ten_thousand_random_requests_yield_a_constant_number_of_series() {
    let telemetry = TestTelemetry::new();
    let layer = server_layer(&telemetry)
        .with_trusted_proxies(TrustedProxies::all())
        .with_body_sizes(true)
        .with_synthetic_type(true)
        .with_remote_context_counter(true)
        .build();
    let app = Router::new().route("/users/{id}", on_get(|| async { "Ada" })).layer(layer);
    let client = client_layer(&telemetry).with_active_requests(true).with_body_sizes(true).build();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut series = Vec::new();
    for number in 0..10_000 {
        call(&app, request(&mut random)).await.into_body().collect().await.unwrap();
        if number % 5 == 0 {
            // The application chooses whom a client calls, so the host is the same.
            let mut sent = request(&mut random);
            *sent.uri_mut() = format!("http://users.example/{}", random.word()).parse().unwrap();
            let answers = tower::service_fn(|_: Request<Body>| async {
                Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
            });
            tower::ServiceExt::oneshot(tower::Layer::layer(&client, answers), sent).await.unwrap();
        }
        if matches!(number, 999 | 9_999) {
            let metrics = telemetry.metrics();
            series.push(metrics.iter().map(|metric| metric.points.len()).sum::<usize>());
            // Spans are not what is looked at here, and ten thousand of them are many.
        }
    }
    assert_eq!(
        series[0],
        series[1],
        "{:#?}",
        telemetry.metrics().iter().map(|m| (&m.name, m.points.len())).collect::<Vec<_>>()
    );
    // Three methods, two schemes, with or without a route (GET and the 405 of others), one version.
    telemetry.assert_metric(SERVER_DURATION).has_at_most_series(18);
    telemetry.assert_no_ids_in_metrics();
    let names: std::collections::BTreeSet<_> =
        telemetry.spans().iter().map(|span| span.name.to_string()).collect();
    assert!(names.len() <= 6, "{names:?}");
}

#[tokio::test]
async fn secrets_are_in_nothing_that_a_server_emits() {
    const SECRET: &str = "c4n4ry";
    const PRIVATE: &str = "pr1v4te";
    let telemetry = TestTelemetry::new();
    let _subscriber = tracing::subscriber::set_default(telemetry.subscriber());
    let answer = |status: StatusCode| async move {
        let mut headers = HeaderMap::new();
        for name in ["set-cookie", "x-token", "www-authenticate", "location"] {
            headers.insert(name, HeaderValue::from_static(SECRET));
        }
        let frames = [Ok(Bytes::from(SECRET)), Err(std::io::Error::other(SECRET))];
        (status, headers, Body::from_stream(futures_util::stream::iter(frames)))
    };
    let layer = server_layer(&telemetry)
        .with_body_sizes(true)
        .with_request_attributes(true)
        .with_synthetic_type(true)
        .with_remote_context_counter(true)
        .with_trace_response(|_, _| true)
        .with_exception_events(&telemetry.logger_provider())
        .build();
    let app = Router::new()
        .route("/users/{id}", any(move || answer(StatusCode::OK)))
        .route("/fails/{id}", any(move || answer(StatusCode::INTERNAL_SERVER_ERROR)))
        .layer(layer);
    let names = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
        "referer",
        "origin",
        "accept",
        "x-any",
        "traceparent",
        "tracestate",
        "baggage",
        "b3",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "if-match",
        "content-type",
        "accept-language",
    ];
    for path in ["/users", "/fails", "/nowhere"] {
        let query = [
            "X-Amz-Signature",
            "X-Amz-Credential",
            "X-Amz-Security-Token",
            "AWSAccessKeyId",
            "Signature",
            "sig",
            "X-Goog-Signature",
            "s%69g",
        ]
        .map(|key| format!("{key}={SECRET}"))
        .join("&");
        let uri = format!("{path}/{PRIVATE}?q={PRIVATE}&{query}");
        let mut request = Request::post(uri).header("host", "shop.example").body(Body::from(SECRET)).unwrap();
        for name in names {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(SECRET));
        }
        let _ = call(&app, request).await.into_body().collect().await;
    }
    assert_eq!(telemetry.spans().len(), 3, "{}", telemetry.tree());
    telemetry.assert_no_secrets([SECRET]);
    telemetry.assert_conventions_of(&conventions());
    for span in telemetry.spans() {
        assert!(!span.name.contains(PRIVATE));
        for pair in &span.attributes {
            let may_hold_it = matches!(pair.key.as_str(), "url.path" | "url.query");
            assert!(may_hold_it || !pair.value.to_string().contains(PRIVATE), "{pair:?}");
        }
    }
    assert!(!format!("{:?} {:?}", telemetry.metrics(), telemetry.logs()).contains(PRIVATE));
}
