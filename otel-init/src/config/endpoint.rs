//! Where telemetry goes.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};

use super::percent;
use crate::{Protocol, Signal};

/// A checked URL, and the same without credentials to show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: String,
    shown: String,
    shown_base: String,
    authority: String,
    is_https: bool,
    /// Without user name and password.
    target: String,
    /// What these are as a header.
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// The default of the specification: port 4317 for gRPC, 4318 for HTTP, on this host.
    pub(crate) fn default_for(signal: Signal, protocol: Protocol) -> Self {
        let (port, path) = match protocol {
            Protocol::Grpc => (4317, String::new()),
            Protocol::HttpProtobuf | Protocol::HttpJson => (4318, format!("/v1/{signal}")),
        };
        let base = format!("http://localhost:{port}");
        Self {
            url: format!("{base}{path}"),
            shown: format!("{base}{path}"),
            shown_base: base.clone(),
            authority: format!("localhost:{port}"),
            is_https: false,
            target: format!("{base}{path}"),
            authorization: None,
        }
    }

    /// The endpoint of a signal below a base that all signals share: OTLP/HTTP appends `v1/traces` and so on.
    pub(crate) fn from_base(
        base: &str,
        signal: Signal,
        protocol: Protocol,
        insecure: bool,
    ) -> Result<Self, String> {
        let path = match protocol {
            Protocol::Grpc => String::new(),
            Protocol::HttpProtobuf | Protocol::HttpJson => format!("/v1/{signal}"),
        };
        // A query, which some take their key in, stays behind the path.
        let (base, query) = base.split_at(base.find('?').unwrap_or(base.len()));
        Self::parse(base.trim_end_matches('/'), &path, query, protocol, insecure)
    }

    /// The endpoint of one signal, used as it is.
    pub(crate) fn exact(url: &str, protocol: Protocol, insecure: bool) -> Result<Self, String> {
        Self::parse(url, "", "", protocol, insecure)
    }

    fn parse(
        base: &str,
        path: &str,
        query: &str,
        protocol: Protocol,
        insecure: bool,
    ) -> Result<Self, String> {
        let base = with_scheme(base, protocol, insecure)?;
        if base.contains('#') || query.contains('#') {
            return Err("expected a URL without #, which is %23 in a password".to_owned());
        }
        let url = format!("{base}{path}{query}");
        let uri: Uri = url.parse().map_err(|error| format!("expected a URL, found an {error}"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("expected a URL with http:// or https://".to_owned()),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host.to_owned()),
            None => (None, authority.to_owned()),
        };
        check_authority(&authority)?;
        let scheme = if is_https { "https" } else { "http" };
        let (target, authorization) = match user {
            Some(user) => {
                let rest = uri.path_and_query().map(|rest| rest.as_str()).unwrap_or_default();
                (format!("{scheme}://{authority}{rest}"), basic(user))
            }
            None => (url.clone(), None),
        };
        let shown = format!("{scheme}://{authority}{}", uri.path());
        let shown = shown.trim_end_matches('/').to_owned();
        let shown_base = shown.strip_suffix(path).unwrap_or(&shown).to_owned();
        Ok(Self { url, shown, shown_base, authority, is_https, target, authorization })
    }

    /// The URL as it was given. It may hold credentials.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL to send to. User name and password are no part of it, its query is.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The header for a user name and a password in the URL.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether there is something behind the host, if only a slash.
    pub(crate) fn has_path(&self) -> bool {
        let (_, rest) = self.url.split_once("://").unwrap_or_default();
        rest.split('?').next().is_some_and(|rest| rest.contains('/'))
    }

    /// The URL without user name, password and query, which may be secret.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// [`Self::shown`] without the part that names the signal.
    pub(crate) fn shown_base(&self) -> &str {
        &self.shown_base
    }

    /// A text that is refused, without what may be a password or a key.
    pub(crate) fn masked(text: &str) -> String {
        let host = text.rfind('@').map_or(0, |at| at + 1);
        let (visible, query) =
            text.split_at(text[host..].find(['?', '#']).map_or(text.len(), |at| host + at));
        let query = query.chars().next().map_or_else(String::new, |mark| format!("{mark}***"));
        if host == 0 {
            return format!("{visible}{query}");
        }
        let is_scheme = |before: &&str| before.bytes().all(|byte| byte.is_ascii_alphabetic());
        let scheme = text.split_once("://").map(|(before, _)| before).filter(is_scheme);
        let scheme = scheme.map_or_else(String::new, |scheme| format!("{scheme}://"));
        format!("{scheme}***@{}{query}", &visible[host..])
    }

    /// Whether something is asked of the collector that gRPC, whose URLs are names of methods, does not ask.
    pub(crate) fn has_query(&self) -> bool {
        self.url.contains('?')
    }

    /// Host and port: signals that share it share their warnings.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }
}

/// A gRPC endpoint may lack the scheme; then `OTEL_EXPORTER_OTLP_INSECURE` decides.
fn with_scheme(base: &str, protocol: Protocol, insecure: bool) -> Result<String, String> {
    match (base.contains("://"), protocol) {
        (false, Protocol::Grpc) if insecure => Ok(format!("http://{base}")),
        (false, Protocol::Grpc) => Ok(format!("https://{base}")),
        (false, Protocol::HttpProtobuf | Protocol::HttpJson) => {
            Err("expected a URL with http:// or https://".to_owned())
        }
        (true, _) => Ok(base.to_owned()),
    }
}

/// There is a host, and the port is one: `Uri` takes any text for it, and a client the default one then.
fn check_authority(authority: &str) -> Result<(), String> {
    if authority.is_empty() || authority.starts_with(':') {
        return Err("expected a URL with a host".to_owned());
    }
    let after_colon = authority.rsplit_once(':').map(|(_, port)| port);
    let port = after_colon.filter(|port| !port.ends_with(']'));
    if port.is_some_and(|port| port.parse::<std::num::NonZeroU16>().is_err()) {
        return Err("expected a port from 1 to 65535".to_owned());
    }
    Ok(())
}

/// `user:password` of a URL, as HTTP wants it: <https://www.rfc-editor.org/rfc/rfc7617>.
fn basic(user: &str) -> Option<HeaderValue> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| percent::decode(text).unwrap_or_else(|| text.to_owned());
    let credentials = STANDARD.encode(format!("{}:{}", decoded(name), decoded(password)));
    let mut value = HeaderValue::from_str(&format!("Basic {credentials}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use crate::{Protocol, Signal};

    #[test]
    fn a_base_gets_the_path_of_the_signal_over_http_only() {
        for (base, protocol, url) in [
            ("http://collector:4318", Protocol::HttpProtobuf, "http://collector:4318/v1/logs"),
            ("http://collector:4318/", Protocol::HttpProtobuf, "http://collector:4318/v1/logs"),
            ("https://collector/otlp", Protocol::HttpProtobuf, "https://collector/otlp/v1/logs"),
            ("http://collector:4317", Protocol::Grpc, "http://collector:4317"),
            ("collector:4317", Protocol::Grpc, "https://collector:4317"),
            ("https://collector/otlp/?key=1", Protocol::HttpProtobuf, "https://collector/otlp/v1/logs?key=1"),
            ("https://collector?a=/b", Protocol::HttpProtobuf, "https://collector/v1/logs?a=/b"),
        ] {
            let endpoint = Endpoint::from_base(base, Signal::Logs, protocol, false).unwrap();
            assert_eq!(endpoint.url(), url);
        }
        let insecure = Endpoint::from_base("collector:4317", Signal::Logs, Protocol::Grpc, true).unwrap();
        assert_eq!(insecure.url(), "http://collector:4317");
        for base in ["http://[::1]", "http://[::1]:4318", "http://user:word@collector"] {
            assert!(Endpoint::from_base(base, Signal::Logs, Protocol::HttpProtobuf, false).is_ok(), "{base}");
        }
        let exact = Endpoint::exact("http://collector:4318", Protocol::HttpProtobuf, false).unwrap();
        assert_eq!(exact.url(), "http://collector:4318");
        let query = "https://collector/otlp?key=1";
        let query = Endpoint::from_base(query, Signal::Logs, Protocol::HttpProtobuf, false).unwrap();
        assert_eq!(query.shown_base(), "https://collector/otlp");
    }

    #[test]
    fn credentials_are_sent_and_not_shown() {
        let endpoint = Endpoint::exact(
            "https://user:secret@collector:4318/v1/traces?key=secret",
            Protocol::HttpProtobuf,
            false,
        )
        .unwrap();
        assert_eq!(endpoint.target(), "https://collector:4318/v1/traces?key=secret");
        // `printf user:secret | base64`
        assert_eq!(endpoint.authorization().unwrap(), "Basic dXNlcjpzZWNyZXQ=");
        assert_eq!(endpoint.shown(), "https://collector:4318/v1/traces");
        assert_eq!(endpoint.authority(), "collector:4318");
        assert!(!format!("{endpoint:?}").contains("secret"));
    }

    #[test]
    fn what_is_refused_is_shown_without_its_secrets() {
        for (text, shown) in [
            ("collector:4318", "collector:4318"),
            ("http://collector:", "http://collector:"),
            ("http://user:secret@collector:x/a", "http://***@collector:x/a"),
            ("user:secret@collector", "***@collector"),
            ("http://user:s?e/c://r@e@collector?key=secret", "http://***@collector?***"),
            ("user:sec://ret@collector", "***@collector"),
            ("é?secret", "é?***"),
            ("http://collector/#secret?", "http://collector/#***"),
        ] {
            assert_eq!(Endpoint::masked(text), shown);
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for base in [
            "collector:4318",
            "ftp://collector",
            "http://",
            "http://a b",
            "http://collector:otlp",
            "http://collector:431800",
            "http://collector:",
            "http://collector:0",
            "http://[::1]:",
            "http://user:1@[::1]:99999",
        ] {
            assert!(
                Endpoint::from_base(base, Signal::Traces, Protocol::HttpProtobuf, false).is_err(),
                "{base}"
            );
        }
    }
}
