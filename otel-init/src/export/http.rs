//! OTLP over HTTP/1.1.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use rustls::RootCertStore;

use super::Monitor;
use super::tls;
use crate::config::OtlpConfig;

/// The client that upstream's exporter sends through.
///
/// Upstream's default client depends on the features that other crates turn on, and upstream adds the headers of the
/// process's environment after ours; so the headers are set here, last.
#[derive(Debug)]
pub(super) struct OtlpHttpClient {
    client: reqwest::Client,
    headers: HeaderMap,
    monitor: Arc<Monitor>,
}

impl OtlpHttpClient {
    pub(super) fn new(
        config: &OtlpConfig,
        roots: RootCertStore,
        monitor: Arc<Monitor>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(roots)?)
            .timeout(config.timeout)
            // A redirect would carry the headers, tokens among them, to another host.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
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

/// The error and its causes in one line. The outermost part of a reqwest error repeats the URL, which may hold
/// credentials, so its causes speak for it.
fn describe(error: &(dyn Error + 'static)) -> String {
    let mut causes = Vec::new();
    let mut next = match error.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => return "the collector did not answer in time".to_owned(),
        Some(error) => error.source(),
        None => Some(error),
    };
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() { "the request could not be sent".to_owned() } else { causes.join(": ") }
}
