//! `error.type` of clients around real sockets, one class after the other.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::Status;
use otel_http::HttpClientLayerBuilder;
use otel_testing::{SpanDataExt, TestTelemetry};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{CLIENT_DURATION, client_layer, get};

/// The `error.type` of the one failed request on span and metric.
#[track_caller]
fn error_type(telemetry: &TestTelemetry) -> String {
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    let span = telemetry.span("GET");
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

/// A server that does this with its first connection.
async fn serve_once<F>(answer: impl FnOnce(tokio::net::TcpStream) -> F + Send + 'static) -> String
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
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(class_with_hyper(&format!("http://{closed}/")).await, "connect");
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
async fn a_connection_that_ends_before_the_answer_is_a_failed_request() {
    let address = serve_once(|mut socket| async move {
        let _ = socket.read(&mut [0; 1024]).await;
    });
    assert_eq!(class_with_hyper(&format!("http://{}/", address.await)).await, "request");
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
