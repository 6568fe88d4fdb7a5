//! The HTTP client of both protocols. Its certificates are read again when their files change.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;

use super::connector::Connector;
use super::tls::{TlsSource, TlsStamp};
use crate::Protocol;
use crate::config::OtlpConfig;
use crate::diagnostics;

pub(super) type HyperClient = legacy::Client<Connector, tonic::body::Body>;

/// Makes connections to one collector.
///
/// It is hyper and not reqwest, whose TLS features would change the application's own reqwest clients. It follows no
/// redirect, which would carry the headers, tokens among them, to another host.
#[derive(Debug)]
pub(in crate::export) struct Client {
    protocol: Protocol,
    is_https: bool,
    /// Of a request, with its connection.
    timeout: Duration,
    unused_proxy: Option<&'static str>,
    tls: TlsSource,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    stamp: TlsStamp,
    /// Why there is none is the cause of every failure until the files can be read: nothing is sent with less protection
    /// than was asked for.
    client: Result<HyperClient, String>,
}

impl Client {
    pub(in crate::export) fn new(config: &OtlpConfig, system_roots: RootCertStore) -> Self {
        let tls = TlsSource { system_roots, files: config.tls.clone() };
        let stamp = tls.stamp();
        let is_https = config.endpoint.is_https();
        let client = connecting(config.protocol, is_https, &tls, config.timeout);
        Self {
            protocol: config.protocol,
            is_https,
            timeout: config.timeout,
            unused_proxy: config.unused_proxy,
            tls,
            current: Mutex::new(Current { stamp, client }),
        }
    }

    /// Why nothing can be sent by it for now.
    pub(in crate::export) fn problem(&self) -> Option<String> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).client.as_ref().err().cloned()
    }

    /// A server that wants a client certificate closes the connection after the handshake, and hyper may see no more than
    /// that. So the operator is told what it could be.
    pub(in crate::export) fn explained(&self, cause: String) -> String {
        let is_vague =
            ["closed", "not ready", "reset", "broken pipe"].iter().any(|text| cause.contains(text));
        if !self.is_https || self.tls.files.client_certificate.is_some() || !is_vague {
            return self.with_proxy(cause);
        }
        format!(
            "{cause}; if the collector wants a client certificate, set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and \
             OTEL_EXPORTER_OTLP_CLIENT_KEY"
        )
    }

    /// Why a collector is not reached, where others would go by a proxy.
    pub(in crate::export) fn with_proxy(&self, cause: String) -> String {
        match self.unused_proxy {
            Some(variable) => format!("{cause}; {variable} is set, but the export uses no proxy"),
            None => cause,
        }
    }

    /// The next request gets a connection of its own.
    pub(in crate::export) fn reconnect(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Certificates that cannot be read now are told when their files have changed.
        if let Ok(client) = connecting(self.protocol, self.is_https, &self.tls, self.timeout) {
            current.client = Ok(client);
        }
    }

    /// The client with the certificates that the files have now. Connections of the one before end when they are idle.
    pub(super) fn current(&self) -> Result<HyperClient, String> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.tls.stamp();
        if stamp != current.stamp {
            current.stamp = stamp;
            match (connecting(self.protocol, self.is_https, &self.tls, self.timeout), &current.client) {
                // Half-written, most likely: what was read before goes on until the files change again.
                (Err(error), Ok(_)) => {
                    diagnostics::warn(&format!(
                        "{error}; the certificates read before stay in use: correct the file, it is read again when it \
                         changes"
                    ));
                }
                (changed, _) => current.client = changed,
            }
        }
        current.client.clone()
    }
}

fn connecting(
    protocol: Protocol,
    is_https: bool,
    tls: &TlsSource,
    timeout: Duration,
) -> Result<HyperClient, String> {
    let is_grpc = protocol == Protocol::Grpc;
    let mut http = HttpConnector::new();
    tune(&mut http, timeout);
    let connector = if is_https {
        http.enforce_http(false);
        let config = tls.client_config().map_err(|error| error.to_string())?;
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        Connector::Tls(if is_grpc {
            builder.enable_http2().wrap_connector(http)
        } else {
            builder.enable_http1().wrap_connector(http)
        })
    } else {
        Connector::Plain(http)
    };
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .http2_only(is_grpc)
        .build(connector))
}

fn tune<R>(http: &mut HttpConnector<R>, timeout: Duration) {
    // A request ends with a small write, which would wait for the acknowledgement of the large ones before it.
    http.set_nodelay(true);
    // It is divided among the addresses of the host, so that one where nobody is any more does not take all of the request's
    // time. For a single one that time, which is shorter, is the bound.
    http.set_connect_timeout(Some(timeout.saturating_add(Duration::from_secs(1))));
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};
    use std::net::SocketAddr;
    use std::task::{Context, Poll};

    use hyper_util::client::legacy::connect::dns::Name;
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tower_service::Service;

    use super::*;

    /// A host with two addresses.
    #[derive(Clone)]
    struct Two([SocketAddr; 2]);

    impl Service<Name> for Two {
        type Response = std::array::IntoIter<SocketAddr, 2>;
        type Error = std::io::Error;
        type Future = Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            ready(Ok(self.0.into_iter()))
        }
    }

    #[tokio::test]
    async fn of_two_addresses_the_one_where_nobody_is_leaves_time_for_the_other() {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(1).unwrap();
        let nobody = silent.local_addr().unwrap();
        // It accepts none, so when its queue is full further ones get no answer at all.
        let mut waiting = Vec::new();
        let short = Duration::from_millis(200);
        while let Ok(stream) = tokio::time::timeout(short, TcpStream::connect(nobody)).await {
            waiting.push(stream.unwrap());
        }
        let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut http = HttpConnector::new_with_resolver(Two([nobody, collector.local_addr().unwrap()]));
        // Half of it is for the first.
        let timeout = Duration::from_secs(8);
        tune(&mut http, timeout);
        let connected = tokio::time::timeout(timeout, http.call("http://collector".parse().unwrap())).await;
        assert!(connected.unwrap().is_ok());
    }
}
