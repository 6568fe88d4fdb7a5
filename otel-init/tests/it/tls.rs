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
    server_with(authority, alpn, Arc::new(rustls::server::NoClientAuth))
}

fn server_with(
    authority: &CertifiedIssuer<'static, KeyPair>,
    alpn: &str,
    clients: Arc<dyn rustls::server::danger::ClientCertVerifier>,
) -> (String, FirstBytes) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
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

/// Files of one test, removed in the end.
struct Files(std::path::PathBuf);

impl Files {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("otel-init-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that wants a client certificate of `authority`.
fn mutual_server(authority: &CertifiedIssuer<'static, KeyPair>, alpn: &str) -> (String, FirstBytes) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    server_with(authority, alpn, verifier)
}

/// Runs the test in a process with these files, for each protocol that the name ends with.
fn run_with_files(test: &str, protocol: &str, endpoint: &str, files: &[(&str, &str)]) -> child::Finished {
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ];
    variables.extend(files);
    child::run(test, &variables)
}

#[test]
fn own_authority_and_client_certificate_are_used_and_wanted() {
    if child::is_child() {
        return export_a_span();
    }
    let test = "tls::own_authority_and_client_certificate_are_used_and_wanted";
    let files = Files::new("mutual");
    let (own, other) = (authority("own"), authority("other"));
    let key = KeyPair::generate().unwrap();
    let client = CertificateParams::new(["client".to_owned()]).unwrap().signed_by(&key, &own).unwrap();
    let own_file = files.write("ca.pem", &own.pem());
    let other_file = files.write("other.pem", &other.pem());
    let certificate_file = files.write("client.pem", &client.pem());
    let key_file = files.write("client.key", &key.serialize_pem());
    let client_files = [
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate_file.as_str()),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key_file.as_str()),
    ];
    for (protocol, alpn) in [("http/protobuf", "http/1.1"), ("grpc", "h2")] {
        let (endpoint, first_bytes) = mutual_server(&own, alpn);
        let ca = ("OTEL_EXPORTER_OTLP_CERTIFICATE", own_file.as_str());
        run_with_files(test, protocol, &endpoint, &[ca, client_files[0], client_files[1]]);
        assert!(first_bytes.recv_timeout(Duration::from_secs(5)).is_ok(), "{protocol}: nothing was sent");

        let (endpoint, first_bytes) = mutual_server(&own, alpn);
        let finished = run_with_files(test, protocol, &endpoint, &[ca]);
        let cause = finished.lines("the cause: ")[0];
        let is_told = cause.contains("CertificateRequired") || cause.contains("wants a client certificate");
        assert!(is_told, "{protocol}: {cause}");

        let wrong = ("OTEL_EXPORTER_OTLP_CERTIFICATE", other_file.as_str());
        let finished = run_with_files(test, protocol, &endpoint, &[wrong, client_files[0], client_files[1]]);
        let cause = finished.lines("the cause: ")[0];
        assert!(cause.contains("UnknownIssuer"), "{protocol}: {cause}");

        let missing = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem");
        let finished = run_with_files(test, protocol, &endpoint, &[missing]);
        let cause = finished.lines("the cause: ")[0];
        assert!(cause.contains("cannot read the certificate authority from /nowhere/ca.pem"), "{cause}");
        assert!(first_bytes.try_recv().is_err(), "nothing may be sent without the right certificates");
    }
}

#[test]
fn certificates_are_read_again_when_their_file_changes() {
    const FILE: &str = "TEST_CA_FILE";
    if child::is_child() {
        let telemetry = Telemetry::builder().install().unwrap();
        global::tracer("tls").start("probe").end();
        let error = telemetry.flush_blocking().unwrap_err();
        assert!(error.failures()[0].cause().contains("UnknownIssuer"), "{error}");
        let file = std::env::var(FILE).unwrap();
        std::fs::copy(format!("{file}.next"), &file).unwrap();
        global::tracer("tls").start("probe").end();
        // The server hears it now, and closes the connection without an answer.
        let error = telemetry.flush_blocking().unwrap_err();
        assert!(!error.failures()[0].cause().contains("UnknownIssuer"), "{error}");
        return;
    }
    let files = Files::new("again");
    let (own, other) = (authority("own"), authority("a longer name of another"));
    let file = files.write("ca.pem", &other.pem());
    files.write("ca.pem.next", &own.pem());
    let (endpoint, first_bytes) = server(&own, "http/1.1");
    run_with_files(
        "tls::certificates_are_read_again_when_their_file_changes",
        "http/protobuf",
        &endpoint,
        &[("OTEL_EXPORTER_OTLP_CERTIFICATE", &file), (FILE, &file)],
    );
    assert!(first_bytes.recv_timeout(Duration::from_secs(5)).is_ok());
}
