//! Percent-encoding, as W3C baggage and Jaeger use it.

use std::borrow::Cow;

/// Decodes `%XX`; `None` when a `%` is not followed by two hexadecimal digits.
///
/// "Percent-encoded octet sequences that do not match the UTF-8 encoding scheme MUST be replaced with the replacement
/// code point (U+FFFD)." <https://w3c.github.io/baggage/#value>
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(super::hex::any_u64(digits)? as u8);
        rest = tail;
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    })
}

/// Appends `text` to `out`; the bytes that are not `plain`, and `%` itself, become `%XX`.
pub(super) fn encode(out: &mut String, text: &str, plain: fn(u8) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte != b'%' && byte.is_ascii() && plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_needs_two_digits() {
        assert_eq!(decode("plain").as_deref(), Some("plain"));
        assert_eq!(decode("a%20b%c3%A9").as_deref(), Some("a b\u{e9}"));
        assert_eq!(decode("%"), None);
        assert_eq!(decode("%2"), None);
        assert_eq!(decode("va%lue"), None);
        assert_eq!(decode("%+1"), None);
    }

    #[test]
    fn octets_that_are_no_text_become_the_replacement_character() {
        assert_eq!(decode("%FFx").as_deref(), Some("\u{fffd}x"));
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let mut encoded = String::new();
        encode(&mut encoded, "100% caf\u{e9}, na", |byte| byte.is_ascii_alphanumeric());
        assert_eq!(encoded, "100%25%20caf%C3%A9%2C%20na");
        assert_eq!(decode(&encoded).as_deref(), Some("100% caf\u{e9}, na"));
    }
}
