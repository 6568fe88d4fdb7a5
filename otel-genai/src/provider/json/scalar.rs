//! Keys, texts, numbers and literals.

use memchr::memchr2;

use super::{Escape, Scalar, State, TEXT_LENGTH, Tokenizer, Visitor, Want};
use crate::provider::key::{KEY_LENGTH, Key};
use crate::provider::repeat::is_bare;

impl Tokenizer {
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        if self.want == Want::Value && self.length <= TEXT_LENGTH {
            self.scratch.extend_from_slice(bytes);
        }
    }

    pub(super) fn bare(&mut self, bytes: &[u8], visitor: &mut impl Visitor) -> usize {
        let end = bytes.iter().position(|byte| !is_bare(*byte));
        let (text, _) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.keep(text);
        if end.is_some() {
            if self.want != Want::Value {
                visitor.passed(self.want, false, self.began..self.position + text.len());
            }
            self.end_bare(visitor);
            self.after_value(visitor);
        }
        text.len()
    }

    /// A root that is a bare word has no end of its own; nothing that is read here is one.
    fn end_bare(&mut self, visitor: &mut impl Visitor) {
        if self.want != Want::Value || self.length > TEXT_LENGTH {
            return;
        }
        let path = self.keys.get(..self.depth).unwrap_or_default();
        match self.scratch.as_slice() {
            b"true" => visitor.scalar(path, Scalar::Flag(true)),
            b"false" => visitor.scalar(path, Scalar::Flag(false)),
            number => {
                if let (Some(b'-' | b'0'..=b'9'), Ok(text)) = (number.first(), std::str::from_utf8(number)) {
                    visitor.scalar(path, Scalar::Number(text));
                }
            }
        }
    }

    pub(super) fn string(&mut self, bytes: &[u8], visitor: &mut impl Visitor) -> usize {
        if self.escape != Escape::None {
            let Some(&byte) = bytes.first() else { return 0 };
            self.escaped(byte, visitor);
            return 1;
        }
        let end = memchr2(b'"', b'\\', bytes);
        let plain = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if !plain.is_empty() {
            self.end_high(visitor);
            self.text(plain, visitor);
        }
        match end.and_then(|end| bytes.get(end)) {
            Some(b'"') => {
                self.end_high(visitor);
                if self.state == State::InString && self.want != Want::Value {
                    visitor.passed(self.want, true, self.began..self.position + plain.len());
                }
                self.end_string(visitor);
            }
            Some(_) => self.escape = Escape::Backslash,
            None => return bytes.len(),
        }
        plain.len() + 1
    }

    fn text(&mut self, plain: &[u8], visitor: &mut impl Visitor) {
        if self.want == Want::Pieces {
            self.length = self.length.saturating_add(plain.len());
            visitor.pieces(plain);
        } else {
            self.keep(plain);
        }
    }

    fn escaped(&mut self, byte: u8, visitor: &mut impl Visitor) {
        self.escape = match (self.escape, byte) {
            (Escape::Unicode(digits, value), _) => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default() as u16;
                let value = value << 4 | digit;
                if digits < 3 {
                    Escape::Unicode(digits + 1, value)
                } else {
                    self.unit(value, visitor);
                    Escape::None
                }
            }
            (_, b'u') => Escape::Unicode(0, 0),
            _ => {
                self.end_high(visitor);
                let plain = match byte {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 8,
                    b'f' => 12,
                    other => other,
                };
                self.text(&[plain], visitor);
                Escape::None
            }
        };
    }

    /// A unit of UTF-16, of which two may be one character.
    fn unit(&mut self, unit: u16, visitor: &mut impl Visitor) {
        if (0xD800..0xDC00).contains(&unit) {
            self.end_high(visitor);
            self.high = unit;
            return;
        }
        let is_low = (0xDC00..0xE000).contains(&unit);
        if is_low && self.high != 0 {
            let pair = [std::mem::take(&mut self.high), unit];
            char::decode_utf16(pair).flatten().for_each(|character| self.character(character, visitor));
        } else {
            self.end_high(visitor);
            let character = char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
            self.character(character, visitor);
        }
    }

    /// The first half of a pair stands alone.
    fn end_high(&mut self, visitor: &mut impl Visitor) {
        if std::mem::take(&mut self.high) != 0 {
            self.character(char::REPLACEMENT_CHARACTER, visitor);
        }
    }

    fn character(&mut self, character: char, visitor: &mut impl Visitor) {
        self.text(character.encode_utf8(&mut [0; 4]).as_bytes(), visitor);
    }

    fn end_string(&mut self, visitor: &mut impl Visitor) {
        match self.state {
            State::InKey => return self.end_key(),
            State::InStringBelow => {
                self.state = State::Below;
                return;
            }
            _ => {}
        }
        let path = self.keys.get(..self.depth).unwrap_or_default();
        match self.want {
            Want::Length => visitor.scalar(path, Scalar::Length(self.length)),
            Want::Value if self.length <= TEXT_LENGTH => {
                visitor.scalar(path, Scalar::Text(&String::from_utf8_lossy(&self.scratch)));
            }
            _ => {}
        }
        self.after_value(visitor);
    }

    fn end_key(&mut self) {
        let key = if self.length <= KEY_LENGTH { Key::named(&self.scratch) } else { Key::Other };
        if let Some(slot) = self.depth.checked_sub(1).and_then(|last| self.keys.get_mut(last)) {
            *slot = key;
        }
        self.state = State::Colon;
    }
}
