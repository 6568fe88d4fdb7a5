//! The rules as the user gives them.

use super::action::Redact;

/// Which values are removed or changed before export, in spans, span events, links, log records and the attributes of
/// metrics: keys by glob, texts by pattern.
///
/// The preset for secrets is on by default: passwords, tokens, keys and cookies by the name of their attribute, and by
/// their form wherever they stand (`Bearer ..`, JSON Web Tokens, private keys, keys of the large clouds and services,
/// credentials in URLs, `password=..`). The preset for personal data is by choice.
///
/// Rules given here come before the presets, in the order given; the first rule for a key decides. Rules for values
/// look at texts, at the texts in lists and maps, and at whole numbers of 12 and more digits.
///
/// ```
/// use otel_init::{Redact, Redaction};
///
/// let redaction = Redaction::new()
///     .with_personal_data()
///     .with_key("shop.coupon", Redact::KeepLast4)
///     .with_key("shop.page_token", Redact::Keep)
///     .with_value(r"\b(CUST)-\d+", Redact::replace("$1-*"))
///     .with_hash_key(b"from the secret store");
/// let telemetry = otel_init::Telemetry::builder().with_redaction(redaction);
/// # drop(telemetry);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Redaction {
    pub(super) has_secrets: bool,
    pub(super) has_personal_data: bool,
    pub(super) keys: Vec<(String, Redact)>,
    pub(super) values: Vec<(String, Redact)>,
    pub(super) allowed_keys: Option<Vec<String>>,
    pub(super) hash_key: Option<HashKey>,
}

/// Not shown by `Debug`.
#[derive(Clone)]
pub(super) struct HashKey(pub(super) Vec<u8>);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("..")
    }
}

impl Default for Redaction {
    fn default() -> Self {
        Self::new()
    }
}

impl Redaction {
    /// The preset for secrets and no other rule.
    pub fn new() -> Self {
        Self {
            has_secrets: true,
            has_personal_data: false,
            keys: Vec::new(),
            values: Vec::new(),
            allowed_keys: None,
            hash_key: None,
        }
    }

    /// Turns the preset for secrets off.
    pub fn without_secrets(mut self) -> Self {
        self.has_secrets = false;
        self
    }

    /// Turns the preset for personal data on: e-mail addresses, telephone and card numbers (checked by Luhn), IBAN
    /// (checked), social security numbers and names of persons are masked, addresses of clients lose their host part,
    /// ids of users become hashes.
    pub fn with_personal_data(mut self) -> Self {
        self.has_personal_data = true;
        self
    }

    /// Applies `action` to the values of all keys that `glob` fits: `*` stands for any characters, `?` for one, case does
    /// not matter.
    pub fn with_key(mut self, glob: impl Into<String>, action: Redact) -> Self {
        self.keys.push((glob.into(), action));
        self
    }

    /// Applies `action` to each part of a text that `pattern` matches, in the syntax of the `regex` crate. The pattern
    /// runs in time linear to the text, whatever the text.
    ///
    /// A pattern that cannot be read makes [`install`](crate::TelemetryBuilder::install) fail.
    pub fn with_value(mut self, pattern: impl Into<String>, action: Redact) -> Self {
        self.values.push((pattern.into(), action));
        self
    }

    /// Drops every attribute whose key none of these globs fits. What stays is redacted as before. Called again, it adds.
    pub fn with_allowed_keys<G: Into<String>>(mut self, globs: impl IntoIterator<Item = G>) -> Self {
        self.allowed_keys.get_or_insert_default().extend(globs.into_iter().map(Into::into));
        self
    }

    /// What holds, without what it looks for.
    pub(crate) fn summary(&self) -> String {
        let rules = self.keys.len() + self.values.len();
        let parts = [
            self.has_secrets.then(|| "secrets".to_owned()),
            self.has_personal_data.then(|| "personal data".to_owned()),
            (rules > 0).then(|| format!("{rules} rules")),
            self.allowed_keys.as_ref().map(|keys| format!("{} allowed keys", keys.len())),
            self.hash_key.as_ref().map(|_| "a hash key".to_owned()),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }

    /// Sets the key of [`Redact::Hash`]. Without one, a random key is made at start: then hashes can be compared within
    /// one process only. An empty one, such as a variable that is not set, is none: everybody could compute those hashes.
    pub fn with_hash_key(mut self, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        self.hash_key = (!key.is_empty()).then(|| HashKey(key.to_vec()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::redactor::Redactor;
    use super::Redaction;
    use crate::Redact;

    #[test]
    fn a_key_of_nothing_is_none() {
        let hashed = |key: &str| {
            let redaction = Redaction::new().with_value("ada", Redact::Hash).with_hash_key(key);
            Redactor::new(&redaction).unwrap().text("ada").unwrap()
        };
        // Everybody could compute it: `printf ada | openssl dgst -sha256 -hmac ''`.
        assert_ne!(hashed(""), hashed(""));
        assert_eq!(hashed("key"), hashed("key"));
    }
}
