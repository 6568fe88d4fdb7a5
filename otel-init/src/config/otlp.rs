//! `OTEL_EXPORTER_OTLP_*`, general and per signal.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::endpoint::Endpoint;
use super::environment::Environment;
use super::shown;
use super::{Destinations, HeaderProvider, Settings, percent};
use crate::{InstallError, Protocol, Signal};

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How one signal reaches its collector.
#[derive(Debug, Clone)]
pub(crate) struct OtlpConfig {
    pub(crate) signal: Signal,
    pub(crate) protocol: Protocol,
    pub(crate) endpoint: Endpoint,
    /// Whether a gRPC endpoint without a scheme is reached without TLS.
    pub(crate) is_insecure: bool,
    /// Values are marked sensitive, so `Debug` does not show them.
    pub(crate) headers: HeaderMap,
    /// Asked before each attempt; what it gives wins.
    pub(crate) header_provider: Option<HeaderProvider>,
    /// For one batch, retries included; what exports may have a shorter bound.
    pub(crate) timeout: Duration,
    pub(crate) compression: Option<Compression>,
    pub(crate) tls: TlsConfig,
    /// The variable of a proxy that other programs would ask.
    pub(crate) unused_proxy: Option<&'static str>,
    /// A destination that the code adds, where no variable and no file says anything.
    pub(crate) is_added: bool,
}

/// How request bodies are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    pub(super) const EXPECTED: &str = "gzip, zstd or none";

    /// `None` for `none`.
    pub(super) fn parse(name: &str) -> Option<Option<Self>> {
        match name {
            "gzip" => Some(Some(Self::Gzip)),
            "zstd" => Some(Some(Self::Zstd)),
            "none" => Some(None),
            _ => None,
        }
    }

    /// The name in `OTEL_EXPORTER_OTLP_COMPRESSION` and in the header.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Files with certificates in PEM form; the system's authorities where none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsConfig {
    pub(crate) authority: Option<PathBuf>,
    pub(crate) client_certificate: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
}

impl OtlpConfig {
    pub(crate) fn resolve(
        signal: Signal,
        settings: &Settings,
        environment: &Environment<'_>,
    ) -> Result<Self, InstallError> {
        let variables = Variables(signal);
        let protocol = settings.protocol.unwrap_or_else(|| variables.protocol(environment));
        let is_insecure = variables.is_insecure(environment);
        Ok(Self {
            signal,
            protocol,
            endpoint: variables.endpoint(protocol, is_insecure, settings, environment)?,
            is_insecure,
            headers: variables.headers(environment),
            header_provider: settings.header_provider.clone(),
            timeout: variables.timeout(environment),
            compression: variables.compression(environment),
            tls: variables.tls(environment),
            unused_proxy: None,
            is_added: false,
        })
    }
}

/// Warns of endpoints of one signal whose path was forgotten, `named` is what said it, and of what gRPC does not send.
pub(super) fn note_endpoints(
    destinations: &Destinations,
    environment: &Environment<'_>,
    named: impl Fn(Signal) -> String,
) {
    for otlp in destinations.otlp().filter(|otlp| otlp.protocol == Protocol::Grpc) {
        if otlp.endpoint.has_query() {
            environment.warn(format!(
                "the endpoint {} has a query, which gRPC has no place for, so it is not sent: a key goes into \
                 OTEL_EXPORTER_OTLP_HEADERS, or into `headers` in a configuration file",
                otlp.endpoint.shown()
            ));
        }
    }
    for otlp in destinations.otlp().filter(|otlp| otlp.protocol != Protocol::Grpc) {
        let (signal, shown) = (otlp.signal, otlp.endpoint.shown());
        // "If an URL contains no path part, the root path `/` MUST be used": hardly what was meant.
        if !otlp.endpoint.has_path() {
            environment.warn(format!(
                "{} is {shown:?}, which has no path: an endpoint of a single signal is used as it is, so {signal} go to \
                 {shown}/, and collectors take them at {shown}/v1/{signal}; a / at its end says that this is meant",
                named(signal)
            ));
        }
    }
}

/// Whether a text is a certificate or a key itself, where its path is meant: a path is shown, a key never.
pub(super) fn holds_pem(text: &str) -> bool {
    // The second is the first in base64, as manifests of Kubernetes have it.
    text.contains("-----BEGIN ") || text.starts_with("LS0tLS1CRUdJTi")
}

/// The variables of one signal. The signal's own wins over the general one.
struct Variables(Signal);

impl Variables {
    fn names(&self, setting: &str) -> [String; 2] {
        let signal = self.0.as_str().to_uppercase();
        [format!("OTEL_EXPORTER_OTLP_{signal}_{setting}"), format!("OTEL_EXPORTER_OTLP_{setting}")]
    }

    fn protocol(&self, environment: &Environment<'_>) -> Protocol {
        let [own, general] = self.names("PROTOCOL");
        let expected = "grpc, http/protobuf or http/json";
        // "the default SHOULD be http/protobuf".
        environment
            .choice(&[&own, &general], expected, Protocol::HttpProtobuf, Protocol::from_name)
            .unwrap_or(Protocol::HttpProtobuf)
    }

    fn is_insecure(&self, environment: &Environment<'_>) -> bool {
        let [own, general] = self.names("INSECURE");
        environment.boolean(&own).or_else(|| environment.boolean(&general)).unwrap_or(false)
    }

    fn endpoint(
        &self,
        protocol: Protocol,
        insecure: bool,
        settings: &Settings,
        environment: &Environment<'_>,
    ) -> Result<Endpoint, InstallError> {
        if let Some(base) = &settings.endpoint {
            return Endpoint::from_base(base, self.0, protocol, insecure)
                .map_err(|reason| InstallError::endpoint("the endpoint", base, reason));
        }
        let [own, general] = self.names("ENDPOINT");
        let refused = RefCell::new(Vec::new());
        let checked = |name: &str, parse: &dyn Fn(&str) -> Result<Endpoint, String>| {
            let value = environment.text(name)?;
            let refuse = |reason| {
                environment.refuse(name);
                refused
                    .borrow_mut()
                    .push(format!("{name} is {}, {reason}", shown(&Endpoint::masked(&value))));
            };
            parse(&value).map_err(refuse).ok()
        };
        let endpoint = checked(&own, &|url| Endpoint::exact(url, protocol, insecure))
            .or_else(|| checked(&general, &|base| Endpoint::from_base(base, self.0, protocol, insecure)))
            .unwrap_or_else(|| Endpoint::default_for(self.0, protocol));
        for refused in refused.into_inner() {
            environment.warn(format!("{refused}; {} is used", endpoint.shown_base()));
        }
        for name in [&own, &general] {
            environment.instead(name, format!("{} is used", endpoint.shown_base()));
        }
        Ok(endpoint)
    }

    fn headers(&self, environment: &Environment<'_>) -> HeaderMap {
        let names = self.names("HEADERS");
        let mut refused = Vec::new();
        let understood = names.iter().find_map(|name| match read_headers(name, environment)? {
            Ok(headers) => Some((name, headers)),
            Err(place) => {
                environment.refuse(name);
                refused.push((name, place));
                None
            }
        });
        let used = understood.as_ref().map_or("none".to_owned(), |(name, _)| format!("those of {name}"));
        names.iter().for_each(|name| environment.instead(name, format!("{used} are sent")));
        for (name, place) in refused {
            environment.warn(format!(
                "{name} cannot be read in its entry {place}, expected {}; {used} are sent",
                percent::PAIRS
            ));
        }
        understood.map(|(_, headers)| headers).unwrap_or_default()
    }

    fn timeout(&self, environment: &Environment<'_>) -> Duration {
        let [own, general] = self.names("TIMEOUT");
        environment.timeout(&[&own, &general], TIMEOUT.as_millis()).unwrap_or(TIMEOUT)
    }

    fn compression(&self, environment: &Environment<'_>) -> Option<Compression> {
        let [own, general] = self.names("COMPRESSION");
        environment.choice(&[&own, &general], Compression::EXPECTED, "none", Compression::parse).flatten()
    }

    fn tls(&self, environment: &Environment<'_>) -> TlsConfig {
        let file = |setting, otherwise: &str| {
            let [own, general] = self.names(setting);
            let path_in = |name: &String| {
                let path = environment.text(name)?;
                if !holds_pem(&path) {
                    return Some(path);
                }
                environment.refuse(name);
                environment.warn(format!(
                    "{name} is what may be a secret, expected the path of a file that holds it; {otherwise}"
                ));
                None
            };
            let path = [&own, &general].into_iter().find_map(path_in);
            let used = path.as_ref().map_or(otherwise.to_owned(), |path| format!("{path} is used"));
            [own, general].iter().for_each(|name| environment.instead(name, &used));
            path.map(PathBuf::from)
        };
        let authority = file("CERTIFICATE", "the authorities of the system are trusted");
        let without = "connections have no client certificate";
        let (client_certificate, client_key) =
            (file("CLIENT_CERTIFICATE", without), file("CLIENT_KEY", without));
        if client_certificate.is_some() != client_key.is_some() {
            let [[_, key], [_, certificate]] =
                ["CLIENT_KEY", "CLIENT_CERTIFICATE"].map(|name| self.names(name));
            let (set, missing) = if client_key.is_some() { (key, certificate) } else { (certificate, key) };
            environment.warn(format!("{set} is set, expected {missing} besides; {without}"));
            return TlsConfig { authority, ..TlsConfig::default() };
        }
        TlsConfig { authority, client_certificate, client_key }
    }
}

/// Reads `key=value,key=value`. The error is the place of an entry that cannot be read. Warnings leave the value out: it is
/// likely a secret.
fn read_headers(name: &str, environment: &Environment<'_>) -> Option<Result<HeaderMap, usize>> {
    let headers = parse_headers(&environment.text(name)?);
    for (key, _) in headers.iter().flatten().filter(|(_, value)| is_without_secret(value)) {
        environment.warn(format!(
            "{name} has {key}, and in it no secret: a variable that should be there is not set, or was not replaced"
        ));
    }
    Some(headers)
}

/// What is left of `Bearer ${TOKEN}` where a shell knows no such variable, and where nobody looks for one.
fn is_without_secret(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default().trim();
    text.contains("${") || ["bearer", "basic"].contains(&text.to_ascii_lowercase().as_str())
}

/// The same list, wherever it stands. The error is the place of an entry that cannot be read, from 1.
pub(super) fn parse_headers(text: &str) -> Result<HeaderMap, usize> {
    percent::read_pairs(text, |name, value| sensitive_header(&name, &value))
}

/// `None` if HTTP does not allow the name, or the value.
pub(crate) fn sensitive_header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
