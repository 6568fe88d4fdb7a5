//! URLs without the secrets that they carry.

use std::borrow::Cow;
use std::sync::Arc;

use http::Uri;

const REDACTED: &str = "REDACTED";

/// "The following query string keys SHOULD have their values redacted by default": signatures and credentials of
/// presigned URLs. Case counts.
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/>
const SECRET_KEYS: [&str; 7] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
];

/// The keys whose values are replaced in queries: those of the convention, or those of an application's own list.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecretKeys(Option<Arc<[String]>>);

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
    pub(crate) fn full(&self, keys: &SecretKeys) -> String {
        let query = self.query.map(|query| keys.redact_query(query));
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
            push_authority(&mut full, authority);
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

/// "`url.full` MUST NOT contain credentials passed via URL in form of `https://username:password@www.example.com/`. In
/// such case username and password SHOULD be redacted and attribute's value SHOULD be
/// `https://REDACTED:REDACTED@www.example.com/`."
fn push_authority(full: &mut String, authority: &str) {
    match authority.rsplit_once('@') {
        None => full.push_str(authority),
        Some((_credentials, host)) => {
            full.push_str("REDACTED:REDACTED@");
            full.push_str(host);
        }
    }
}

impl SecretKeys {
    pub(crate) fn new(keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Some(keys.into_iter().map(Into::into).collect()))
    }

    /// A URL in a header, absolute or relative, without credentials, signatures and fragment.
    pub(crate) fn redact_url(&self, text: &str) -> String {
        let text = text.split_once('#').map_or(text, |(before, _fragment)| before);
        let (before, query) =
            text.split_once('?').map_or((text, None), |(before, query)| (before, Some(query)));
        let mut redacted = String::with_capacity(text.len() + 24);
        let (start, rest) = before.split_at(authority_start(before).unwrap_or(before.len()));
        let (authority, path) = rest.split_at(rest.find(SLASHES).unwrap_or(rest.len()));
        redacted.push_str(start);
        push_authority(&mut redacted, authority);
        redacted.push_str(path);
        if let Some(query) = query {
            redacted.push('?');
            redacted.push_str(&self.redact_query(query));
        }
        redacted
    }

    /// A header that may hold URLs among other words: `Link`, the source of a copy.
    pub(crate) fn redact_urls(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len() + 24);
        let mut rest = text;
        while !rest.is_empty() {
            let (word, after) = rest.split_at(word_end(rest));
            match word.contains("://") || word.contains('?') {
                true => redacted.push_str(&self.redact_url(word)),
                false => redacted.push_str(word),
            }
            let mark = after.chars().next();
            redacted.extend(mark);
            rest = &after[mark.map_or(0, char::len_utf8)..];
        }
        redacted
    }

    /// The query with the values of secret keys replaced, everything else as it was sent.
    pub(crate) fn redact_query<'a>(&self, query: &'a str) -> Cow<'a, str> {
        let is_secret_pair = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| self.is_secret(key));
        if !query.split('&').any(is_secret_pair) {
            return Cow::Borrowed(query);
        }
        let mut redacted = String::with_capacity(query.len() + REDACTED.len());
        for (index, pair) in query.split('&').enumerate() {
            if index > 0 {
                redacted.push('&');
            }
            match pair.split_once('=') {
                Some((key, _)) if self.is_secret(key) => {
                    redacted.push_str(key);
                    redacted.push('=');
                    redacted.push_str(REDACTED);
                }
                _ => redacted.push_str(pair),
            }
        }
        Cow::Owned(redacted)
    }

    /// A key is compared as the server will read it, so `s%69g` is `sig`.
    fn is_secret(&self, key: &str) -> bool {
        match key.contains('%') {
            false => self.has(key.as_bytes()),
            true => self.has(&percent_decoded(key.as_bytes())),
        }
    }

    fn has(&self, key: &[u8]) -> bool {
        match &self.0 {
            None => SECRET_KEYS.iter().any(|secret| secret.as_bytes() == key),
            Some(own) => own.iter().any(|secret| secret.as_bytes() == key),
        }
    }
}

/// As browsers read them.
const SLASHES: [char; 2] = ['/', '\\'];

/// What follows two slashes, or more: browsers do not mind.
fn authority_start(url: &str) -> Option<usize> {
    let are_slashes = |two: &[u8]| two.iter().all(|byte| SLASHES.contains(&char::from(*byte)));
    let start = url.as_bytes().windows(2).position(are_slashes)?;
    Some(url.len() - url[start..].trim_start_matches(SLASHES).len())
}

/// Commas and semicolons may be part of a URL.
fn word_end(text: &str) -> usize {
    let ends = |(at, mark): &(usize, char)| match mark {
        ' ' | '\t' | '<' | '>' | '"' => true,
        ',' | ';' => text[at + 1..].starts_with("http"),
        _ => false,
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        decoded.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    decoded
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
        Url::from_uri(&uri.parse().unwrap()).full(&SecretKeys::default())
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
    fn signatures_are_redacted_and_the_structure_stays() {
        for (sent, expected) in [
            ("a=1&sig=x&b=2", "a=1&sig=REDACTED&b=2"),
            ("AWSAccessKeyId=x&&flag&Signature=y", "AWSAccessKeyId=REDACTED&&flag&Signature=REDACTED"),
            ("sig", "sig"),
            ("sig=", "sig=REDACTED"),
            ("SIG=a&Sig=b", "SIG=a&Sig=b"),
            ("sig=a;b&x=1", "sig=REDACTED&x=1"),
            ("s%69g=secret", "s%69g=REDACTED"),
            ("%&%6&%zz=1", "%&%6&%zz=1"),
            ("", ""),
        ] {
            assert_eq!(SecretKeys::default().redact_query(sent), expected, "{sent}");
        }
    }

    #[test]
    fn urls_in_headers_lose_their_secrets() {
        for (sent, expected) in [
            (
                "https://user:pw@example.com/a?sig=x&b=1#top",
                "https://REDACTED:REDACTED@example.com/a?sig=REDACTED&b=1",
            ),
            ("//u@example.com", "//REDACTED:REDACTED@example.com"),
            ("https:///user:pw@example.com/a", "https:///REDACTED:REDACTED@example.com/a"),
            ("\\\\user:pw@example.com\\a", "\\\\REDACTED:REDACTED@example.com\\a"),
            ("/next?sig=x", "/next?sig=REDACTED"),
            ("next", "next"),
            ("", ""),
        ] {
            assert_eq!(SecretKeys::default().redact_url(sent), expected, "{sent}");
        }
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
