//! Percent-decoding and the `key=value,key=value` lists of the specification.

/// What is expected of such a list, in a message.
pub(crate) const PAIRS: &str = "key=value,key=value with values percent-encoded";

/// Decodes `%XX`. `None` if an escape is incomplete or the result is not UTF-8. A `+` stays a `+`.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
            decoded.push(high * 16 + low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Splits `key=value,key=value` and decodes keys and values. The error is the place of an entry that cannot be read, from 1;
/// empty entries are skipped.
pub(crate) fn decode_pairs(text: &str) -> Result<Vec<(String, String)>, usize> {
    read_pairs(text, |key, value| Some((key, value)))
}

/// The same, where an entry has to be more than decodable.
pub(crate) fn read_pairs<T, C: FromIterator<T>>(
    text: &str,
    read: impl Fn(String, String) -> Option<T>,
) -> Result<C, usize> {
    let entries = text.split(',').map(str::trim).enumerate().filter(|(_, entry)| !entry.is_empty());
    let pair = |entry| decode_pair(entry).and_then(|(key, value)| read(key, value));
    entries.map(|(index, entry)| pair(entry).ok_or(index + 1)).collect()
}

fn decode_pair(entry: &str) -> Option<(String, String)> {
    let (key, value) = entry.split_once('=')?;
    let key = decode(key.trim())?;
    (!key.is_empty()).then_some((key, decode(value.trim())?))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_pairs};

    #[test]
    fn escapes_are_decoded_and_bad_ones_refused() {
        for (text, expected) in [
            ("", Some("")),
            ("plain+text", Some("plain+text")),
            ("a%20b%2Cc", Some("a b,c")),
            ("%C3%A9", Some("é")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%FF", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn one_malformed_pair_refuses_the_list() {
        let pairs = decode_pairs(" a=1 , b=x%3Dy,, c=").unwrap();
        assert_eq!(
            pairs,
            [("a", "1"), ("b", "x=y"), ("c", "")].map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert_eq!(decode_pairs("a=1,,b"), Err(3));
        assert_eq!(decode_pairs("=1"), Err(1));
        assert_eq!(decode_pairs("a=%G1"), Err(1));
    }
}
