//! An OTLP destination beside those of the environment.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;

use crate::config::{
    Compression, Endpoint, HeaderProvider, LONGEST_WAIT, OtlpConfig, TlsConfig, sensitive_header,
};
use crate::{InstallError, Protocol, Signal};

/// One more collector, with a queue, retries, a circuit breaker and a health of its own:
/// [`TelemetryBuilder::with_destination`](crate::TelemetryBuilder::with_destination).
///
/// ```
/// use otel_init::{OtlpDestination, Protocol, Signal, Telemetry};
///
/// let vendor = OtlpDestination::new("https://otlp.example.com")
///     .with_signals([Signal::Traces])
///     .with_protocol(Protocol::HttpProtobuf)
///     .with_header_provider(|| vec![("authorization".into(), format!("Bearer {}", "the current token"))]);
/// let builder = Telemetry::builder().with_destination(vendor);
/// # drop(builder);
/// ```
#[derive(Clone)]
#[must_use]
pub struct OtlpDestination {
    url: String,
    signals: Vec<Signal>,
    protocol: Protocol,
    headers: Vec<(String, String)>,
    provider: Option<HeaderProvider>,
    timeout: Duration,
    compression: Option<Compression>,
    tls: TlsConfig,
}

impl OtlpDestination {
    /// All signals to `url`, such as `http://collector:4318`, over HTTP with protobuf. `/v1/traces` and so on are
    /// appended.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            signals: Signal::ALL.to_vec(),
            protocol: Protocol::HttpProtobuf,
            headers: Vec::new(),
            provider: None,
            timeout: Duration::from_secs(10),
            compression: None,
            tls: TlsConfig::default(),
        }
    }

    /// Sets which signals go there. The default is all.
    pub fn with_signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.signals = signals.into_iter().collect();
        self.signals.sort();
        self.signals.dedup();
        self
    }

    /// Sets the transport. The default is [`Protocol::HttpProtobuf`].
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Adds a header to each request. A name or value that HTTP does not allow makes
    /// [`install`](crate::TelemetryBuilder::install) fail.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a function that gives headers for each attempt, such as a token that expires; see
    /// [`TelemetryBuilder::with_header_provider`](crate::TelemetryBuilder::with_header_provider).
    pub fn with_header_provider(
        mut self,
        provider: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.provider = Some(HeaderProvider::new(provider));
        self
    }

    /// Sets the time for one request, retries included. The default is 10 seconds, the most a day; zero
    /// counts as not set.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        if !timeout.is_zero() {
            self.timeout = timeout;
        }
        self
    }

    /// Compresses request bodies with gzip. The default is no compression.
    pub fn with_gzip(mut self) -> Self {
        self.compression = Some(Compression::Gzip);
        self
    }

    /// Compresses request bodies with zstd. The default is no compression.
    pub fn with_zstd(mut self) -> Self {
        self.compression = Some(Compression::Zstd);
        self
    }

    /// Trusts the authority in this PEM file instead of the system's. It is read again when it changes.
    pub fn with_certificate(mut self, authority: impl Into<std::path::PathBuf>) -> Self {
        self.tls.authority = Some(authority.into());
        self
    }

    /// Shows this client certificate to the collector (mutual TLS). Both are PEM files, read again when they change.
    pub fn with_client_certificate(
        mut self,
        certificate: impl Into<std::path::PathBuf>,
        key: impl Into<std::path::PathBuf>,
    ) -> Self {
        self.tls.client_certificate = Some(certificate.into());
        self.tls.client_key = Some(key.into());
        self
    }

    /// One configuration for each signal.
    pub(crate) fn resolve(&self) -> Result<Vec<OtlpConfig>, InstallError> {
        // The value is likely a secret, so the error leaves it out.
        let invalid = |name: &str| {
            let reason = "HTTP does not allow this name, or its value".to_owned();
            InstallError::invalid("a header of a destination", name.to_owned(), reason)
        };
        let header =
            |(name, value): &(String, String)| sensitive_header(name, value).ok_or_else(|| invalid(name));
        let headers = self.headers.iter().map(header).collect::<Result<HeaderMap, _>>()?;
        self.signals
            .iter()
            .map(|signal| {
                let endpoint =
                    Endpoint::from_base(&self.url, *signal, self.protocol, false).map_err(|reason| {
                        InstallError::endpoint("the endpoint of a destination", &self.url, reason)
                    })?;
                Ok(OtlpConfig {
                    signal: *signal,
                    protocol: self.protocol,
                    endpoint,
                    is_insecure: false,
                    unused_proxy: None,
                    is_added: true,
                    headers: headers.clone(),
                    header_provider: self.provider.clone(),
                    timeout: self.timeout.min(LONGEST_WAIT),
                    compression: self.compression,
                    tls: self.tls.clone(),
                })
            })
            .collect()
    }
}

/// Without what may be a secret: the values of headers, and what stands in the URL for the collector alone.
impl fmt::Debug for OtlpDestination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OtlpDestination")
            .field("url", &Endpoint::masked(&self.url))
            .field("signals", &self.signals)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::OtlpDestination;
    use crate::Signal;
    use crate::config::{Compression, TlsConfig};

    #[test]
    fn what_is_said_of_it_holds_for_each_of_its_signals() {
        let destination = OtlpDestination::new("http://collector")
            .with_signals([Signal::Logs, Signal::Traces, Signal::Logs])
            .with_timeout(Duration::from_secs(3))
            .with_timeout(Duration::ZERO)
            .with_certificate("/ca.pem")
            .with_client_certificate("/me.pem", "/me.key");
        let zstd = destination.clone().with_zstd();
        for (destination, expected) in
            [(destination.with_gzip(), Compression::Gzip), (zstd, Compression::Zstd)]
        {
            let resolved = destination.resolve().unwrap();
            assert_eq!(
                resolved.iter().map(|otlp| otlp.signal).collect::<Vec<_>>(),
                [Signal::Traces, Signal::Logs]
            );
            for otlp in resolved {
                assert_eq!((otlp.timeout, otlp.compression), (Duration::from_secs(3), Some(expected)));
                let [authority, certificate, key] =
                    ["/ca.pem", "/me.pem", "/me.key"].map(|path| Some(path.into()));
                let tls = TlsConfig { authority, client_certificate: certificate, client_key: key };
                assert_eq!(otlp.tls, tls);
            }
        }
    }

    #[test]
    fn no_secret_of_it_is_shown() {
        let destination = OtlpDestination::new("https://user:hunter2@collector:4318/otlp?key=hunter2")
            .with_header("authorization", "Bearer hunter2");
        let shown = format!("{destination:?}");
        assert!(shown.contains("collector:4318") && !shown.contains("hunter2"), "{shown}");
    }
}
