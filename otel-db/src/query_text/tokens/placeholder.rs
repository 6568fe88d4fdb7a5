//! Placeholders, and what looks like them.

use super::{Tokens, is_operand, steps};
use crate::query_text::dialect::Holds;
use crate::query_text::token::{Kind, Token, continues_name};

impl Tokens<'_> {
    /// `$1`, `$tag$…$tag$`, `$12.50`, `$name`.
    pub(super) fn dollar(&mut self, start: usize) -> Option<Token> {
        let next = self.byte(start + 1);
        if next.is_some_and(|byte| byte.is_ascii_digit() || (byte == b'.' && self.grammar.money)) {
            let number = self.number(start + 1);
            let bare = self.bytes[start + 1..number.end].iter().all(u8::is_ascii_digit);
            let kind = if bare && !self.grammar.money && number.end - start <= MOST_DIGITS + 1 {
                Kind::Placeholder
            } else {
                Kind::Value
            };
            return Some(Token { kind, start, end: number.end });
        }
        if self.grammar.dollar_quotes != Holds::Never
            && let Some(tag) = self.dollar_tag(start)
        {
            return self.dollar_quoted(start, tag);
        }
        self.with_suffix(self.sigil(start))
    }

    /// `:name`, `:1`, `::`.
    pub(super) fn colon(&self, start: usize) -> Token {
        if self.byte(start + 1) == Some(b':') {
            return Token { kind: Kind::Symbol(b':'), start, end: start + 2 };
        }
        // The bounds of a slice: `a[1:2]`.
        let in_slice =
            self.last.is_some_and(|last| last.end == start && (last.is(b'[') || is_operand(last.kind)));
        if !self.grammar.colon_placeholders || in_slice {
            self.symbol(start, b':')
        } else {
            self.sigil(start)
        }
    }

    pub(super) fn at_sign(&self, start: usize) -> Token {
        let from = if self.byte(start + 1) == Some(b'@') { start + 1 } else { start };
        Token { start, ..self.sigil(from) }
    }

    pub(super) fn question_mark(&self, start: usize) -> Token {
        let digits =
            self.bytes[start + 1..].iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        let numbered = self.grammar.numbered_placeholders
            && digits <= MOST_DIGITS
            && !self.byte(start + 1 + digits).is_some_and(|byte| continues_name(byte) || byte == b'.');
        let end = if numbered { start + 1 + digits } else { start + 1 };
        Token { kind: Kind::Placeholder, start, end }
    }

    /// "The identifier name in this case can include one or more occurrences of "::" and a suffix enclosed in "(...)"
    /// containing any text at all": <https://sqlite.org/lang_expr.html#parameters>. Any but spaces; where it holds a quote,
    /// or does not end soon, the text ends before it.
    pub(super) fn with_suffix(&mut self, token: Token) -> Option<Token> {
        let suffixed = self.grammar.placeholder_suffixes && token.kind == Kind::Placeholder;
        if !suffixed || self.byte(token.end) != Some(b'(') {
            return Some(token);
        }
        let inside = &self.bytes[token.end + 1..];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || *byte == b')';
        let Some(length) = inside.iter().take(LONGEST_SUFFIX).position(ends) else {
            return self.cut(token.start);
        };
        steps::count(length);
        let dollar_quotes = self.grammar.dollar_quotes != Holds::Never;
        let begins_other = |byte: &u8| {
            matches!(byte, b'\'' | b'"' | b'`' | b'[' | b'-' | b'/' | b'#')
                || (*byte == b'$' && dollar_quotes)
        };
        if inside[..length].iter().any(begins_other) { self.cut(token.start) } else { Some(token) }
    }

    /// A name behind a sign. One of digits alone is a name as long as it is short: `:1`, not `@4111111111111111`.
    fn sigil(&self, start: usize) -> Token {
        let mut end = start + 1;
        let mut digits = 0;
        while let Some(&byte) = self.bytes.get(end) {
            if !continues_name(byte) {
                break;
            }
            digits += usize::from(byte.is_ascii_digit());
            end += 1;
        }
        let kind = match end - start - 1 {
            0 => Kind::Symbol(self.bytes[start]),
            length if digits == length && length > MOST_DIGITS => Kind::Value,
            length if digits == length && self.byte(end) == Some(b'.') => {
                return Token { kind: Kind::Symbol(self.bytes[start]), start, end: start + 1 };
            }
            _ => Kind::Placeholder,
        };
        Token { kind, start, end }
    }
}

/// The number of a placeholder has no more digits; a longer one is a value.
const MOST_DIGITS: usize = 5;

/// The bytes in which the end of a suffix is looked for. It keeps the work linear.
const LONGEST_SUFFIX: usize = 128;
