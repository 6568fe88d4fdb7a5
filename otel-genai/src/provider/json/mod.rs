//! A push tokenizer that skips.
//!
//! It keeps a path of at most [`DEPTH`] keys and one scratch buffer, and asks its visitor about each scalar before it
//! looks at it: what nobody wants is walked over and never copied. See the decision on it in the book.

mod scalar;

use std::ops::Range;

use super::key::Key;

/// Deeper values are walked over.
const DEPTH: usize = 16;

/// A longer text is no id, name or code. It is not kept.
const TEXT_LENGTH: usize = 1024;

/// Some servers put it before a body.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// What a visitor wants of a scalar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Want {
    /// Nothing.
    Skip,
    /// How long the text is.
    Length,
    /// The text, number or flag, if it has at most [`TEXT_LENGTH`] bytes.
    Value,
    /// The text, in pieces as they come.
    Pieces,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Length(usize),
    Text(&'a str),
    Number(&'a str),
    Flag(bool),
}

/// An object or an array that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    /// How many elements an array had.
    pub(super) len: Option<u32>,
    /// Which element of the innermost array around it it was.
    pub(super) position: u32,
}

pub(super) trait Visitor {
    fn wants(&mut self, path: &[Key]) -> Want;
    fn scalar(&mut self, path: &[Key], value: Scalar<'_>);
    /// A scalar of which no more than the length was wanted, and where it is: counted from the last reset, without quotes.
    fn passed(&mut self, _want: Want, _is_text: bool, _place: Range<usize>) {}
    /// An object or an array of which nothing is wanted: it is walked over faster.
    fn skips(&mut self, _path: &[Key]) -> bool {
        false
    }
    fn pieces(&mut self, _bytes: &[u8]) {}
    fn close(&mut self, _path: &[Key], _closed: Closed) {}
    /// A whole value has ended, the root.
    fn end(&mut self) {}
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Value,
    ValueOrClose,
    Key,
    KeyOrClose,
    Colon,
    CommaOrClose,
    InKey,
    InString,
    /// A number or a literal.
    InBare,
    /// Too deep, or of no interest: only brackets and quotes count.
    Below,
    InStringBelow,
    /// Not JSON: nothing is read until the next reset.
    Broken,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Escape {
    None,
    Backslash,
    /// Digits seen, and their value.
    Unicode(u8, u16),
}

#[derive(Debug)]
pub(super) struct Tokenizer {
    state: State,
    keys: [Key; DEPTH],
    lens: [u32; DEPTH],
    /// A bit for each level: it is an array.
    arrays: u32,
    depth: usize,
    /// Levels that are walked over.
    below: usize,
    want: Want,
    escape: Escape,
    /// The first half of a surrogate pair.
    high: u16,
    length: usize,
    /// Bytes since the reset, those that are being looked at not counted.
    position: usize,
    /// Where the scalar began.
    began: usize,
    scratch: Vec<u8>,
}

impl Tokenizer {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Value,
            keys: [Key::Other; DEPTH],
            lens: [0; DEPTH],
            arrays: 0,
            depth: 0,
            below: 0,
            want: Want::Skip,
            escape: Escape::None,
            high: 0,
            length: 0,
            position: 0,
            began: 0,
            scratch: Vec::new(),
        }
    }

    /// The next value starts afresh, whatever became of the last one.
    pub(super) fn reset(&mut self) {
        self.state = State::Value;
        self.depth = 0;
        self.below = 0;
        self.arrays = 0;
        self.position = 0;
    }

    /// Nothing has been read since the last reset.
    pub(super) const fn is_fresh(&self) -> bool {
        self.position == 0
    }

    /// Between two values.
    pub(super) fn is_between(&self) -> bool {
        self.state == State::Value && self.depth == 0
    }

    pub(super) fn read(&mut self, mut bytes: &[u8], visitor: &mut impl Visitor) {
        while let Some(&first) = bytes.first() {
            let taken = match self.state {
                State::InString | State::InKey | State::InStringBelow => self.string(bytes, visitor),
                State::Below => self.below(bytes, visitor),
                State::InBare => self.bare(bytes, visitor),
                State::Broken => return,
                _ => {
                    self.structure(first, visitor);
                    1
                }
            };
            self.position += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn path(&self) -> &[Key] {
        self.keys.get(..self.depth).unwrap_or_default()
    }

    const fn in_array(&self) -> bool {
        self.depth > 0 && self.arrays & (1 << (self.depth - 1)) != 0
    }

    fn structure(&mut self, byte: u8, visitor: &mut impl Visitor) {
        match (self.state, byte) {
            (_, b' ' | b'\n' | b'\r' | b'\t') => {}
            (State::Value | State::ValueOrClose, b'{' | b'[') => self.open(byte == b'[', visitor),
            (State::ValueOrClose, b']') | (State::CommaOrClose, b']' | b'}') | (State::KeyOrClose, b'}') => {
                self.close(byte == b']', visitor);
            }
            (State::Value | State::ValueOrClose, b'"') => {
                self.begin(visitor);
                self.began = self.position + 1;
                self.state = State::InString;
            }
            (State::Value | State::ValueOrClose, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                self.begin(visitor);
                self.began = self.position;
                self.state = State::InBare;
                self.keep(&[byte]);
            }
            (State::Key | State::KeyOrClose, b'"') => {
                self.start_string(Want::Value);
                self.state = State::InKey;
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::CommaOrClose, b',') => self.comma(),
            (State::Value, byte) if self.depth == 0 && BYTE_ORDER_MARK.contains(&byte) => {}
            _ => self.state = State::Broken,
        }
    }

    fn comma(&mut self) {
        if self.in_array() {
            self.count();
            self.state = State::Value;
        } else {
            self.state = State::Key;
        }
    }

    fn count(&mut self) {
        if let Some(len) = self.depth.checked_sub(1).and_then(|last| self.lens.get_mut(last)) {
            *len = len.saturating_add(1);
        }
    }

    fn open(&mut self, array: bool, visitor: &mut impl Visitor) {
        self.element();
        if self.depth == DEPTH || visitor.skips(self.path()) {
            self.below = 1;
            self.state = State::Below;
            return;
        }
        let key = if array { Key::Item } else { Key::Other };
        if let (Some(slot), Some(len)) = (self.keys.get_mut(self.depth), self.lens.get_mut(self.depth)) {
            *slot = key;
            *len = 0;
        }
        self.arrays = self.arrays & !(1 << self.depth) | u32::from(array) << self.depth;
        self.depth += 1;
        self.state = if array { State::ValueOrClose } else { State::KeyOrClose };
    }

    /// The first element of an array is the only one without a comma before it.
    fn element(&mut self) {
        if self.state == State::ValueOrClose {
            self.count();
        }
    }

    fn close(&mut self, array: bool, visitor: &mut impl Visitor) {
        if self.depth == 0 || array != self.in_array() {
            self.state = State::Broken;
            return;
        }
        let last = self.depth - 1;
        let len = self.lens.get(last).copied().filter(|_| array);
        self.depth = last;
        visitor.close(self.path(), Closed { len, position: self.position() });
        self.after_value(visitor);
    }

    fn below(&mut self, bytes: &[u8], visitor: &mut impl Visitor) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                b'{' | b'[' => self.below = self.below.saturating_add(1),
                b'}' | b']' => self.below -= 1,
                b'"' => {
                    self.start_string(Want::Skip);
                    self.state = State::InStringBelow;
                    return index + 1;
                }
                _ => {}
            }
            if self.below == 0 {
                self.after_value(visitor);
                return index + 1;
            }
        }
        bytes.len()
    }

    /// Of the innermost array that is open.
    fn position(&self) -> u32 {
        let arrays = self.arrays & ((1 << self.depth) - 1);
        if arrays == 0 {
            return 0;
        }
        let level = 31 - arrays.leading_zeros() as usize;
        self.lens.get(level).map_or(0, |len| len.saturating_sub(1))
    }

    fn after_value(&mut self, visitor: &mut impl Visitor) {
        if self.depth == 0 {
            self.state = State::Value;
            visitor.end();
        } else {
            self.state = State::CommaOrClose;
        }
    }

    fn begin(&mut self, visitor: &mut impl Visitor) {
        self.element();
        let want = visitor.wants(self.path());
        self.start_string(want);
    }

    fn start_string(&mut self, want: Want) {
        self.scratch.clear();
        self.escape = Escape::None;
        self.high = 0;
        self.length = 0;
        self.want = want;
    }
}
