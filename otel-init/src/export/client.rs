//! The HTTP client of both protocols. Its certificates are read again when their files change.

use std::sync::{Arc, Mutex, PoisonError};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::tls::{TlsError, TlsSource, TlsStamp};
use crate::Protocol;
use crate::diagnostics;

pub(super) type HyperClient = legacy::Client<HttpsConnector<HttpConnector>, tonic::body::Body>;

/// Makes connections to one collector.
///
/// It is hyper and not reqwest, whose TLS features would change the application's own reqwest clients. It follows no
/// redirect, which would carry the headers, tokens among them, to another host.
#[derive(Debug)]
pub(super) struct Client {
    protocol: Protocol,
    tls: TlsSource,
    current: Mutex<(TlsStamp, HyperClient)>,
}

impl Client {
    pub(super) fn new(protocol: Protocol, tls: TlsSource) -> Result<Self, TlsError> {
        let stamp = tls.stamp();
        let client = connecting(protocol, tls.client_config()?);
        Ok(Self { protocol, tls, current: Mutex::new((stamp, client)) })
    }

    /// The client with the certificates that the files have now. Connections of the one before end when they are idle.
    pub(super) fn current(&self) -> Result<HyperClient, String> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.tls.stamp();
        if stamp != current.0 {
            match self.tls.client_config() {
                Ok(config) => current.1 = connecting(self.protocol, config),
                // Half-written, most likely: what was read before goes on until the files change again.
                Err(error) => {
                    diagnostics::warn(&format!("{error}; the certificates read before stay in use"));
                }
            }
            current.0 = stamp;
        }
        Ok(current.1.clone())
    }
}

fn connecting(protocol: Protocol, tls: Arc<ClientConfig>) -> HyperClient {
    let builder = HttpsConnectorBuilder::new().with_tls_config(Arc::unwrap_or_clone(tls)).https_or_http();
    let is_grpc = protocol == Protocol::Grpc;
    let connector = if is_grpc { builder.enable_http2().build() } else { builder.enable_http1().build() };
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .http2_only(is_grpc)
        .build(connector)
}
