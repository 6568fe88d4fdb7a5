//! `https`: the certificates of the system are trusted, others are not, over both protocols.

use std::io::Read;
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::{Span, Tracer};
use otel_init::Telemetry;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::child;

/// What a server read first, after the handshake.
type FirstBytes = mpsc::Receiver<Vec<u8>>;

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    // Two authorities of one name would differ by their signature alone.
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A TLS server for `localhost` with a certificate of `authority`. It reads and never answers.
fn server(authority: &CertifiedIssuer<'static, KeyPair>, alpn: &str) -> (String, FirstBytes) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(tls, connection);
            let mut buffer = vec![0; 14];
            if stream.read_exact(&mut buffer).is_ok() {
                let _ = sender.send(buffer);
            }
        }
    });
    (endpoint, receiver)
}

/// Exports one span; prints why it failed, which it always does.
fn export_a_span() {
    let telemetry = Telemetry::builder().install().unwrap();
    global::tracer("tls").start("probe").end();
    let error = telemetry.flush_blocking().unwrap_err();
    tracing::info!("the cause: {}", error.failures()[0].cause());
    drop(telemetry);
}

fn run(
    test: &str,
    protocol: &str,
    endpoint: &str,
    trusted: &CertifiedIssuer<'static, KeyPair>,
) -> child::Finished {
    let roots =
        std::env::temp_dir().join(format!("otel-init-{}-{}.pem", std::process::id(), test.replace(':', "-")));
    std::fs::write(&roots, trusted.pem()).unwrap();
    let finished = child::run(
        test,
        &[
            ("SSL_CERT_FILE", roots.to_str().unwrap()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ],
    );
    std::fs::remove_file(roots).unwrap();
    finished
}

#[test]
fn a_certificate_of_the_system_is_trusted_over_http() {
    if child::is_child() {
        return export_a_span();
    }
    let authority = authority("known");
    let (endpoint, first_bytes) = server(&authority, "http/1.1");
    run("tls::a_certificate_of_the_system_is_trusted_over_http", "http/protobuf", &endpoint, &authority);
    let sent = first_bytes.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(String::from_utf8_lossy(&sent), "POST /v1/trace");
}

#[test]
fn a_certificate_of_the_system_is_trusted_over_grpc() {
    if child::is_child() {
        return export_a_span();
    }
    let authority = authority("known");
    let (endpoint, first_bytes) = server(&authority, "h2");
    run("tls::a_certificate_of_the_system_is_trusted_over_grpc", "grpc", &endpoint, &authority);
    let sent = first_bytes.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(String::from_utf8_lossy(&sent), "PRI * HTTP/2.0");
}

#[test]
fn an_unknown_certificate_is_refused_by_name_over_http() {
    if child::is_child() {
        return export_a_span();
    }
    let (endpoint, first_bytes) = server(&authority("unknown"), "http/1.1");
    let test = "tls::an_unknown_certificate_is_refused_by_name_over_http";
    let finished = run(test, "http/protobuf", &endpoint, &authority("known"));
    assert!(finished.lines("the cause: ")[0].contains("UnknownIssuer"), "{}", finished.console);
    assert!(first_bytes.try_recv().is_err(), "nothing may be sent to a server that is not trusted");
}

#[test]
fn an_unknown_certificate_is_refused_by_name_over_grpc() {
    if child::is_child() {
        return export_a_span();
    }
    let (endpoint, first_bytes) = server(&authority("unknown"), "h2");
    let finished = run(
        "tls::an_unknown_certificate_is_refused_by_name_over_grpc",
        "grpc",
        &endpoint,
        &authority("known"),
    );
    assert!(finished.lines("the cause: ")[0].contains("UnknownIssuer"), "{}", finished.console);
    assert!(first_bytes.try_recv().is_err(), "nothing may be sent to a server that is not trusted");
}
