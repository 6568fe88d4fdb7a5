//! `server.address` and `server.port`: of the request's authority, or of the target that a channel was made for.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use http::Uri;
use http::header::{HOST, HeaderMap};
use opentelemetry::{StringValue, Value};

use crate::text::repeated_text;

/// Host and port of whom a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// "Server address SHOULD be set to the host of the `:authority` pseudo-header"; behind an HTTP/1.1 proxy it is `Host`.
    pub(crate) fn of(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Self> {
        let Some(authority) = uri.authority() else {
            return Self::parse(headers.get(HOST)?.to_str().ok()?);
        };
        Self::parse(authority.as_str())
    }

    /// Reads `host`, `host:port`, `::1`, `[::1]:port`, with or without credentials, which are dropped.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.rsplit_once('@').map_or(text, |(_credentials, rest)| rest);
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            // An IPv6 address without its brackets has no port.
            None if text.matches(':').count() > 1 => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() || host.contains(['/', ',', ' ']) {
            return None;
        }
        let port = match port {
            None => None,
            Some(port) => Some(port.parse().ok()?),
        };
        Some(Self { host, port })
    }
}

/// Where calls go: what the span and the metrics say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    address: Arc<str>,
    pub(crate) port: Option<u16>,
}

/// The target of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) server: Server,
    /// With a scheme, for `grpc.target`.
    pub(crate) canonical: Arc<str>,
}

impl Target {
    /// "`server.address` [...] SHOULD be set from the target": <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.
    /// A target that names no single server is the address as a whole.
    pub(crate) fn parse(target: &impl Display) -> Self {
        let target = target.to_string();
        let server = parse_target(&target);
        let (address, port) = match server {
            Some((address, port)) => (Cow::Borrowed(address), port),
            None => (without_credentials(&target), None),
        };
        let canonical = match has_scheme(&target) {
            true => without_credentials(&target),
            false => Cow::Owned(format!("dns:///{}", without_credentials(&target))),
        };
        Self { server: Server { address: address.into(), port }, canonical: canonical.into() }
    }
}

const SCHEMES: [&str; 7] = ["dns", "unix", "unix-abstract", "ipv4", "ipv6", "http", "https"];

fn has_scheme(target: &str) -> bool {
    target.contains("://") || target.split_once(':').is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

fn parse_target(target: &str) -> Option<(&str, Option<u16>)> {
    let known = target.split_once(':').filter(|(scheme, _)| SCHEMES.contains(scheme));
    let Some((scheme, rest)) = known else {
        let authority = Authority::parse(target).filter(|_| !target.contains("://"))?;
        return Some((authority.host, authority.port));
    };
    if scheme.starts_with("unix") {
        // `unix:path`, `unix:///absolute/path`
        return Some((rest.strip_prefix("//").unwrap_or(rest), None)).filter(|(path, _)| !path.is_empty());
    }
    let (implied, text) = match scheme {
        "http" => (Some(80), authority_of_url(rest)?),
        "https" => (Some(443), authority_of_url(rest)?),
        // `dns:host`, `dns:///host`, `dns://resolver/host`
        "dns" => (
            None,
            rest.strip_prefix("//").map_or(Some(rest), |rest| rest.split_once('/').map(|parts| parts.1))?,
        ),
        _ => (None, rest),
    };
    let authority = Authority::parse(text)?;
    Some((authority.host, authority.port.or(implied)))
}

fn authority_of_url(rest: &str) -> Option<&str> {
    rest.strip_prefix("//")?.split(['/', '?', '#']).next()
}

/// The target with what stands before the last `@` replaced, where that can be credentials: not in a path.
fn without_credentials(target: &str) -> Cow<'_, str> {
    let (before, rest) = target.split_at(target.find("://").map_or(0, |at| at + "://".len()));
    let end = match before {
        "http://" | "https://" => rest.find(['/', '?', '#']).unwrap_or(rest.len()),
        _ if target.starts_with("unix") => 0,
        _ => rest.len(),
    };
    match rest[..end].rfind('@') {
        Some(at) => Cow::Owned(format!("{before}REDACTED{}", &rest[at..])),
        None => Cow::Borrowed(target),
    }
}

impl Server {
    pub(crate) fn address(&self) -> Value {
        Value::String(StringValue::from(Arc::clone(&self.address)))
    }
}

impl Authority<'_> {
    pub(crate) fn address(&self) -> Value {
        repeated_text(self.host)
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// With the port that the scheme implies.
    pub(crate) fn with_port_of(self, uri: &Uri) -> Self {
        let implied = match uri.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        };
        Self { port: self.port.or(implied), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn targets_of_the_specification_and_of_tonic() {
        for (target, address, port, canonical) in [
            ("grpc.io:50051", "grpc.io", Some(50051), "dns:///grpc.io:50051"),
            ("grpc.io", "grpc.io", None, "dns:///grpc.io"),
            ("dns://1.2.3.4/grpc.io:50051", "grpc.io", Some(50051), "dns://1.2.3.4/grpc.io:50051"),
            ("dns:///grpc.io:50051", "grpc.io", Some(50051), "dns:///grpc.io:50051"),
            ("dns:grpc.io:50051", "grpc.io", Some(50051), "dns:grpc.io:50051"),
            ("unix:///run/x.sock", "/run/x.sock", None, "unix:///run/x.sock"),
            ("unix:run/x.sock", "run/x.sock", None, "unix:run/x.sock"),
            ("ipv4:10.0.0.1:50051", "10.0.0.1", Some(50051), "ipv4:10.0.0.1:50051"),
            ("ipv6:[2001:db8::1]:50051", "2001:db8::1", Some(50051), "ipv6:[2001:db8::1]:50051"),
            ("ipv6:2001:db8::1", "2001:db8::1", None, "ipv6:2001:db8::1"),
            ("ipv6:fe80::1%eth0", "fe80::1%eth0", None, "ipv6:fe80::1%eth0"),
            ("vsock:2:5000", "vsock:2:5000", None, "dns:///vsock:2:5000"),
            ("[::1]:50051", "::1", Some(50051), "dns:///[::1]:50051"),
            ("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", None, "ipv4:10.0.0.1:1,10.0.0.2:2"),
            ("zk://zookeeper/a", "zk://zookeeper/a", None, "zk://zookeeper/a"),
            ("http://payments:50051", "payments", Some(50051), "http://payments:50051"),
            ("http://payments:50051/prefix", "payments", Some(50051), "http://payments:50051/prefix"),
            ("https://payments.example", "payments.example", Some(443), "https://payments.example"),
            ("http://[::1]/", "::1", Some(80), "http://[::1]/"),
            ("https://me:pw@x.example", "x.example", Some(443), "https://REDACTED@x.example"),
            ("zk://me:pw@x/a", "zk://REDACTED@x/a", None, "zk://REDACTED@x/a"),
            ("me:pw@x.example:1", "x.example", Some(1), "dns:///REDACTED@x.example:1"),
            ("http://x.example/p@th", "x.example", Some(80), "http://x.example/p@th"),
            ("unix:///run/a@b.sock", "/run/a@b.sock", None, "unix:///run/a@b.sock"),
        ] {
            let parsed = Target::parse(&target);
            let read = (&*parsed.server.address, parsed.server.port, &*parsed.canonical);
            assert_eq!(read, (address, port, canonical), "{target}");
        }
    }

    #[test]
    fn authorities_of_requests() {
        for (text, expected) in [
            ("shop.example", Some(("shop.example", None))),
            ("shop.example:8080", Some(("shop.example", Some(8080)))),
            ("[::1]:80", Some(("::1", Some(80)))),
            ("[::1]", Some(("::1", None))),
            ("2001:db8::1", Some(("2001:db8::1", None))),
            ("me:pw@shop.example:1", Some(("shop.example", Some(1)))),
            ("shop.example:99999", None),
            (":80", None),
            ("", None),
            ("[::1", None),
        ] {
            let parsed = Authority::parse(text).map(|read| (read.host, read.port));
            assert_eq!(parsed, expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_read_without_a_panic(target in ".{0,80}") {
            let _ = Target::parse(&target);
        }
    }
}
