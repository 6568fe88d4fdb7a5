//! URLs without the secrets that they carry.

use http::Uri;
use otel_core::UrlSecrets;

/// The parts of a request's URL, from whatever type the application uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Url<'a> {
    pub(crate) scheme: Option<&'a str>,
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> Url<'a> {
    pub(crate) fn from_uri(uri: &'a Uri) -> Self {
        Self {
            scheme: uri.scheme_str(),
            authority: uri.authority().map(http::uri::Authority::as_str),
            path: uri.path(),
            query: uri.query(),
        }
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn from_url(url: &'a reqwest::Url) -> Self {
        Self {
            scheme: Some(url.scheme()),
            authority: url.has_host().then(|| url.authority()),
            path: url.path(),
            query: url.query(),
        }
    }

    /// The value of `url.full`. A fragment is never sent, so there is none. Without a scheme it begins with `//`.
    pub(crate) fn full(&self, secrets: &UrlSecrets) -> String {
        let query = self.query.map(|query| secrets.redact_query(query));
        let length =
            [self.scheme, self.authority, query.as_deref()].into_iter().flatten().map(|part| part.len());
        // Room for "://", "?" and credentials that are longer than those they replace.
        let mut full = String::with_capacity(length.sum::<usize>() + self.path.len() + 24);
        if let Some(scheme) = self.scheme.filter(|_| self.authority.is_some()) {
            full.push_str(scheme);
            full.push(':');
        }
        if let Some(authority) = self.authority {
            full.push_str("//");
            full.push_str(&UrlSecrets::redact_authority(authority));
        }
        // `OPTIONS *` is for the server, which has no path: <https://www.rfc-editor.org/rfc/rfc9112#section-3.3>
        if self.path != "*" {
            full.push_str(self.path);
        }
        if let Some(query) = query {
            full.push('?');
            full.push_str(&query);
        }
        full
    }

    /// Host and port of the authority.
    pub(crate) fn host_and_port(&self) -> Option<(&'a str, Option<u16>)> {
        let authority = self.authority?;
        host_and_port(authority)
    }

    /// The port that the scheme implies.
    pub(crate) fn default_port(&self) -> Option<u16> {
        match self.scheme? {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        }
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`; an address without its brackets, a port that is none is absent.
pub(crate) fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    // A `Host` with credentials is wrong, and is not to bring them in.
    let text = text.rsplit_once('@').map_or(text, |(_credentials, host)| host);
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None if text.matches(':').count() > 1 => (text, None),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    (!host.is_empty()).then(|| (host, port.and_then(|port| port.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(uri: &str) -> String {
        Url::from_uri(&uri.parse().unwrap()).full(&UrlSecrets::default())
    }

    #[test]
    fn credentials_never_leave() {
        assert_eq!(
            full("https://user:secret@example.com/p@th?a=b@c"),
            "https://REDACTED:REDACTED@example.com/p@th?a=b@c"
        );
        assert_eq!(full("http://u@[2001:db8::1]:8080/x"), "http://REDACTED:REDACTED@[2001:db8::1]:8080/x");
        assert_eq!(full("https://example.com/p@th?a=b@c"), "https://example.com/p@th?a=b@c");
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        for (text, expected) in [
            ("example.com", Some(("example.com", None))),
            ("example.com:8080", Some(("example.com", Some(8080)))),
            ("example.com:port", Some(("example.com", None))),
            ("[::1]:80", Some(("::1", Some(80)))),
            ("[::1]", Some(("::1", None))),
            ("2001:db8::1", Some(("2001:db8::1", None))),
            ("user:secret@example.com:80", Some(("example.com", Some(80)))),
            ("[::1", None),
            (":80", None),
            ("", None),
        ] {
            assert_eq!(host_and_port(text), expected, "{text}");
        }
    }
}
