//! What was sent with a request and is told to nobody, whoever repeats it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;

use crate::config::percent_decoded;
use crate::safety::REDACTED;

/// Shorter words are in every text, and no secrets.
const SHORTEST: usize = 8;
/// A password is known to be one, and may be short.
const SHORTEST_PASSWORD: usize = 3;

/// The words of one request that are secret.
pub(in crate::export) struct Secrets(Vec<String>);

impl Secrets {
    /// The values of headers that are marked, and of the URL's query, in which some take their key.
    pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let marked = headers.values().filter(|value| value.is_sensitive());
        let marked = marked.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
        // The scheme before a token is none.
        let mut words: Vec<_> = marked.flat_map(str::split_whitespace).map(str::to_owned).collect();
        let mut passwords: Vec<_> = words.iter().filter_map(|word| password(word)).collect();
        passwords.retain(|password| password.len() >= SHORTEST_PASSWORD);
        for pair in query.unwrap_or_default().split('&') {
            let value = pair.split_once('=').map_or(pair, |(_, value)| value);
            words.extend([Some(value.to_owned()), percent_decoded(value)].into_iter().flatten());
        }
        words.retain(|word| word.len() >= SHORTEST);
        words.append(&mut passwords);
        let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        words.extend(quoted);
        // One that is a part of another would leave the rest of that.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self(words)
    }

    /// What a server says as one line, and not a long one: it comes from outside. Some repeat the token that they do not know.
    pub(in crate::export) fn line_of(&self, message: String) -> String {
        self.without(message).chars().filter(|character| !character.is_control()).take(200).collect()
    }

    /// Why a request failed as HTTP/2 has it, which may be followed by what a server said, quoted.
    pub(super) fn cause_of(&self, cause: String) -> String {
        self.without(cause).chars().take(500).collect()
    }

    fn without(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| text.replace(secret, REDACTED))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secrets")
    }
}

/// The password in the credentials of `Basic`.
fn password(word: &str) -> Option<String> {
    let credentials = String::from_utf8(STANDARD.decode(word).ok()?).ok()?;
    credentials.split_once(':').map(|(_, password)| password.to_owned())
}

/// As it stands in what HTTP/2 quotes of a server, which it shows as bytes.
fn quoted(word: &str) -> String {
    let quoted = format!("{:?}", Bytes::copy_from_slice(word.as_bytes()));
    let inner = quoted.strip_prefix("b\"").and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(word).to_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{AUTHORIZATION, USER_AGENT};

    use super::*;

    fn told(authorization: &str, query: Option<&str>, message: &str) -> String {
        let mut value = HeaderValue::from_str(authorization).unwrap();
        value.set_sensitive(true);
        let agent = (USER_AGENT, HeaderValue::from_static("otel-init"));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value), agent]);
        Secrets::of(&headers, query).line_of(message.to_owned())
    }

    #[test]
    fn what_http2_quotes_is_escaped_and_not_told_either() {
        // `printf 'user:"hé\2222' | base64`
        for (authorization, secret) in
            [("Basic dXNlcjoiaMOpXDIyMjI=", r#""hé\2222"#), (r#"Bearer "caféc0ffee"#, r#""caféc0ffee"#)]
        {
            let quoted = format!("went away ({:?})", Bytes::copy_from_slice(secret.as_bytes()));
            assert!(quoted.contains(r"\xc3\xa9"), "{quoted}");
            assert_eq!(told(authorization, None, &quoted), "went away (b\"REDACTED\")");
            assert_eq!(told(authorization, None, secret), "REDACTED");
        }
    }

    #[test]
    fn what_was_sent_as_a_secret_is_not_repeated() {
        let bearer = |message| told("Bearer c0ffee1234", Some("key=a%2Fb45678&c0ffee1234567"), message);
        assert_eq!(bearer("Bearer: no such token: c0ffee1234"), "Bearer: no such token: REDACTED");
        assert_eq!(bearer("not a%2Fb45678, nor a/b45678"), "not REDACTED, nor REDACTED");
        assert_eq!(bearer("not c0ffee1234567"), "not REDACTED");
        assert_eq!(bearer("otel-init sent no key"), "otel-init sent no key");
        // `printf user:hunter22 | base64`
        let basic = |message| told("Basic dXNlcjpodW50ZXIyMg==", None, message);
        assert_eq!(basic("user may not hunter22, dXNlcjpodW50ZXIyMg=="), "user may not REDACTED, REDACTED");
        let short = |credentials: &str| {
            told(&format!("Basic {}", STANDARD.encode(credentials)), None, "hunter2 of an account")
        };
        assert_eq!(short("user:hunter2"), "REDACTED of an account");
        assert_eq!(short("user:an"), "hunter2 of an account");
    }

    #[test]
    fn it_is_one_line_and_not_a_long_one() {
        assert_eq!(told("a", None, "one\n\x1b[31mtwo"), "one[31mtwo");
        assert_eq!(told("a", None, &"é".repeat(1000)).chars().count(), 200);
    }
}
