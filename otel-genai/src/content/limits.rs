//! How much content is kept while it passes. What the policy shows in the end may be less.

use memchr::{memchr, memchr2};

use crate::provider::BYTE_ORDER_MARK;

/// Stands where a text was cut.
const CUT: &str = "…[cut]";

/// In bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// Of one text.
    pub(crate) text: usize,
    /// Of the texts of one body.
    pub(crate) total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text: 16 * 1024, total: 256 * 1024 }
    }
}

/// Cuts a text that is longer, between characters, and marks that.
pub(crate) fn cut(text: &mut String, limit: usize) -> bool {
    if text.len() <= limit {
        return false;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(CUT);
    true
}

/// Says of a text that more of it was left out.
pub(crate) fn mark_cut(text: &mut String) {
    text.push_str(CUT);
}

/// Whether this is not all of a text.
pub(crate) fn is_cut(text: &str) -> bool {
    text.ends_with(CUT)
}

/// Copies JSON, with long strings cut, so that a body with a large image costs no more than one without.
#[derive(Debug, Default)]
pub(crate) struct Copier {
    json: Vec<u8>,
    limits: Limits,
    /// Bytes of the string that is open, as they will be when it is decoded, or more.
    string: Option<usize>,
    escape: Escape,
    /// Where the last escape begins in the copy, and its first digit.
    escape_start: usize,
    first_digit: u8,
    /// Where the first half of a surrogate pair begins, which must not stand alone.
    high: Option<usize>,
    truncated: bool,
    overflow: bool,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// Hexadecimal digits that are still to come.
    Digits(u8),
}

impl Copier {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.overflow {
            let taken = if self.string.is_some() { self.within(bytes) } else { self.between(bytes) };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// The copy, unless it was more than the limits allow; and whether it lacks anything.
    pub(crate) fn take(&mut self) -> (Option<&[u8]>, bool) {
        let truncated = self.truncated || self.overflow;
        let start = self.json.iter().position(|byte| !BYTE_ORDER_MARK.contains(byte));
        let json = self.json.get(start.unwrap_or(0)..).unwrap_or_default();
        (Some(json).filter(|json| !self.overflow && !json.is_empty()), truncated)
    }

    pub(crate) fn clear(&mut self) {
        self.json.clear();
        self.string = None;
        self.escape = Escape::None;
        self.truncated = false;
        self.overflow = false;
    }

    fn between(&mut self, bytes: &[u8]) -> usize {
        let end = memchr(b'"', bytes);
        let length = end.map_or(bytes.len(), |end| end + 1);
        self.copy(bytes.get(..length).unwrap_or_default());
        self.string = end.map(|_| 0);
        length
    }

    fn within(&mut self, bytes: &[u8]) -> usize {
        let length = self.string.unwrap_or(0);
        if self.escape == Escape::None {
            let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
            if end > 0 {
                self.plain(bytes.get(..end).unwrap_or_default(), length);
                return end;
            }
        }
        let Some(&byte) = bytes.first() else { return 0 };
        let started = self.escape == Escape::None;
        // An escape counts when it begins, as much as it can be, and is copied whole or not at all.
        let counted = if started && byte == b'\\' { length.saturating_add(3) } else { length };
        let copied = counted <= self.limits.text;
        if copied {
            self.note(byte);
        }
        self.escape = match (self.escape, byte) {
            (Escape::None, b'"') => {
                self.end_string(length);
                return 1;
            }
            (Escape::None, _) => Escape::Backslash,
            (Escape::Backslash, b'u') => Escape::Digits(4),
            (Escape::Digits(digits), _) if digits > 1 => Escape::Digits(digits - 1),
            _ => Escape::None,
        };
        self.string = Some(counted);
        if copied {
            self.copy(&[byte]);
        }
        1
    }

    /// Keeps an eye on surrogates.
    fn note(&mut self, byte: u8) {
        match self.escape {
            Escape::None => {
                self.escape_start = self.json.len();
                if byte == b'\\' {
                    self.first_digit = 0;
                }
            }
            Escape::Digits(4) => self.first_digit = byte.to_ascii_lowercase(),
            Escape::Digits(3) => {
                let is_high = self.first_digit == b'd'
                    && matches!(byte.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b');
                self.high = Some(self.escape_start).filter(|_| is_high);
            }
            Escape::Backslash if byte != b'u' => self.high = None,
            _ => {}
        }
    }

    fn plain(&mut self, bytes: &[u8], length: usize) {
        let mut room = self.limits.text.saturating_sub(length).min(bytes.len());
        // Not in the middle of a character.
        while room > 0 && bytes.get(room).is_some_and(|byte| byte & 0xC0 == 0x80) {
            room -= 1;
        }
        if room > 0 {
            self.high = None;
        }
        self.copy(bytes.get(..room).unwrap_or_default());
        let length = length.saturating_add(bytes.len());
        // Once something was left out, nothing more of this string is copied.
        let cut = room < bytes.len();
        self.string = Some(if cut { length.max(self.limits.text.saturating_add(1)) } else { length });
    }

    fn end_string(&mut self, length: usize) {
        if length > self.limits.text {
            self.truncated = true;
            if let Some(high) = self.high {
                self.json.truncate(high);
            }
            trim_character(&mut self.json);
            self.copy(CUT.as_bytes());
        }
        self.high = None;
        self.copy(b"\"");
        self.string = None;
    }

    fn copy(&mut self, bytes: &[u8]) {
        if self.json.len().saturating_add(bytes.len()) > self.limits.total.saturating_mul(4) {
            self.overflow = true;
            self.json.clear();
        } else {
            self.json.extend_from_slice(bytes);
        }
    }
}

/// A character of which some bytes are still missing, because it was cut where a chunk ended.
fn trim_character(json: &mut Vec<u8>) {
    let Some(lead) = json.iter().rposition(|byte| byte & 0xC0 != 0x80) else { return };
    let width = match json.get(lead) {
        Some(0xF0..) => 4,
        Some(0xE0..) => 3,
        Some(0xC0..) => 2,
        _ => 1,
    };
    if json.len() - lead < width {
        json.truncate(lead);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn copied(text: &str, limits: Limits) -> Option<serde_json::Value> {
        let mut whole = Copier::new(limits);
        whole.push(text.as_bytes());
        let mut pieces = Copier::new(limits);
        for byte in text.as_bytes() {
            pieces.push(&[*byte]);
        }
        assert!(whole.take().1 == pieces.take().1);
        let json = |copier: &mut Copier| copier.take().0.map(|json| serde_json::from_slice(json).unwrap());
        // A character may be cut off earlier when it comes in pieces, but the copy is JSON either way.
        let _: Option<serde_json::Value> = json(&mut pieces);
        json(&mut whole)
    }

    #[test]
    fn long_strings_are_cut_and_the_rest_stays() {
        let limits = Limits { text: 8, total: 4096 };
        let text = r#"{"a":"0123456789","b":["12345678",1.5,"x\u00e9\n\"y"],"c":"ééééé"}"#;
        let expected = serde_json::json!({
            "a": "01234567…[cut]", "b": ["12345678", 1.5, "xé\n…[cut]"], "c": "éééé…[cut]"
        });
        assert_eq!(copied(text, limits), Some(expected));
    }

    proptest! {
        #[test]
        fn a_copy_of_json_is_json(text in "\\PC{0,40}", limit in 0_usize..40, escaped in any::<bool>(), cut in 0_usize..200) {
            let json = serde_json::json!([{"key": text}, 1, text]).to_string();
            let json: String = if escaped {
                let units = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
                json.chars().map(|c| if c.is_ascii() { c.to_string() } else { units(c) }).collect()
            } else {
                json
            };
            let (first, second) = json.as_bytes().split_at(cut.min(json.len()));
            let mut copier = Copier::new(Limits { text: limit, total: 4096 });
            copier.push(first);
            copier.push(second);
            let (copy, truncated) = copier.take();
            let copy: serde_json::Value = serde_json::from_slice(copy.unwrap()).unwrap();
            let shown = copy[1 + 1].as_str().unwrap();
            if truncated {
                prop_assert!(is_cut(shown) || text.len() <= limit);
                prop_assert!(text.starts_with(shown.trim_end_matches(CUT)));
            } else {
                prop_assert_eq!(shown, text);
            }
        }
    }

    #[test]
    fn what_is_too_much_is_dropped_whole() {
        let limits = Limits { text: 8, total: 16 };
        assert_eq!(copied(&format!("[{}1]", "1,".repeat(1000)), limits), None);
    }
}
