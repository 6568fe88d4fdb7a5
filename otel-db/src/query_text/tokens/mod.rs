//! The tokenizer: one pass over the text, each byte looked at a bounded number of times.
//!
//! It knows strings, comments, numbers and names, which is all it takes to tell a literal from the rest. It stops where
//! a text is broken (a string without an end) and where it cannot know how the server reads on.

mod bracket;
mod comment;
mod number;
mod placeholder;
mod quoted;
pub(super) mod steps;

use super::dialect::{Grammar, Hash};
use super::token::{
    BEYOND_ASCII, CLASS, DIGIT, Kind, NAME, PLAIN, SPACE, Token, WORD, begins_name, continues_name,
};

/// How the rules that depend on the server are read in this pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) escapes: bool,
    pub(super) nested: bool,
    /// Only a reading that is to be ruled out is so lenient: a word may stick to the end of a string, a name may have
    /// typographic quotes, and a comment may end with the text.
    pub(super) lenient: bool,
}

/// What a pass found out besides its tokens; positions are offsets into the text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Findings {
    /// The first token that the other reading of escapes ends elsewhere.
    pub(super) doubtful_escape: Option<usize>,
    /// The first comment that the other reading of nesting ends elsewhere.
    pub(super) doubtful_nesting: Option<usize>,
    /// The first string: up to here no wrong quote can have shifted what is inside and what is outside of one.
    pub(super) first_string: Option<usize>,
    /// Where the rest cannot be known; the tokens end there.
    pub(super) cut: Option<usize>,
    /// The cut is behind a string that a word sticks to: no server reads the text like that.
    pub(super) unlikely: bool,
    /// Where the text is broken; the tokens end there, and those before it prove nothing.
    pub(super) broken: Option<usize>,
}

/// The tokens of a text.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    grammar: &'static Grammar,
    /// The user says that `"…"` are names.
    names_in_double_quotes: bool,
    reading: Reading,
    /// The last token that is no comment, and the one before it.
    last: Option<Token>,
    before_last: Option<Token>,
    /// The end of the last `E'…'`, if the text had any.
    escape_string: Option<usize>,
    /// Where the executable comment that is open began.
    executable: Option<usize>,
    findings: Findings,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(
        text: &'a str,
        grammar: &'static Grammar,
        names_in_double_quotes: bool,
        reading: Reading,
    ) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            grammar,
            names_in_double_quotes: names_in_double_quotes || grammar.double_quoted_names,
            reading,
            last: None,
            before_last: None,
            escape_string: None,
            executable: None,
            findings: Findings::default(),
        }
    }

    /// Complete after the last token.
    pub(super) fn findings(&self) -> Findings {
        self.findings
    }

    /// The next token; no more at the end, at a cut and at a break.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Token> {
        let (start, byte, class) = loop {
            let Some(&byte) = self.bytes.get(self.at) else {
                return self.end();
            };
            let class = CLASS[byte as usize];
            if class != SPACE {
                break (self.at, byte, class);
            }
            self.at += 1;
        };
        let token = match class {
            WORD => self.word(start)?,
            DIGIT => self.number(start),
            PLAIN => self.symbol(start, byte),
            _ => self.special(start, byte)?,
        };
        self.at = token.end;
        if token.kind != Kind::Comment {
            self.before_last = self.last;
            self.last = Some(token);
        }
        steps::count(token.end - start + 1);
        Some(token)
    }

    /// An executable comment is to end before the text does.
    #[cold]
    fn end(&mut self) -> Option<Token> {
        let opened = self.executable?;
        self.break_off(opened)
    }

    fn special(&mut self, start: usize, byte: u8) -> Option<Token> {
        match byte {
            b'\'' => self.plain_string(start),
            b'"' => self.double_quoted(start),
            b'`' if self.grammar.backtick => self.quoted_name(start, b'`', self.grammar.escapes_in_names),
            b'[' => self.bracket(start),
            b'{' if self.grammar.brace_comments => self.brace(start),
            b'-' | b'+' | b'.' => self.sign_or_dot(start, byte),
            b'/' | b'*' => self.slash_or_star(start, byte),
            b'#' => self.hash(start),
            b'$' => self.dollar(start),
            b':' => self.with_suffix(self.colon(start)),
            b'@' => self.with_suffix(self.at_sign(start)),
            b'?' => Some(self.question_mark(start)),
            b'\\' if self.grammar.backslash_null && self.byte(start + 1) == Some(b'N') => {
                Some(Token { kind: Kind::Symbol(b'\\'), start, end: start + 2 })
            }
            b'\\' | 0 => self.break_off(start),
            _ => Some(self.symbol(start, byte)),
        }
    }

    #[inline]
    fn word(&mut self, start: usize) -> Option<Token> {
        let mut end = start;
        let mut seen = 0;
        while let Some(&byte) = self.bytes.get(end) {
            let name = NAME[byte as usize];
            if name == 0 && !(self.grammar.hash_in_names && matches!(byte, b'#' | b'@')) {
                break;
            }
            seen |= name;
            end += 1;
        }
        let special = match end - start {
            1 | 2 => matches!(self.byte(end), Some(b'\'' | b'&')),
            4 | 5 => true,
            8 => self.byte(end) == Some(b'-'),
            _ => false,
        };
        if special || seen >= BEYOND_ASCII {
            return self.special_word(start, end, seen);
        }
        Some(Token { kind: Kind::Word, start, end })
    }

    /// A word that may be something else: the prefix of a string, a boolean, an amount, the begin of a UUID.
    fn special_word(&mut self, start: usize, end: usize, seen: u8) -> Option<Token> {
        if seen >= BEYOND_ASCII {
            if has_typographic_quote(&self.bytes[start..end]) {
                return self.give_up(start);
            }
            if let Some(token) = self.amount(start) {
                return Some(token);
            }
        }
        if end - start <= 2
            && matches!(self.byte(end), Some(b'\'' | b'&'))
            && let Some(prefixed) = self.prefixed_string(start, end)
        {
            return prefixed;
        }
        let kind = if self.is_boolean(start, end) { Kind::Value } else { Kind::Word };
        Some(self.bare_uuid(start, end).unwrap_or(Token { kind, start, end }))
    }

    /// `true` and `false`, but not as a part of a name.
    fn is_boolean(&self, start: usize, end: usize) -> bool {
        let word = &self.bytes[start..end];
        let boolean = match word.len() {
            4 => word.eq_ignore_ascii_case(b"true"),
            5 => word.eq_ignore_ascii_case(b"false"),
            _ => false,
        };
        boolean && !self.follows_dot(start) && self.byte(end) != Some(b'.')
    }

    fn symbol(&self, start: usize, byte: u8) -> Token {
        Token { kind: Kind::Symbol(byte), start, end: start + 1 }
    }

    fn hash(&mut self, start: usize) -> Option<Token> {
        match self.grammar.hash {
            Hash::Symbol if self.grammar.hash_in_names => {
                let is_name = self.byte(start + 1).is_some_and(|byte| continues_name(byte) || byte == b'#');
                if is_name { self.word(start) } else { self.line_comment(start, true) }
            }
            Hash::Symbol => Some(self.symbol(start, b'#')),
            Hash::Comment => self.line_comment(start, false),
            Hash::Guess => self.line_comment(start, true),
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn is_adjacent(&self, start: usize) -> Option<Token> {
        self.last.filter(|last| last.end == start)
    }

    /// Whether a name is qualified: `a.` stands directly before it.
    fn follows_dot(&self, start: usize) -> bool {
        let dot = self.is_adjacent(start).filter(|dot| dot.is(b'.'));
        match (dot, self.before_last) {
            (Some(dot), Some(before)) => before.end == dot.start && before.is_name(),
            _ => false,
        }
    }

    /// The rest cannot be known: the tokens end, and what they said so far holds.
    fn cut<T>(&mut self, start: usize) -> Option<T> {
        let start = self.executable.unwrap_or(start);
        self.findings.cut.get_or_insert(start);
        self.at = self.bytes.len();
        self.executable = None;
        None
    }

    /// What no author means, and some servers take.
    fn give_up<T>(&mut self, start: usize) -> Option<T> {
        if self.reading.lenient { self.cut(start) } else { self.break_off(start) }
    }

    fn break_off<T>(&mut self, start: usize) -> Option<T> {
        // To all servers but MySQL it is a comment like others.
        if self.reading.lenient && self.executable.is_some() {
            return self.cut(start);
        }
        self.findings.broken.get_or_insert(start);
        self.at = self.bytes.len();
        self.executable = None;
        None
    }
}

fn is_operand(kind: Kind) -> bool {
    match kind {
        Kind::Symbol(byte) => matches!(byte, b')' | b']' | b'}'),
        Kind::Comment => false,
        _ => true,
    }
}

/// Quotes that no database takes for quotes, but people do.
fn has_typographic_quote(word: &[u8]) -> bool {
    word.windows(3).any(|three| {
        matches!(
            three,
            [0xe2, 0x80, 0x98..=0x9f]
                | [0xe2, 0x80, 0xb9 | 0xba]
                | [0xef, 0xbc, 0x82 | 0x87]
                | [0xca, 0xbc, _]
        )
    }) || word.windows(2).any(|two| matches!(two, [0xc2, 0xab | 0xbb | 0xb4] | [0xca, 0xbb | 0xbc]))
}

/// Whether a character may stand after the dot of a qualified name.
fn begins_part(byte: u8) -> bool {
    begins_name(byte) || matches!(byte, b'"' | b'`' | b'[' | b'*')
}
