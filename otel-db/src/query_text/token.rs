//! The pieces of a query, and what each byte may begin.

/// What a token is, as far as the literals and the summary need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A quoted name.
    Name,
    /// `"…"` where it is a string, or may be one.
    DoubleQuoted,
    /// A string of any kind, with its prefix.
    Text,
    /// A number, a boolean, a bare UUID.
    Value,
    /// `?`, `$1`, `:name`, `@name`.
    Placeholder,
    /// A comment, or the frame of an executable one.
    Comment,
    /// Any other character, by its byte.
    Symbol(u8),
}

/// A piece of the text: the bytes from `start` to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    pub(super) fn is(&self, symbol: u8) -> bool {
        self.kind == Kind::Symbol(symbol)
    }

    /// Whether it stands for a value and is replaced.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Value | Kind::DoubleQuoted)
    }

    pub(super) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Name | Kind::DoubleQuoted)
    }
}

/// Classes of bytes.
pub(super) const SPACE: u8 = 1;
pub(super) const WORD: u8 = 2;
pub(super) const DIGIT: u8 = 3;
pub(super) const PLAIN: u8 = 4;
pub(super) const SPECIAL: u8 = 5;

/// The class of each byte. All bytes of characters beyond ASCII are letters.
pub(super) static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => WORD,
            b'0'..=b'9' => DIGIT,
            b'\'' | b'"' | b'`' | b'[' | b'{' | b'-' | b'+' | b'/' | b'*' | b'#' | b'$' | b':' | b'@'
            | b'?' | b'.' | b'\\' | 0 => SPECIAL,
            _ => PLAIN,
        };
        byte += 1;
    }
    table
}

/// Whether a name may go on with it.
pub(super) fn continues_name(byte: u8) -> bool {
    NAME[byte as usize] != 0
}

/// What continues a name: 0 for what does not, [`BEYOND_ASCII`] for the bytes of other characters.
pub(super) static NAME: [u8; 256] = names();

pub(super) const BEYOND_ASCII: u8 = 2;

const fn names() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match (byte as u8, CLASS[byte]) {
            (0x80.., _) => BEYOND_ASCII,
            (b'$', _) | (_, WORD | DIGIT) => 1,
            _ => 0,
        };
        byte += 1;
    }
    table
}

pub(super) fn begins_name(byte: u8) -> bool {
    CLASS[byte as usize] == WORD
}
