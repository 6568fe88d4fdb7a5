//! `error.type` of clients around real sockets, one class after the other.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::Status;
use otel_http::HttpClientLayerBuilder;
use otel_testing::{SpanDataExt, TestTelemetry};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{CLIENT_DURATION, NOBODY, client_layer, get, reqwest_client_around, serve};

/// The `error.type` of the one failed request on span and metric.
#[track_caller]
fn error_type(telemetry: &TestTelemetry) -> String {
    error_type_of(telemetry, "GET")
}

#[track_caller]
fn error_type_of(telemetry: &TestTelemetry, name: &str) -> String {
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    let span = telemetry.span(name);
    assert_eq!(span.status, Status::error(""), "the text of an error never leaves the process");
    let points = telemetry.points(CLIENT_DURATION);
    let on_metric = points[0].attribute("error.type").and_then(|value| value.as_str()).unwrap().to_owned();
    assert_eq!(span.attribute("error.type").map(ToString::to_string), Some(on_metric.clone()));
    on_metric
}

/// Sends with hyper-util's client, over TLS if the URL says so, and gives the class of the error.
async fn class_with_hyper(url: &str) -> String {
    let telemetry = TestTelemetry::new();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    let inner = legacy::Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    let layer = client_layer(&telemetry).with_client_error::<legacy::Error>().build();
    let client = ServiceBuilder::new().layer(layer).service(inner);
    client.oneshot(get(url).map(|_| Full::default())).await.unwrap_err();
    error_type(&telemetry)
}

/// The same with reqwest's client.
async fn class_with_reqwest(url: &str) -> String {
    let telemetry = TestTelemetry::new();
    let inner = reqwest::Client::builder().no_proxy().build().unwrap();
    reqwest_client_around(inner, &telemetry).get(url).send().await.unwrap_err();
    error_type(&telemetry)
}

/// A server that does this with its first connection.
async fn serve_once<F>(answer: impl FnOnce(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { answer(listener.accept().await.unwrap().0).await });
    address.to_string()
}

#[tokio::test]
async fn connect_and_dns() {
    assert_eq!(class_with_hyper(&format!("http://{NOBODY}/")).await, "connect");
    assert_eq!(class_with_hyper("http://name.invalid/").await, "dns");
}

#[tokio::test]
async fn tls_with_a_server_that_does_not_speak_it() {
    let plain = serve_once(|mut socket| async move {
        let _ = socket.read(&mut [0; 1024]).await;
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    assert_eq!(class_with_hyper(&format!("https://{}/", plain.await)).await, "tls");
    let silent = serve_once(|mut socket| async move {
        let _ = socket.read(&mut [0; 1024]).await;
    });
    assert_eq!(class_with_hyper(&format!("https://{}/", silent.await)).await, "tls");
}

#[tokio::test]
async fn tls_with_a_certificate_that_nobody_trusts() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let address = serve_once(move |socket| async move {
        let _ = acceptor.accept(socket).await;
    });
    assert_eq!(class_with_hyper(&format!("https://{}/", address.await)).await, "tls");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_lost() {
    for beginning in ["", "HTTP/1.1 200 O"] {
        for reads in [true, false] {
            // What was not read makes a reset of the end.
            let server = async || {
                let answer = async move |mut socket: TcpStream| {
                    socket.readable().await.unwrap();
                    if reads {
                        let _ = socket.read(&mut [0; 1024]).await;
                    }
                    let _ = socket.write_all(beginning.as_bytes()).await;
                };
                format!("http://{}/", serve_once(answer).await)
            };
            assert_eq!(class_with_hyper(&server().await).await, "connection_lost", "{beginning} {reads}");
            assert_eq!(class_with_reqwest(&server().await).await, "connection_lost", "{beginning} {reads}");
        }
    }
    let no_http = serve_once(async |mut socket| {
        let _ = socket.read(&mut [0; 1024]).await;
        let _ = socket.write_all(b"no HTTP, but an answer\r\n\r\n").await;
    });
    assert_eq!(class_with_hyper(&format!("http://{}/", no_http.await)).await, "request");
}

#[tokio::test]
async fn a_stream_that_an_http2_server_resets_is_lost() {
    for goes_away in [false, true] {
        let answer = async move |socket| {
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            match goes_away {
                true => connection.abrupt_shutdown(h2::Reason::INTERNAL_ERROR),
                false => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            }
            while connection.accept().await.is_some() {}
        };
        let telemetry = TestTelemetry::new();
        let inner = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let layer = client_layer(&telemetry).with_client_error::<legacy::Error>().build();
        let request = get(&format!("http://{}/", serve_once(answer).await)).map(|_| Full::<Bytes>::default());
        layer.layer(inner).oneshot(request).await.unwrap_err();
        assert_eq!(error_type(&telemetry), "connection_lost", "{goes_away}");
    }
}

/// What a proxy reads elsewhere while it sends: that ran out of time, and not the request.
#[tokio::test]
async fn a_request_body_that_cannot_be_made_is_no_failure_of_the_server() {
    for http2 in [false, true] {
        let address = serve(Router::new().route("/", post(async |_: Bytes| {}))).await;
        let frames = || {
            let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
            futures_util::stream::iter([Ok(Bytes::from("a")), Err(late)])
        };
        let telemetry = TestTelemetry::new();
        let inner = legacy::Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        let layer = client_layer(&telemetry).with_client_error::<legacy::Error>().build();
        let request = Request::post(format!("http://{address}/")).body(Body::from_stream(frames())).unwrap();
        layer.layer(inner).oneshot(request).await.unwrap_err();
        assert_eq!(error_type_of(&telemetry, "POST"), "body", "HTTP/2: {http2}");

        let telemetry = TestTelemetry::new();
        let inner = reqwest::Client::builder().no_proxy();
        let inner = if http2 { inner.http2_prior_knowledge() } else { inner };
        let client = reqwest_client_around(inner.build().unwrap(), &telemetry);
        let request = client.post(format!("http://{address}/")).body(reqwest::Body::wrap_stream(frames()));
        request.send().await.unwrap_err();
        assert_eq!(error_type_of(&telemetry, "POST"), "body", "HTTP/2: {http2}");
    }
}

#[tokio::test]
async fn a_type_that_nobody_looks_into_is_named() {
    let telemetry = TestTelemetry::new();
    let inner = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let client = client_layer(&telemetry).build().layer(inner);
    client.oneshot(get("http://name.invalid/").map(|_| Full::default())).await.unwrap_err();
    assert_eq!(error_type(&telemetry), "hyper_util::client::legacy::client::Error");
}

#[tokio::test]
async fn boxed_errors_are_looked_into() {
    let telemetry = TestTelemetry::new();
    let slow = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
    let client = ServiceBuilder::new()
        .layer(client_layer(&telemetry).build())
        .timeout(Duration::from_millis(10))
        .service(slow);
    client.oneshot(get("http://users.example/")).await.unwrap_err();
    assert_eq!(error_type(&telemetry), "timeout");

    for (error, expected) in [
        (BoxError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)), "connect"),
        (BoxError::from("some words"), "_OTHER"),
    ] {
        assert_eq!(class_of(error, |layer| layer).await, expected);
    }
}

#[tokio::test]
async fn io_errors_have_classes_or_their_name() {
    use std::io::{Error, ErrorKind};
    assert_eq!(class_of(Error::from(ErrorKind::TimedOut), |layer| layer).await, "timeout");
    assert_eq!(class_of(Error::other("some words"), |layer| layer).await, "std::io::error::Error");
}

#[tokio::test]
async fn an_application_classifies_its_own_errors() {
    #[derive(Debug)]
    enum PoolError {
        Exhausted,
        Closed,
    }
    let classify = |layer: HttpClientLayerBuilder| {
        let layer =
            layer.with_error_type(|_: &PoolError| -> Option<&'static str> { panic!("a test panics here") });
        layer.with_error_type(|error: &PoolError| match error {
            PoolError::Exhausted => Some("pool_exhausted"),
            PoolError::Closed => None,
        })
    };
    assert_eq!(class_of(PoolError::Exhausted, classify).await, "pool_exhausted");
    assert!(class_of(PoolError::Closed, classify).await.ends_with("PoolError"));
}

#[derive(Debug, Clone, Copy)]
struct Endless;

impl std::fmt::Display for Endless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error that is its own cause")
    }
}

impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[tokio::test]
async fn an_endless_chain_of_causes_ends() {
    let classify = |layer: HttpClientLayerBuilder| layer.with_client_error::<Endless>();
    assert!(class_of(Endless, classify).await.ends_with("Endless"));
}

/// The class of an error that the inner service returns.
async fn class_of<E: Send + 'static>(
    error: E,
    configure: impl Fn(HttpClientLayerBuilder) -> HttpClientLayerBuilder,
) -> String {
    let telemetry = TestTelemetry::new();
    let error = std::sync::Mutex::new(Some(error));
    let layer = configure(client_layer(&telemetry)).build();
    let client = layer.layer(service_fn(|_: Request<Body>| {
        let error = error.lock().unwrap().take().unwrap();
        async move { Err::<Response<Body>, _>(error) }
    }));
    assert!(client.oneshot(get("http://users.example/")).await.is_err());
    error_type(&telemetry)
}
