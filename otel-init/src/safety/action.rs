//! What becomes of a value that a rule found.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};

use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use ring::hmac;

use super::redaction::HashKey;
use crate::panics::caught;

/// Stands for what was removed; the word that the semantic conventions use in URLs.
pub(crate) const REDACTED: &str = "REDACTED";

/// A function of the user's; see [`Redact::with`].
pub type RedactWith = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a redaction rule does with the value, or the part of it, that it found.
#[derive(Clone)]
#[non_exhaustive]
pub enum Redact {
    /// Leaves the value as it is and exempts it from all later rules: for a key that only looks like a secret.
    Keep,
    /// Removes the attribute. A text that is no attribute, such as a log's body, becomes `REDACTED`.
    Drop,
    /// Puts `REDACTED` in its place.
    Mask,
    /// Keeps the last four characters: `****1234`. Values of up to eight characters are masked whole.
    KeepLast4,
    /// Keeps the network of an IP address: `203.0.113.0` (24 bits) or `2001:db8:1::` (48 bits). What is no address is
    /// masked.
    TruncateIp,
    /// Puts a keyed hash (HMAC-SHA-256, 32 hexadecimal digits) in its place, so that equal values stay equal. The key is
    /// that of [`Redaction::with_hash_key`](crate::Redaction::with_hash_key).
    Hash,
    /// Puts this text in its place. In a rule for values, `$1` or `${name}` stand for the groups of the pattern; `$$` is a
    /// dollar sign.
    Replace(String),
    /// Asks a function. `None` removes the attribute, and so does a panic.
    With(RedactWith),
}

impl Redact {
    /// [`Redact::Replace`] with this text.
    pub fn replace(text: impl Into<String>) -> Self {
        Self::Replace(text.into())
    }

    /// [`Redact::With`] this function.
    pub fn with(function: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::With(Arc::new(function))
    }

    /// What replaces the whole of `text`; `None` if nothing does.
    pub(super) fn apply(&self, text: &str, hash_key: &LazyHashKey) -> Option<String> {
        match self {
            Self::Keep => Some(text.to_owned()),
            Self::Drop => None,
            Self::Mask => Some(REDACTED.to_owned()),
            Self::KeepLast4 => Some(last_four(text)),
            Self::TruncateIp => Some(network(text)),
            Self::Hash => Some(hash(text, hash_key.get())),
            Self::Replace(replacement) => Some(replacement.clone()),
            // The message of the panic is the hook's business; the value must not leave the process.
            Self::With(function) => caught(|| function(text)).unwrap_or(None),
        }
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => formatter.write_str("Keep"),
            Self::Drop => formatter.write_str("Drop"),
            Self::Mask => formatter.write_str("Mask"),
            Self::KeepLast4 => formatter.write_str("KeepLast4"),
            Self::TruncateIp => formatter.write_str("TruncateIp"),
            Self::Hash => formatter.write_str("Hash"),
            Self::Replace(text) => formatter.debug_tuple("Replace").field(text).finish(),
            Self::With(_) => formatter.write_str("With(..)"),
        }
    }
}

/// Made when the first value is hashed.
#[derive(Debug)]
pub(super) struct LazyHashKey {
    given: Option<HashKey>,
    made: OnceLock<hmac::Key>,
}

impl LazyHashKey {
    /// A random one, if none is given.
    pub(super) fn new(given: Option<HashKey>) -> Self {
        Self { given, made: OnceLock::new() }
    }

    fn get(&self) -> &hmac::Key {
        self.made.get_or_init(|| match &self.given {
            Some(key) => hmac::Key::new(hmac::HMAC_SHA256, &key.0),
            None => {
                let random = [0; 2].map(|_: u8| RandomIdGenerator::default().new_trace_id().to_bytes());
                hmac::Key::new(hmac::HMAC_SHA256, &random.concat())
            }
        })
    }
}

fn last_four(text: &str) -> String {
    let count = text.chars().count();
    // More than half of a short value would be left.
    if count <= 8 {
        return REDACTED.to_owned();
    }
    let last: String = text.chars().skip(count - 4).collect();
    format!("****{last}")
}

fn network(text: &str) -> String {
    let address = text.trim_start_matches('[').trim_end_matches(']');
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).to_string()
        }
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => network(&mapped.to_string()),
            None => {
                let [a, b, c, ..] = address.segments();
                Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
            }
        },
        Err(_) => REDACTED.to_owned(),
    }
}

fn hash(text: &str, key: &hmac::Key) -> String {
    let tag = hmac::sign(key, text.as_bytes());
    tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::redaction::HashKey;
    use super::{LazyHashKey, Redact};

    fn apply(action: &Redact, text: &str) -> Option<String> {
        action.apply(text, &LazyHashKey::new(Some(HashKey(b"key".to_vec()))))
    }

    #[test]
    fn each_action_does_what_it_says() {
        for (action, text, expected) in [
            (Redact::Keep, "value", Some("value")),
            (Redact::Drop, "value", None),
            (Redact::Mask, "value", Some("REDACTED")),
            (Redact::KeepLast4, "4111111111111111", Some("****1111")),
            (Redact::KeepLast4, "ééééééééé1é3é", Some("****1é3é")),
            (Redact::KeepLast4, "12345678", Some("REDACTED")),
            (Redact::TruncateIp, "203.0.113.77", Some("203.0.113.0")),
            (Redact::TruncateIp, "2001:db8:1:2::77", Some("2001:db8:1::")),
            (Redact::TruncateIp, "[2001:db8:1:2::77]", Some("2001:db8:1::")),
            (Redact::TruncateIp, "::ffff:203.0.113.77", Some("203.0.113.0")),
            (Redact::TruncateIp, "localhost", Some("REDACTED")),
            (Redact::replace("gone"), "value", Some("gone")),
            (Redact::with(|text| Some(text.to_uppercase())), "value", Some("VALUE")),
            (Redact::with(|_| None), "value", None),
            (Redact::with(|_| panic!("a rule with a mistake")), "value", None),
        ] {
            assert_eq!(apply(&action, text).as_deref(), expected, "{action:?} {text}");
        }
    }

    #[test]
    fn equal_values_have_equal_hashes_under_one_key_only() {
        let hashed = apply(&Redact::Hash, "ada@example.com").unwrap();
        // HMAC-SHA-256 of the text under "key", as openssl computes it, cut to 16 bytes.
        assert_eq!(hashed, "20caa94149b865c2f3a23002c8ca0b02");
        assert_eq!(apply(&Redact::Hash, "ada@example.com").unwrap(), hashed);
        assert_ne!(apply(&Redact::Hash, "bob@example.com").unwrap(), hashed);
        let random = LazyHashKey::new(None);
        let other = Redact::Hash.apply("ada@example.com", &random);
        assert_ne!(other.as_ref().unwrap(), &hashed);
        assert_eq!(Redact::Hash.apply("ada@example.com", &random), other, "made once");
    }
}
