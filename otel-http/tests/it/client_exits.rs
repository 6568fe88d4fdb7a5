//! Every way out of a request on the client, over real sockets: one span, one duration, nothing in flight.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::routing::get as on_get;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use futures_util::{FutureExt, poll};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{HttpConnector, dns::Name};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::trace::Status;
use otel_testing::{SpanDataExt, TestTelemetry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{CLIENT_DURATION, NOBODY, client_layer, conventions, get, serve};

/// The clients, each with both versions of HTTP and both ends of its span.
#[derive(Clone, Copy, Debug)]
struct Case {
    kind: Kind,
    http2: bool,
    end_at_body: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Tower,
    Reqwest,
    ReqwestOwnSends,
    ReqwestMiddleware,
}

fn cases() -> impl Iterator<Item = Case> {
    let kinds = [Kind::Tower, Kind::Reqwest, Kind::ReqwestOwnSends, Kind::ReqwestMiddleware];
    kinds.into_iter().flat_map(|kind| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(http2, end_at_body)| Case {
            kind,
            http2,
            end_at_body,
        })
    })
}

type AnyBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;
type Answer = Result<(StatusCode, AnyBody), BoxError>;

/// A host name whose resolution panics: user code inside of every client.
const PANICS: &str = "panics.invalid";
/// Long enough for the head of an answer on a machine that stands still for some seconds.
const TIMEOUT: Duration = Duration::from_secs(6);

impl Case {
    /// Sends a GET request, with a timeout if asked for.
    fn send(
        self,
        telemetry: &TestTelemetry,
        url: &str,
        timeout: bool,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        match self.kind {
            Kind::Tower => self.send_with_tower(telemetry, url, timeout),
            kind => self.send_with_reqwest(kind, telemetry, url, timeout),
        }
    }

    fn send_with_tower(
        self,
        telemetry: &TestTelemetry,
        url: &str,
        timeout: bool,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let resolver = service_fn(|name: Name| async move {
            assert_ne!(name.as_str(), PANICS, "a test panics here");
            tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map(|found| found.collect::<Vec<_>>().into_iter())
        });
        let connector = HttpConnector::new_with_resolver(resolver);
        let inner = legacy::Client::builder(TokioExecutor::new()).http2_only(self.http2).build(connector);
        let layer = client_layer(telemetry)
            .with_active_requests(true)
            .with_body_sizes(true)
            .with_end_at_body(self.end_at_body)
            .with_client_error::<legacy::Error>();
        let client = ServiceBuilder::new()
            .layer(layer.build())
            .timeout(if timeout { TIMEOUT } else { Duration::from_secs(60) })
            .service(inner);
        let request = get(url).map(|_| Full::<Bytes>::default());
        Box::pin(async move {
            let (parts, body) = client.oneshot(request).await?.into_parts();
            Ok((parts.status, Box::pin(body.map_err(Into::into)) as AnyBody))
        })
    }

    fn send_with_reqwest(
        self,
        kind: Kind,
        telemetry: &TestTelemetry,
        url: &str,
        timeout: bool,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        macro_rules! configured {
            ($builder:expr) => {
                $builder
                    .with_tracer_provider(telemetry.tracer_provider())
                    .with_meter_provider(telemetry.meter_provider())
                    .with_active_requests(true)
                    .with_body_sizes(true)
                    .with_end_at_body(self.end_at_body)
            };
        }
        let inner = |mut inner: reqwest::ClientBuilder| {
            inner = inner.no_proxy().dns_resolver(Arc::new(Resolver));
            if timeout {
                inner = inner.timeout(TIMEOUT);
            }
            if self.http2 { inner.http2_prior_knowledge() } else { inner.http1_only() }
        };
        let plain = || inner(reqwest::Client::builder()).build().unwrap();
        if kind == Kind::ReqwestMiddleware {
            let middleware = configured!(otel_http::reqwest::Middleware::builder()).build();
            let client = reqwest_middleware::ClientBuilder::new(plain()).with(middleware).build();
            let request = client.get(url);
            return Box::pin(async move { Ok(answer(request.send().await?)) });
        }
        let client = match kind {
            Kind::ReqwestOwnSends => {
                configured!(otel_http::reqwest::Client::builder()).configure(inner).build().unwrap()
            }
            _ => configured!(otel_http::reqwest::Client::instrument(plain())).build(),
        };
        let request = client.get(url);
        Box::pin(async move { Ok(answer(request.send().await?)) })
    }
}

fn answer(response: reqwest::Response) -> (StatusCode, AnyBody) {
    let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    (parts.status, Box::pin(body.map_err(Into::into)))
}

struct Resolver;

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        assert_ne!(name.as_str(), PANICS, "a test panics here");
        Box::pin(async { Err("nobody knows the name".into()) })
    }
}

async fn server() -> SocketAddr {
    let blocks = || stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 65_536])));
    let three = || async { Body::from_stream(stream::iter(["a", "b", "c"]).map(Ok::<_, Infallible>)) };
    let broken = || async {
        let frames = stream::iter([Ok("a"), Err(std::io::Error::other("disk"))]);
        Body::from_stream(frames.then(|frame| async {
            if frame.is_err() {
                tokio::task::yield_now().await;
            }
            frame
        }))
    };
    let stuck =
        || async { Body::from_stream(stream::iter([Ok::<_, Infallible>("a")]).chain(stream::pending())) };
    let app = Router::new()
        .route("/echo", on_get(echo))
        .route("/ok", on_get(|| async { "hello" }))
        .route("/three", on_get(three))
        .route("/endless", on_get(async move || Body::from_stream(blocks())))
        .route("/broken", on_get(broken))
        .route("/stuck", on_get(stuck))
        .route("/slow", on_get(std::future::pending::<()>))
        .route("/404", on_get(|| async { StatusCode::NOT_FOUND }))
        .route("/500", on_get(|| async { StatusCode::INTERNAL_SERVER_ERROR }));
    serve(app).await
}

/// Speaks another protocol from the 101 on: what comes goes back.
async fn echo(request: axum::extract::Request) -> axum::response::Response {
    tokio::spawn(async move {
        let upgraded = TokioIo::new(hyper::upgrade::on(request).await?);
        let (mut reader, mut writer) = tokio::io::split(upgraded);
        tokio::io::copy(&mut reader, &mut writer).await?;
        Ok::<_, BoxError>(())
    });
    let head = axum::response::Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    head.header("connection", "upgrade").header("upgrade", "echo").body(Body::empty()).unwrap()
}

fn active(telemetry: &TestTelemetry) -> f64 {
    telemetry.total("http.client.active_requests")
}

/// Whatever the way out: one span that has ended, one duration, nothing in flight.
#[track_caller]
fn assert_sent_once(telemetry: &TestTelemetry, case: Case, error_type: Option<&str>) {
    let tree = telemetry.tree();
    assert_eq!(telemetry.spans().len(), 1, "{case:?}: {tree}");
    assert!(telemetry.open_spans().is_empty(), "{case:?}: {tree}");
    assert_eq!(telemetry.histogram_count(CLIENT_DURATION), 1, "{case:?}");
    assert_eq!(active(telemetry), 0.0, "{case:?}");
    let span = telemetry.span("GET");
    let recorded = span.attribute("error.type").map(ToString::to_string);
    assert_eq!(recorded.as_deref(), error_type, "{case:?}: {tree}");
    let expected = if error_type.is_some() { Status::error("") } else { Status::Unset };
    assert_eq!(span.status, expected, "{case:?}: {tree}");
    let on_metric = telemetry.points(CLIENT_DURATION)[0].attribute("error.type").is_some();
    assert_eq!(on_metric, error_type.is_some(), "{case:?}");
    assert_eq!(conventions().check(telemetry), [], "{case:?}");
}

fn ended_early(telemetry: &TestTelemetry) -> bool {
    telemetry.span("GET").has("otel_http.ended_early", true)
}

#[tokio::test]
async fn answers() {
    let address = server().await;
    for case in cases() {
        for (path, code, error_type) in
            [("ok", 200, None), ("404", 404, Some("404")), ("500", 500, Some("500"))]
        {
            let telemetry = TestTelemetry::new();
            let (status, body) =
                case.send(&telemetry, &format!("http://{address}/{path}"), false).await.unwrap();
            assert_eq!(status.as_u16(), code);
            let still_open = case.end_at_body && path == "ok";
            assert_eq!(telemetry.spans().len(), usize::from(!still_open), "{case:?}");
            assert_eq!(active(&telemetry), f64::from(u8::from(still_open)), "{case:?}");
            let length = body.collect().await.unwrap().to_bytes().len();
            assert_sent_once(&telemetry, case, error_type);
            assert!(!ended_early(&telemetry), "{case:?}");
            let span = telemetry.span("GET");
            assert!(span.has("http.response.status_code", i64::from(code)), "{case:?}");
            assert!(span.has("network.protocol.version", if case.http2 { "2" } else { "1.1" }), "{case:?}");
            for (name, size) in [("request", 0), ("response", length)] {
                let metric = telemetry.metric(&format!("http.client.{name}.body.size"));
                assert_eq!((metric.unit.as_str(), metric.points.len()), ("By", 1));
                let histogram = metric.points[0].histogram().unwrap();
                assert_eq!((histogram.count, histogram.sum), (1, Some(size as f64)), "{case:?} {name}");
            }
        }
    }
}

#[tokio::test]
async fn errors_of_the_inner_client() {
    for case in cases() {
        let telemetry = TestTelemetry::new();
        assert!(case.send(&telemetry, &format!("http://{NOBODY}/"), false).await.is_err());
        assert_sent_once(&telemetry, case, Some("connect"));
        assert!(telemetry.span("GET").attribute("http.response.status_code").is_none());
        let telemetry = TestTelemetry::new();
        assert!(case.send(&telemetry, "http://name.invalid/", false).await.is_err());
        assert_sent_once(&telemetry, case, Some("dns"));
    }
}

#[tokio::test]
async fn a_timeout() {
    let address = server().await;
    let sent = cases().map(async |case| {
        let telemetry = TestTelemetry::new();
        assert!(case.send(&telemetry, &format!("http://{address}/slow"), true).await.is_err());
        assert_sent_once(&telemetry, case, Some("timeout"));
    });
    join_all(sent).await;
}

#[tokio::test]
async fn a_timeout_while_the_body_is_read() {
    let address = server().await;
    let sent = cases().filter(|case| case.kind != Kind::Tower).map(async |case| {
        let telemetry = TestTelemetry::new();
        let (_, body) = case.send(&telemetry, &format!("http://{address}/stuck"), true).await.unwrap();
        assert!(body.collect().await.is_err());
        assert_sent_once(&telemetry, case, case.end_at_body.then_some("timeout"));
    });
    join_all(sent).await;
}

#[tokio::test]
async fn dropped_before_and_while_polled() {
    let address = server().await;
    for case in cases() {
        for polls in 0..3 {
            let telemetry = TestTelemetry::new();
            let mut sent = case.send(&telemetry, &format!("http://{address}/slow"), false);
            for _ in 0..polls {
                assert!(poll!(&mut sent).is_pending());
                tokio::task::yield_now().await;
            }
            drop(sent);
            if polls == 0 {
                // All of them start when they are polled: nothing has happened, and nothing is left over.
                assert_eq!((telemetry.started_spans(), active(&telemetry)), (0, 0.0), "{case:?}");
            } else {
                // "cancelled by the caller is not an error"
                assert_sent_once(&telemetry, case, None);
                assert!(ended_early(&telemetry), "{case:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_body_dropped_at_its_start_in_the_middle_and_at_its_end() {
    let address = server().await;
    for case in cases() {
        for (path, frames) in [("endless", 0), ("endless", 1), ("endless", 5), ("three", 3), ("three", 1)] {
            let telemetry = TestTelemetry::new();
            let (_, mut body) =
                case.send(&telemetry, &format!("http://{address}/{path}"), false).await.unwrap();
            assert_eq!(telemetry.spans().len(), usize::from(!case.end_at_body), "{case:?}");
            for _ in 0..frames {
                if poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_none() {
                    break;
                }
            }
            drop(body);
            assert_sent_once(&telemetry, case, None);
            if path == "endless" {
                let sizes = telemetry.histogram_count("http.client.response.body.size");
                assert_eq!(sizes, 0, "{case:?}: a body that was not read to its end has no size");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_fails() {
    let address = server().await;
    for case in cases() {
        let telemetry = TestTelemetry::new();
        let (_, body) = case.send(&telemetry, &format!("http://{address}/broken"), false).await.unwrap();
        assert!(body.collect().await.is_err());
        assert_sent_once(&telemetry, case, case.end_at_body.then_some("body"));
        assert!(telemetry.span("GET").has("http.response.status_code", 200), "the head was fine");
        assert_eq!(telemetry.histogram_count("http.client.response.body.size"), 0);
    }
}

#[tokio::test]
async fn a_panic_inside() {
    for case in cases() {
        let telemetry = TestTelemetry::new();
        let sent = case.send(&telemetry, &format!("http://{PANICS}/"), false);
        assert!(AssertUnwindSafe(sent).catch_unwind().await.is_err(), "{case:?}");
        assert_sent_once(&telemetry, case, Some("panic"));
    }
}

#[tokio::test]
async fn a_switch_of_protocols_ends_the_span_and_the_connection_goes_on() {
    let address = server().await;
    for end_at_body in [false, true] {
        let telemetry = TestTelemetry::new();
        let client = otel_http::reqwest::Client::instrument(reqwest::Client::new())
            .with_tracer_provider(telemetry.tracer_provider())
            .with_meter_provider(telemetry.meter_provider())
            .with_active_requests(true)
            .with_end_at_body(end_at_body)
            .build();
        let request = client.get(format!("http://{address}/echo"));
        let request = request.header("connection", "upgrade").header("upgrade", "echo");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut upgraded = response.upgrade().await.unwrap();
        for message in [b"ping", b"pong"] {
            upgraded.write_all(message).await.unwrap();
            let mut answer = [0; 4];
            upgraded.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, message);
        }
        let case = Case { kind: Kind::Reqwest, http2: false, end_at_body };
        assert_sent_once(&telemetry, case, None);
        assert!(telemetry.span("GET").has("http.response.status_code", 101));
    }
}
