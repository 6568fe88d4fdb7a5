//! Certificates that live as long as a test.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// A certificate authority of one test, with a server certificate for `localhost`, `127.0.0.1` and `::1`, and a client
/// certificate for mutual TLS. Nothing outside the test trusts it.
///
/// ```
/// use otel_testing::{OtlpReceiver, TestCertificates};
///
/// # fn main() -> std::io::Result<()> {
/// let certificates = TestCertificates::generate()?;
/// let receiver = OtlpReceiver::builder().with_mutual_tls(&certificates).start()?;
/// assert!(receiver.grpc_endpoint().starts_with("https://localhost:"));
///
/// let folder = std::env::temp_dir().join(format!("certificates-{}", std::process::id()));
/// let files = certificates.write_to(&folder)?;
/// // What the exporter under test is given:
/// let variables = [
///     ("OTEL_EXPORTER_OTLP_CERTIFICATE", &files.authority),
///     ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &files.client_certificate),
///     ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &files.client_key),
/// ];
/// # assert!(variables.iter().all(|(_, file)| file.exists()));
/// std::fs::remove_dir_all(folder)
/// # }
/// ```
#[derive(Debug)]
pub struct TestCertificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    server: Pair,
    client: Pair,
}

/// Where [`TestCertificates::write_to`] wrote what a client needs, as PEM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CertificateFiles {
    /// The certificate of the authority.
    pub authority: PathBuf,
    /// The certificate of the client.
    pub client_certificate: PathBuf,
    /// The key of that certificate.
    pub client_key: PathBuf,
}

#[derive(Debug)]
struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl TestCertificates {
    /// Makes new ones.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn generate() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        // Authorities of one name would differ by their signature alone, and an error would not say "unknown issuer".
        params
            .distinguished_name
            .push(DnType::CommonName, format!("test {:02x?}", &key.public_key_raw()[1..9]));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let server = Pair::signed_by(&authority, &["localhost", "127.0.0.1", "::1"])?;
        let client = Pair::signed_by(&authority, &["client"])?;
        Ok(Self { authority, server, client })
    }

    /// The certificate of the authority, as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// The certificate of the client, as PEM.
    #[must_use]
    pub fn client_certificate_pem(&self) -> String {
        self.client.certificate.pem()
    }

    /// The key of the client, as PEM.
    #[must_use]
    pub fn client_key_pem(&self) -> String {
        self.client.key.serialize_pem()
    }

    /// Writes `ca.pem`, `client.pem` and `client.key` into `folder`, which is made if need be.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn write_to(&self, folder: impl AsRef<Path>) -> io::Result<CertificateFiles> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder)?;
        let write = |name: &str, pem: String| {
            let path = folder.join(name);
            std::fs::write(&path, pem).map(|()| path)
        };
        Ok(CertificateFiles {
            authority: write("ca.pem", self.authority_pem())?,
            client_certificate: write("client.pem", self.client_certificate_pem())?,
            client_key: write("client.key", self.client_key_pem())?,
        })
    }

    /// For the receiver's side of a connection.
    pub(super) fn acceptor(&self, mutual: bool, alpn: &[&[u8]]) -> io::Result<TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients: Arc<dyn ClientCertVerifier> = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).map_err(io::Error::other)?;
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(io::Error::other)?
        } else {
            Arc::new(rustls::server::NoClientAuth)
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![self.server.der()], self.server.private_key())
            .map_err(io::Error::other)?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Pair {
    fn signed_by(authority: &CertifiedIssuer<'static, KeyPair>, names: &[&str]) -> io::Result<Self> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = CertificateParams::new(names)
            .and_then(|params| params.signed_by(&key, authority))
            .map_err(io::Error::other)?;
        Ok(Self { certificate, key })
    }

    fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}
