//! OTLP over HTTP/1.1.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use rustls::RootCertStore;

use super::Monitor;
use super::tls;
use crate::config::OtlpConfig;

/// The client that upstream's exporter sends through.
///
/// Upstream's default client depends on the features that other crates turn on, and upstream adds the headers of the
/// process's environment after ours; so the headers are set here, last. It is hyper and not reqwest, whose TLS features
/// would change the application's own reqwest clients. It follows no redirect, which would carry the headers, tokens
/// among them, to another host.
#[derive(Debug)]
pub(super) struct OtlpHttpClient {
    client: HyperClient<HttpsConnector<HttpConnector>>,
    headers: HeaderMap,
    monitor: Arc<Monitor>,
}

impl OtlpHttpClient {
    pub(super) fn new(
        config: &OtlpConfig,
        roots: RootCertStore,
        monitor: Arc<Monitor>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(roots)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = HyperClient::new(connector, config.timeout, None);
        Ok(Self { client, headers: config.headers.clone(), monitor })
    }
}

#[async_trait]
impl HttpClient for OtlpHttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        parts.headers = with_own_headers(&parts.headers, &self.headers);
        let sent = self.client.send_bytes(Request::from_parts(parts, body)).await;
        sent.inspect_err(|error| self.monitor.transport_failed(describe(error.as_ref())))
    }
}

/// What describes the body stays, everything else is ours.
fn with_own_headers(upstream: &HeaderMap, own: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(own.len() + 3);
    for name in [CONTENT_TYPE, CONTENT_ENCODING, USER_AGENT] {
        if let Some(value) = upstream.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    for (name, value) in own {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

/// The causes of the error in one line. The outermost part only says that the client failed.
fn describe(error: &(dyn Error + 'static)) -> String {
    if error.is::<tokio::time::error::Elapsed>() {
        return "the collector did not answer in time".to_owned();
    }
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}
