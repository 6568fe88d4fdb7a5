//! Which hosts a rule is for.

use std::net::Ipv6Addr;

use crate::HttpRequest;
use crate::url::host_and_port;
use otel_core::glob_matches;

/// A host, or a pattern of hosts with `*` for any text and `?` for one character, and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    host: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Reads `example.com`, `*.example.com`, `localhost:8080`, `[::1]:80` and `::1`.
    pub(crate) fn new(pattern: &str) -> Self {
        let is_bare_ipv6 = pattern.matches(':').count() > 1 && !pattern.starts_with('[');
        let (host, port) = match host_and_port(pattern) {
            Some(parts) if !is_bare_ipv6 => parts,
            _ => (pattern, None),
        };
        let host = host.trim_end_matches('.');
        Self { host: ipv6(host).unwrap_or_else(|| host.to_ascii_lowercase()), port }
    }

    /// Case, the dot at the end of a full name and how an address is written make no difference.
    pub(crate) fn matches(&self, server: Server<'_>) -> bool {
        let host = server.host.trim_end_matches('.');
        let has_port = self.port.is_none_or(|port| server.port == Some(port));
        has_port && glob_matches(&self.host, ipv6(host).as_deref().unwrap_or(host))
    }
}

/// An IPv6 address in the one form that is recommended; a `Uri` keeps it as it was written.
fn ipv6(host: &str) -> Option<String> {
    let address = host.contains(':').then(|| host.parse::<Ipv6Addr>().ok())?;
    address.map(|address| address.to_string())
}

/// Whom a request goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server<'a> {
    pub(crate) host: &'a str,
    /// Given, or implied by the scheme.
    pub(crate) port: Option<u16>,
}

impl<'a> Server<'a> {
    /// The server of the URL, or of the `Host` header when the URL has none.
    pub(crate) fn of(request: &HttpRequest<'a>) -> Option<Self> {
        let server = request.url.host_and_port();
        let server = server.or_else(|| host_and_port(request.text(&http::header::HOST)?));
        let (host, port) = server?;
        Some(Self { host, port: port.or(request.url.default_port()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_hosts() {
        for (pattern, host, port, expected) in [
            ("example.com", "example.com", 80, true),
            ("Example.COM", "eXample.com.", 80, true),
            ("example.com", "example.com.evil.example", 80, false),
            ("example.com", "notexample.com", 80, false),
            ("*.example.com", "a.b.example.com", 80, true),
            ("*.example.com", "example.com", 80, false),
            ("*.example.com", "evilexample.com", 80, false),
            ("api-*.example.com", "api-7.example.com", 443, true),
            ("*", "anything", 1, true),
            ("localhost:8080", "localhost", 8080, true),
            ("localhost:8080", "localhost", 8081, false),
            ("[::1]:80", "::1", 80, true),
            ("[::1]", "::1", 81, true),
            ("::1", "::1", 81, true),
            ("0:0::1", "::1", 81, true),
            ("::1", "0:0:0:0:0:0:0:1", 81, true),
            ("[2001:DB8:0:0::7]:80", "2001:db8::7", 80, true),
            ("2001:db8::*", "2001:db8::7", 81, true),
            ("", "example.com", 80, false),
        ] {
            let matches = HostPattern::new(pattern).matches(Server { host, port: Some(port) });
            assert_eq!(matches, expected, "{pattern} {host}:{port}");
        }
    }
}
