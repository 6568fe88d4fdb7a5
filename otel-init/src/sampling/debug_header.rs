//! A header by which those who have a key get a trace of their request, whatever the rate.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use otel_core::propagation::with_forced_sampling;
use ring::hmac;

use crate::diagnostics;

/// What is signed besides the time, so that a signature for something else is none for this.
const PURPOSE: &str = "otel-debug-1:";
const SIGNATURE: usize = 32;
/// Shorter keys can be guessed.
pub(crate) const SHORTEST_KEY: usize = 16;

/// A request header that makes its request a sampled one: `x-debug-trace: <expiry>:<signature>`.
///
/// The expiry is in seconds since 1970, the signature the HMAC-SHA256 of `otel-debug-1:` and the expiry, as hexadecimal
/// digits. A header that has expired, that holds for longer than a day, or whose signature is wrong, is ignored. A right one
/// counts at public endpoints too. It may be used again until it expires, so make it short-lived.
///
/// The trace is recorded without a threshold, because nobody can tell how many it stands for; services that are called see
/// the sampled flag, not the header.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use otel_init::sampling::{DebugHeader, Sampling};
///
/// let header = DebugHeader::new("a key of 16 bytes or more");
/// let value = header.sign(SystemTime::now() + Duration::from_secs(300));
/// println!("curl -H '{}: {value}' ..", header.name());
/// let sampling = Sampling::probability(0.01).with_debug_header(header);
/// # let _ = sampling;
/// ```
///
/// In a shell:
///
/// ```sh
/// expiry=$(( $(date +%s) + 300 ))
/// signature=$(printf 'otel-debug-1:%s' "$expiry" | openssl dgst -sha256 -hmac "$KEY" | sed 's/.* //')
/// curl -H "x-debug-trace: $expiry:$signature" ..
/// ```
#[derive(Clone)]
#[must_use]
pub struct DebugHeader {
    name: Arc<[String]>,
    /// None when the key is too short to be one.
    key: Option<hmac::Key>,
    longest: Duration,
}

impl DebugHeader {
    /// The header `x-debug-trace`, signed with this key. One of fewer than 16 bytes is no key: every header is refused then,
    /// and the console says so.
    pub fn new(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        if key.len() < SHORTEST_KEY {
            diagnostics::warn(&format!(
                "the key of the debug header has fewer than {SHORTEST_KEY} bytes; no such header is accepted"
            ));
        }
        let key = (key.len() >= SHORTEST_KEY).then(|| hmac::Key::new(hmac::HMAC_SHA256, key));
        Self { name: Arc::new(["x-debug-trace".to_owned()]), key, longest: Duration::from_secs(24 * 60 * 60) }
    }

    /// Another name of the header.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Arc::new([name.into().to_ascii_lowercase()]);
        self
    }

    /// How far ahead an expiry may be, a day by default.
    pub fn with_longest_validity(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The name of the header.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.first().map_or("", String::as_str)
    }

    /// A value of the header that holds until then. Empty without a key, or before 1970.
    #[must_use]
    pub fn sign(&self, expires: SystemTime) -> String {
        let (Some(key), Ok(expires)) = (&self.key, expires.duration_since(UNIX_EPOCH)) else {
            return String::new();
        };
        let expiry = expires.as_secs().to_string();
        let signature = hmac::sign(key, format!("{PURPOSE}{expiry}").as_bytes());
        let digits: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{expiry}:{digits}")
    }

    /// Whether this value of the header was signed with the key and has not expired, nor is valid for longer than it may be.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use otel_init::sampling::DebugHeader;
    ///
    /// let header = DebugHeader::new("a key of at least 32 characters..");
    /// let now = SystemTime::now();
    /// let value = header.sign(now + Duration::from_secs(60));
    /// assert!(header.accepts(&value, now));
    /// assert!(!header.accepts(&value, now + Duration::from_secs(61)));
    /// ```
    #[must_use]
    pub fn accepts(&self, value: &str, now: SystemTime) -> bool {
        self.check(value, now).is_some()
    }

    fn check(&self, value: &str, now: SystemTime) -> Option<()> {
        let key = self.key.as_ref()?;
        let (expiry, signature) = value.trim_matches([' ', '\t']).split_once(':')?;
        if !expiry.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let left = expiry.parse::<u64>().ok()?.checked_sub(now)?;
        if left == 0 || left > self.longest.as_secs() {
            return None;
        }
        let signature = bytes(signature)?;
        // Takes the same time wherever the first difference is.
        hmac::verify(key, format!("{PURPOSE}{expiry}").as_bytes(), &signature).ok()
    }

    /// Reads the header.
    pub(crate) fn propagator(&self) -> DebugPropagator {
        DebugPropagator(self.clone())
    }
}

impl fmt::Debug for DebugHeader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DebugHeader").field("name", &self.name()).finish_non_exhaustive()
    }
}

fn bytes(digits: &str) -> Option<[u8; SIGNATURE]> {
    let digits = digits.as_bytes();
    let mut bytes = [0; SIGNATURE];
    if digits.len() != 2 * SIGNATURE {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

/// Reads the header and writes nothing: whoever is called next sees the sampled flag.
#[derive(Debug)]
pub(crate) struct DebugPropagator(DebugHeader);

impl TextMapPropagator for DebugPropagator {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        match extractor.get(self.0.name()) {
            Some(value) if self.0.accepts(value, SystemTime::now()) => with_forced_sampling(context),
            _ => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use opentelemetry::propagation::TextMapPropagator;
    use otel_core::propagation::is_sampling_forced;

    use super::DebugHeader;

    const KEY: &str = "0123456789abcdef";

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(secs)
    }

    #[test]
    fn a_signature_holds_until_it_expires_and_not_for_longer_than_a_day() {
        let header = DebugHeader::new(KEY);
        let value = header.sign(at(1_000_000));
        assert!(header.accepts(&value, at(999_999)));
        assert!(header.accepts(&format!(" {}\t", value.to_uppercase()), at(1_000_000 - 86_400)));
        assert!(!header.accepts(&value, at(1_000_000)));
        assert!(!header.accepts(&value, at(1_000_000 - 86_401)));
        assert!(!header.with_longest_validity(Duration::from_secs(60)).accepts(&value, at(999_900)));
    }

    /// Computed by another program: `printf 'otel-debug-1:1000000' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    #[test]
    fn others_sign_the_same() {
        let signature = "ec2a5443fe50723faae62b2eaa7739dfd4414ebead921467c4e045222a63b13e";
        assert_eq!(DebugHeader::new(KEY).sign(at(1_000_000)), format!("1000000:{signature}"));
    }

    #[test]
    fn what_is_not_signed_so_is_ignored() {
        let header = DebugHeader::new(KEY);
        let value = header.sign(at(1_000_000));
        let (_, signature) = value.split_once(':').unwrap();
        let other = DebugHeader::new("another key, long enough").sign(at(1_000_000));
        for wrong in [
            "",
            ":",
            "1000000",
            "1000000:",
            &format!("1000001:{signature}"),
            &format!("+1000000:{signature}"),
            &format!("99999999999999999999999:{signature}"),
            &format!("1000000:{}", &signature[..62]),
            &format!("1000000:{signature}00"),
            &value.replace(|digit: char| digit == signature.chars().next().unwrap(), "é"),
            &other,
        ] {
            assert!(!header.accepts(wrong, at(999_000)), "{wrong}");
        }
        let short = DebugHeader::new("short");
        assert_eq!(short.sign(at(1_000_000)), "");
        assert!(!short.accepts(&value, at(999_000)));
        assert!(!format!("{header:?}").contains(KEY));
    }

    #[test]
    fn it_is_read_from_the_request_and_never_sent_on() {
        let header = DebugHeader::new(KEY).with_name("X-My-Debug");
        let propagator = header.propagator();
        let value = header.sign(SystemTime::now() + Duration::from_secs(60));
        let context = propagator.extract(&HashMap::from([("x-my-debug".to_owned(), value)]));
        assert!(is_sampling_forced(&context));
        let mut outgoing = HashMap::new();
        propagator.inject_context(&context, &mut outgoing);
        assert_eq!(outgoing, HashMap::new());
        assert_eq!(propagator.fields().collect::<Vec<_>>(), ["x-my-debug"]);
        let wrong = HashMap::from([("x-my-debug".to_owned(), "1:2".to_owned())]);
        assert!(!is_sampling_forced(&propagator.extract(&wrong)));
    }
}
