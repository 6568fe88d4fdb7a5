//! Brackets and braces: names, arrays, subscripts, comments.

use super::{Tokens, is_operand, steps};
use crate::query_text::dialect::Bracket;
use crate::query_text::token::{Kind, Token, begins_name};

impl Tokens<'_> {
    pub(super) fn bracket(&mut self, start: usize) -> Option<Token> {
        match self.grammar.bracket {
            Bracket::Symbol => Some(self.symbol(start, b'[')),
            // No name begins so. It is an array of another dialect.
            Bracket::Name { .. } if matches!(self.byte(start + 1), Some(b'\'' | b'"')) => self.cut(start),
            Bracket::Name { doubled: true } => self.quoted_name(start, b']', false),
            Bracket::Name { doubled: false } => {
                match self.bytes[start..].iter().position(|&byte| byte == b']') {
                    Some(length) => Some(Token { kind: Kind::Name, start, end: start + length + 1 }),
                    None => self.break_off(start),
                }
            }
            Bracket::Guess => self.name_or_array(start),
        }
    }

    /// Where the dialect is not known: `[order details]` is a name, `[1, 'a']` and `a['b']` are arrays. A text in which
    /// that makes a difference to the quotes ends here.
    fn name_or_array(&mut self, start: usize) -> Option<Token> {
        let inside = &self.bytes[start + 1..];
        let Some(length) = inside.iter().take(LONGEST_NAME).position(|&byte| byte == b']') else {
            steps::count(LONGEST_NAME);
            return Some(self.symbol(start, b'['));
        };
        let inside = &inside[..length];
        steps::count(LONGEST_NAME + 5 * length);
        let quotes = quotes(inside);
        if quotes.iter().any(|count| count % 2 == 1) {
            return self.cut(start);
        }
        let subscript = self.is_adjacent(start).is_some_and(|last| is_operand(last.kind));
        let is_name = inside.first().is_some_and(|&byte| begins_name(byte) || matches!(byte, b'#' | b'@'));
        if is_name && !subscript && quotes == [0; 3] && !inside.contains(&b',') {
            return Some(Token { kind: Kind::Name, start, end: start + length + 2 });
        }
        Some(self.symbol(start, b'['))
    }

    /// `{…}` where the dialect is not known.
    pub(super) fn brace(&mut self, start: usize) -> Option<Token> {
        let inside = &self.bytes[start + 1..];
        let length = inside.iter().take(LONGEST_NAME).position(|&byte| byte == b'}').unwrap_or(0);
        steps::count(LONGEST_NAME + 3 * length);
        let is_odd = quotes(&inside[..length]).iter().any(|count| count % 2 == 1);
        if is_odd { self.cut(start) } else { Some(self.symbol(start, b'{')) }
    }
}

/// How many quotes there are of each kind.
fn quotes(text: &[u8]) -> [usize; 3] {
    [b'\'', b'"', b'`'].map(|quote| text.iter().filter(|&&byte| byte == quote).count())
}

/// The bytes in which the end of a name in brackets is looked for: the longest name of SQL Server has 128 characters. It
/// keeps the work linear.
const LONGEST_NAME: usize = 128;
