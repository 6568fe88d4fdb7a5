//! Comments, which are never kept, and MySQL's executable ones, whose content is a part of the statement.

use super::{Tokens, steps};
use crate::query_text::dialect::Holds;
use crate::query_text::token::{Kind, Token};

impl Tokens<'_> {
    /// A comment to the end of the line. Where one cannot be `sure` that it is one, quotes in it end the text.
    pub(super) fn line_comment(&mut self, start: usize, unsure: bool) -> Option<Token> {
        let line = &self.bytes[start..];
        let length = line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len());
        let line = &line[..length];
        steps::count(5 * length);
        if self.executable.is_some() && line.windows(2).any(|two| two == b"*/") {
            return self.cut(start);
        }
        // For PostgreSQL a carriage return ends the line.
        let after_return = line.iter().position(|&byte| byte == b'\r').map_or(&[][..], |at| &line[at..]);
        if has_quotes(after_return) || (unsure && has_quotes(line)) {
            return self.cut(start);
        }
        Some(Token { kind: Kind::Comment, start, end: start + length })
    }

    pub(super) fn slash_or_star(&mut self, start: usize, byte: u8) -> Option<Token> {
        match (byte, self.byte(start + 1)) {
            (b'/', Some(b'*')) if self.is_executable(start) => self.open_executable(start),
            (b'/', Some(b'*')) => self.block_comment(start),
            (b'/', Some(b'/')) if self.grammar.slashes => self.line_comment(start, true),
            (b'*', Some(b'/')) => self.close_executable(start),
            _ => Some(self.symbol(start, byte)),
        }
    }

    fn block_comment(&mut self, start: usize) -> Option<Token> {
        if self.executable.is_some() {
            return self.cut(start);
        }
        let mut depth = 1_usize;
        let mut at = start + 2;
        while let Some(&byte) = self.bytes.get(at) {
            steps::count(1);
            match (byte, self.byte(at + 1)) {
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return Some(Token { kind: Kind::Comment, start, end: at });
                    }
                }
                (b'/', Some(b'*')) if self.nests(start) => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        // SQLite's ends with the text.
        self.give_up(start)
    }

    fn nests(&mut self, start: usize) -> bool {
        match self.grammar.nested_comments {
            Holds::Never => false,
            Holds::Always => true,
            Holds::Depends(_) | Holds::Unknown => {
                self.findings.doubtful_nesting.get_or_insert(start);
                self.reading.nested
            }
        }
    }

    /// `/*! … */` and MariaDB's `/*M! … */`.
    fn is_executable(&self, start: usize) -> bool {
        let behind = &self.bytes[start + 2..];
        self.grammar.executable_comments && (behind.starts_with(b"!") || behind.starts_with(b"M!"))
    }

    fn open_executable(&mut self, start: usize) -> Option<Token> {
        if self.executable.is_some() {
            return self.cut(start);
        }
        let mark = if self.byte(start + 2) == Some(b'M') { start + 4 } else { start + 3 };
        let version = self.bytes[mark..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        self.executable = Some(start);
        Some(Token { kind: Kind::Comment, start, end: mark + version })
    }

    fn close_executable(&mut self, start: usize) -> Option<Token> {
        if self.executable.take().is_some() {
            return Some(Token { kind: Kind::Comment, start, end: start + 2 });
        }
        // `SELECT */* all */ FROM t`
        if self.byte(start + 2) == Some(b'*') {
            return Some(self.symbol(start, b'*'));
        }
        self.break_off(start)
    }
}

/// Whether it makes a difference to the rest of the text if this is a comment.
fn has_quotes(line: &[u8]) -> bool {
    line.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'[' | b'$' | b'\\'))
        || line.windows(2).any(|two| matches!(two, b"/*" | b"*/"))
}
