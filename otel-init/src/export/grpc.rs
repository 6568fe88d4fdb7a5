//! OTLP over gRPC.

use http::HeaderMap;
use rustls::RootCertStore;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::runtime::RuntimeEntry;
use crate::config::OtlpConfig;

/// A channel that connects with the first export, on the private runtime.
pub(super) fn channel(
    config: &OtlpConfig,
    roots: RootCertStore,
    runtime: &RuntimeEntry,
) -> Result<Channel, tonic::transport::Error> {
    let mut endpoint = Endpoint::from_shared(config.endpoint.url().to_owned())?
        .connect_timeout(config.timeout)
        .timeout(config.timeout);
    if config.endpoint.is_https() {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().trust_anchors(roots.roots))?;
    }
    Ok(runtime.enter(|| endpoint.connect_lazy()))
}

/// Sets the configured headers, and only those: upstream has put in what the process's environment says.
pub(super) fn headers(
    configured: HeaderMap,
) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync + 'static {
    let metadata = MetadataMap::from_headers(configured);
    move |mut request| {
        *request.metadata_mut() = metadata.clone();
        Ok(request)
    }
}
