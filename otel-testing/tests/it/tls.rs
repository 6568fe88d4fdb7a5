//! The receiver over TLS: with the right certificates data arrives, with wrong or missing ones the client fails.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use otel_testing::{OtlpReceiver, Protocol, TestCertificates};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::faults::request;

const BODY: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"checkout"}]}]}]}"#;

/// The text of the first error on the way, if any.
fn over_grpc(receiver: &OtlpReceiver, tls: ClientTlsConfig) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::from_shared(receiver.grpc_endpoint()).unwrap().tls_config(tls).unwrap();
        let channel = endpoint.connect().await.map_err(|error| format!("{error:?}"))?;
        let sent = TraceServiceClient::new(channel).export(request()).await;
        sent.map(drop).map_err(|status| format!("{status:?}"))
    })
}

/// `identity` names whose client certificate is shown.
fn over_http(
    receiver: &OtlpReceiver,
    trusted: &TestCertificates,
    identity: Option<&TestCertificates>,
) -> Result<String, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.authority_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(own) => {
            let certificate =
                CertificateDer::from_pem_slice(own.client_certificate_pem().as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(own.client_key_pem().as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let endpoint = receiver.http_endpoint();
    let socket = TcpStream::connect(endpoint.trim_start_matches("https://")).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, socket);
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len())
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    Ok(answer)
}

fn trusting(certificates: &TestCertificates) -> ClientTlsConfig {
    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(certificates.authority_pem()))
}

#[test]
fn data_arrives_over_tls() {
    let certificates = TestCertificates::generate().unwrap();
    let receiver = OtlpReceiver::builder().with_tls(&certificates).start().unwrap();
    over_grpc(&receiver, trusting(&certificates)).unwrap();
    let answer = over_http(&receiver, &certificates, None).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let protocols: Vec<Protocol> = receiver.requests().iter().map(|request| request.protocol).collect();
    assert_eq!(protocols, [Protocol::Grpc, Protocol::HttpJson]);
    assert!(receiver.spans().iter().all(|span| span.name == "checkout"));
}

#[test]
fn clients_refuse_a_receiver_of_another_authority() {
    let (own, other) = (TestCertificates::generate().unwrap(), TestCertificates::generate().unwrap());
    let receiver = OtlpReceiver::builder().with_tls(&own).start().unwrap();
    let error = over_grpc(&receiver, trusting(&other)).unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
    let error = over_http(&receiver, &other, None).unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert_eq!(receiver.request_count(), 0);
}

#[test]
fn mutual_tls_wants_a_certificate_of_its_authority() {
    let (own, other) = (TestCertificates::generate().unwrap(), TestCertificates::generate().unwrap());
    let receiver = OtlpReceiver::builder().with_mutual_tls(&own).start().unwrap();
    over_grpc(&receiver, trusting(&own)).unwrap_err();
    // The text depends on who is faster: the alert of the receiver, or the bytes of the client.
    over_http(&receiver, &own, None).unwrap_err();
    over_http(&receiver, &own, Some(&other)).unwrap_err();
    assert_eq!(receiver.request_count(), 0);

    let identity = Identity::from_pem(own.client_certificate_pem(), own.client_key_pem());
    over_grpc(&receiver, trusting(&own).identity(identity)).unwrap();
    over_http(&receiver, &own, Some(&own)).unwrap();
    assert_eq!(receiver.spans().len(), 2);
}

#[test]
fn a_handshake_that_never_ends_holds_up_nobody() {
    let certificates = TestCertificates::generate().unwrap();
    let receiver = OtlpReceiver::builder().with_tls(&certificates).start().unwrap();
    let endpoint = receiver.http_endpoint();
    let silent = TcpStream::connect(endpoint.trim_start_matches("https://")).unwrap();
    over_http(&receiver, &certificates, None).unwrap();
    assert_eq!(receiver.spans().len(), 1);
    drop(silent);
}
