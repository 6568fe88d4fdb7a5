//! Numbers, and all that sticks to them.

use super::{Tokens, is_operand, steps};
use crate::query_text::dialect::{Bracket, Holds};
use crate::query_text::token::{Kind, Token, begins_name, continues_name};

impl Tokens<'_> {
    /// A number with everything that is glued to it: `12.34e-5`, `0xFF`, `1_000`, `12abc`, `2024-01-02`, and UUIDs.
    pub(super) fn number(&self, start: usize) -> Token {
        let mut end = self.end_of_run(start);
        while let Some(next) = self.hyphenated(end) {
            end = next;
        }
        Token { kind: Kind::Value, start, end }
    }

    /// `-`, `+` and `.`: the begin of a number, of a comment, or by themselves.
    pub(super) fn sign_or_dot(&mut self, start: usize, byte: u8) -> Option<Token> {
        if byte == b'-' && self.byte(start + 1) == Some(b'-') && self.begins_comment(start) {
            let unsure = self.grammar.spaced_dashes == Holds::Unknown && !self.is_spaced(start + 2);
            return self.line_comment(start, unsure);
        }
        if byte == b'-'
            && self.byte(start + 1) == Some(b'-')
            && !self.byte(start + 2).is_some_and(begins_operand)
        {
            return self.cut(start);
        }
        let digits = if byte == b'.' { start } else { start + 1 };
        let begins_number = match self.byte(digits) {
            Some(b'.') => self.byte(digits + 1).is_some_and(|next| next.is_ascii_digit()),
            Some(next) => next.is_ascii_digit(),
            None => false,
        };
        let part_of_name = byte == b'.' && self.is_adjacent(start).is_some_and(|last| is_operand(last.kind));
        if begins_number && !part_of_name && (byte == b'.' || !self.follows_operand()) {
            return Some(Token { start, ..self.number(digits) });
        }
        Some(self.symbol(start, byte))
    }

    /// An amount with its sign of currency, where those are literals: `€12.50`.
    pub(super) fn amount(&self, start: usize) -> Option<Token> {
        if !self.grammar.money && self.grammar.bracket != Bracket::Guess {
            return None;
        }
        let sign = self.text[start..].chars().next()?;
        let digits = start + sign.len_utf8();
        let is_sign = matches!(sign, '\u{a2}'..='\u{a5}' | '\u{20a0}'..='\u{20cf}' | '\u{fdfc}' | '\u{e3f}');
        let is_amount = is_sign && matches!(self.byte(digits), Some(b'0'..=b'9' | b'.'));
        is_amount.then(|| Token { start, ..self.number(digits) })
    }

    /// A UUID without quotes that begins with a letter; those that begin with a digit are numbers already.
    pub(super) fn bare_uuid(&self, start: usize, end: usize) -> Option<Token> {
        if end - start != 8 || self.byte(end) != Some(b'-') || !self.grammar.bare_uuids {
            return None;
        }
        let uuid = self.bytes.get(start..start + 36)?;
        let is_uuid = uuid.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        is_uuid.then_some(Token { kind: Kind::Value, start, end: start + 36 })
    }

    fn end_of_run(&self, start: usize) -> usize {
        let mut end = start;
        // Digits so far, after which an `e` begins an exponent.
        let mut decimal = true;
        let mut exponent = false;
        while let Some(&byte) = self.bytes.get(end) {
            steps::count(1);
            let continues = (byte != b'$' && continues_name(byte)) || byte == b'.';
            let sign = exponent
                && matches!(byte, b'+' | b'-')
                && self.byte(end + 1).is_some_and(|next| next.is_ascii_digit());
            if !continues && !sign {
                break;
            }
            exponent = decimal && matches!(byte, b'e' | b'E');
            decimal &= matches!(byte, b'0'..=b'9' | b'.' | b'_');
            end += 1;
        }
        end
    }

    /// The end of `-89ab` after a number: the next group of a date, a phone number, a UUID. `-a` is a subtraction.
    fn hyphenated(&self, at: usize) -> Option<usize> {
        let first = self.byte(at + 1)?;
        if self.byte(at) != Some(b'-') || !first.is_ascii_hexdigit() {
            return None;
        }
        if first.is_ascii_digit() {
            return Some(self.end_of_run(at + 1));
        }
        let digits = self.bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        steps::count(digits);
        let ends = !self.byte(at + 1 + digits).is_some_and(|byte| continues_name(byte) || byte == b'.');
        (digits >= 4 && ends).then_some(at + 1 + digits)
    }

    /// Whether a sign here subtracts or adds.
    fn follows_operand(&self) -> bool {
        match self.last {
            None => false,
            Some(Token { kind: Kind::Word, start, end }) => !takes_operand(&self.bytes[start..end]),
            Some(last) => is_operand(last.kind),
        }
    }

    fn begins_comment(&self, start: usize) -> bool {
        self.grammar.spaced_dashes != Holds::Always || self.is_spaced(start + 2)
    }

    fn is_spaced(&self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| byte <= b' ' || byte == 0x7f)
    }
}

/// Whether it may stand behind `--` where that is two signs, as in `5--a`.
fn begins_operand(byte: u8) -> bool {
    continues_name(byte) || matches!(byte, b'\'' | b'"' | b'`' | b'(' | b'.' | b'@' | b'?')
}

/// Whether an expression follows the keyword.
fn takes_operand(word: &[u8]) -> bool {
    const KEYWORDS: [&str; 29] = [
        "select", "where", "and", "or", "not", "in", "between", "like", "then", "else", "when", "case",
        "return", "limit", "offset", "values", "set", "by", "on", "as", "default", "is", "interval",
        "having", "with", "top", "any", "all", "div",
    ];
    word.len() <= 8
        && begins_name(word[0])
        && KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword.as_bytes()))
}
