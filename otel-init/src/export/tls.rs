//! TLS with rustls and ring, and the root certificates of the system.
//!
//! Upstream gives an `https` gRPC endpoint an empty root store, and a process may have several rustls providers or
//! none; so the configuration comes from here.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// The root certificates of this system.
///
/// The second value says what is wrong if there are none: connections then fail, the service does not.
pub(crate) fn system_roots() -> (RootCertStore, Option<String>) {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let problem = roots.is_empty().then(|| {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let errors = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
        format!(
            "no root certificates found on this system, https endpoints cannot be verified: install the \
             ca-certificates package or set SSL_CERT_FILE{errors}"
        )
    });
    (roots, problem)
}

/// A client configuration with the ring provider, whatever the process's default is.
pub(crate) fn client_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
