//! What is secret in URLs.

use std::borrow::Cow;
use std::sync::Arc;

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

/// Replaces what is secret in URLs: user and password, and the values of keys in queries, which are those that the
/// conventions list or those of an application's own list.
///
/// ```
/// let secrets = otel_core::UrlSecrets::default();
/// assert_eq!(secrets.redact_url("s3://me:pw@a.example/b?v=1&sig=x"), "s3://REDACTED:REDACTED@a.example/b?v=1&sig=REDACTED");
/// assert_eq!(otel_core::UrlSecrets::of_keys(["key"]).redact_query("key=x&sig=y"), "key=REDACTED&sig=y");
/// ```
#[derive(Clone, Debug, Default)]
pub struct UrlSecrets(Option<Arc<[String]>>);

impl UrlSecrets {
    /// These keys instead of those that the conventions list. Case counts.
    #[must_use]
    pub fn of_keys(keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Some(keys.into_iter().map(Into::into).collect()))
    }

    /// A URL, absolute or relative, without credentials, signatures and fragment.
    #[must_use]
    pub fn redact_url(&self, text: &str) -> String {
        let text = text.split_once('#').map_or(text, |(before, _fragment)| before);
        let (before, query) =
            text.split_once('?').map_or((text, None), |(before, query)| (before, Some(query)));
        let mut redacted = String::with_capacity(text.len() + 24);
        let (start, rest) = before.split_at(authority_start(before).unwrap_or(before.len()));
        // To a browser a backslash ends the host, too. To others it may stand in a password, so what follows it is looked at.
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        redacted.push_str(start);
        redacted.push_str(&Self::redact_authority(authority));
        redacted.push_str(path);
        if let Some(query) = query {
            redacted.push('?');
            redacted.push_str(&self.redact_query(query));
        }
        redacted
    }

    /// A text that may hold URLs among other words, as headers do: a list of links, the source of a copy.
    ///
    /// ```
    /// let secrets = otel_core::UrlSecrets::default();
    /// assert_eq!(secrets.redact_urls("<https://a.example/?sig=x>; rel=next"), "<https://a.example/?sig=REDACTED>; rel=next");
    /// ```
    #[must_use]
    pub fn redact_urls<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains(['?', '@', '#']) {
            return Cow::Borrowed(text);
        }
        let mut redacted = String::with_capacity(text.len() + 24);
        let mut rest = text;
        while !rest.is_empty() {
            let (word, after) = rest.split_at(word_end(rest));
            match word.contains("://") || (word.contains('?') && !word.starts_with('#')) {
                true => redacted.push_str(&self.redact_url(word)),
                false => redacted.push_str(word),
            }
            let mark = after.chars().next();
            redacted.extend(mark);
            rest = &after[mark.map_or(0, char::len_utf8)..];
        }
        Cow::Owned(redacted)
    }

    /// The query with the values of secret keys replaced, everything else as it was sent.
    #[must_use]
    pub fn redact_query<'a>(&self, query: &'a str) -> Cow<'a, str> {
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

    /// Host and port of a URL, and what stands in the place of its credentials.
    ///
    /// "`url.full` MUST NOT contain credentials passed via URL in form of `https://username:password@www.example.com/`. In
    /// such case username and password SHOULD be redacted and attribute's value SHOULD be
    /// `https://REDACTED:REDACTED@www.example.com/`."
    #[must_use]
    pub fn redact_authority(authority: &str) -> Cow<'_, str> {
        match authority.rsplit_once('@') {
            None => Cow::Borrowed(authority),
            Some((_credentials, host)) => Cow::Owned(format!("{REDACTED}:{REDACTED}@{host}")),
        }
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
/// Browsers do not mind more than two slashes behind these, or without a scheme. Behind `file:` the third one begins the path.
const SCHEMES_OF_BROWSERS: [&str; 6] = ["", "http:", "https:", "ws:", "wss:", "ftp:"];

/// What follows two slashes.
fn authority_start(url: &str) -> Option<usize> {
    let are_slashes = |two: &[u8]| two.iter().all(|byte| SLASHES.contains(&char::from(*byte)));
    let start = url.as_bytes().windows(2).position(are_slashes)?;
    let (scheme, rest) = (&url[..start], &url[start + 2..]);
    let is_of_browsers = SCHEMES_OF_BROWSERS.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let rest = if is_of_browsers { rest.trim_start_matches(SLASHES) } else { rest };
    Some(url.len() - rest.len())
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(UrlSecrets::default().redact_query(sent), expected, "{sent}");
        }
    }

    #[test]
    fn urls_lose_their_secrets() {
        for (sent, expected) in [
            (
                "https://user:pw@example.com/a?sig=x&b=1#top",
                "https://REDACTED:REDACTED@example.com/a?sig=REDACTED&b=1",
            ),
            ("//u@example.com", "//REDACTED:REDACTED@example.com"),
            ("https:///user:pw@example.com/a", "https:///REDACTED:REDACTED@example.com/a"),
            ("\\\\user:pw@example.com\\a", "\\\\REDACTED:REDACTED@example.com\\a"),
            ("pg://me:p\\w@db.example/a", "pg://REDACTED:REDACTED@db.example/a"),
            ("file:///@scope/pkg", "file:///@scope/pkg"),
            ("/next?sig=x", "/next?sig=REDACTED"),
            ("next", "next"),
            ("", ""),
        ] {
            assert_eq!(UrlSecrets::default().redact_url(sent), expected, "{sent}");
        }
    }
}
