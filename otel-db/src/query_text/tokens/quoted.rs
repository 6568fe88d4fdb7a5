//! Strings and quoted names: where they end.

use super::{Tokens, begins_part, steps};
use crate::query_text::dialect::Holds;
use crate::query_text::token::{Kind, Token, begins_name, continues_name};

impl Tokens<'_> {
    /// `'…'` without a prefix. Behind an `E'…'` and a line feed it is the rest of that string, and `\` escapes in it, too:
    /// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS>
    pub(super) fn plain_string(&mut self, start: usize) -> Option<Token> {
        let continued = self.escape_string.filter(|&end| {
            self.last.is_some_and(|last| last.end == end)
                && self.bytes[end..start].iter().any(|byte| matches!(byte, b'\n' | b'\r'))
        });
        match continued {
            Some(_) => self.escape_string(start, start),
            None => self.string(start, start, self.grammar.escapes),
        }
    }

    /// `E'…'`.
    fn escape_string(&mut self, start: usize, quote: usize) -> Option<Token> {
        let token = self.string(start, quote, self.grammar.escape_strings)?;
        self.escape_string = Some(token.end);
        Some(token)
    }

    /// `'…'`, whose token begins at `start` with its prefix and whose quote is at `quote`.
    pub(super) fn string(&mut self, start: usize, quote: usize, escapes: Holds) -> Option<Token> {
        self.findings.first_string.get_or_insert(start);
        let end = self.end_of_quoted(start, quote, b'\'', escapes)?;
        if self.sticks_to_word(end) {
            self.findings.unlikely = true;
            return self.cut(start);
        }
        Some(Token { kind: Kind::Text, start, end })
    }

    /// Whether a word that is no keyword directly follows a string: `'O'Brien'`. Somebody forgot to double a quote, and
    /// what is inside of a string from here on is anybody's guess.
    fn sticks_to_word(&self, end: usize) -> bool {
        let word = self.bytes[end..].iter().take_while(|&&byte| continues_name(byte)).count();
        steps::count(word);
        word > 0 && !self.reading.lenient && !follows_string(&self.bytes[end..end + word])
    }

    /// The string after a prefix of one or two letters; `None` when the letters are a name of their own.
    #[allow(clippy::option_option, reason = "no string, or one that ends the tokens")]
    pub(super) fn prefixed_string(&mut self, start: usize, end: usize) -> Option<Option<Token>> {
        let grammar = self.grammar;
        let letters = (self.bytes[start].to_ascii_lowercase(), self.bytes[end - 1].to_ascii_lowercase());
        if self.byte(end) == Some(b'&') {
            let unicode = grammar.unicode_strings && end - start == 1 && letters.0 == b'u';
            return (unicode && self.byte(end + 1) == Some(b'\''))
                .then(|| self.string(start, end + 1, grammar.escapes));
        }
        match (end - start, letters) {
            (1, (b'n' | b'x' | b'b', _)) => Some(self.string(start, end, grammar.escapes)),
            (1, (b'e', _)) if grammar.escape_strings != Holds::Never => Some(self.escape_string(start, end)),
            (1, (b'e', _)) => Some(self.string(start, end, grammar.escapes)),
            (1, (b'q', _)) | (2, (b'n', b'q')) => match grammar.q_quotes {
                Holds::Never | Holds::Depends(_) => None,
                Holds::Always => Some(self.q_quoted(start, end)),
                Holds::Unknown => {
                    self.findings.first_string.get_or_insert(start);
                    Some(self.cut(start))
                }
            },
            _ => None,
        }
    }

    /// `"…"`: a name by the standard, and elsewhere when it is a part of a qualified name.
    pub(super) fn double_quoted(&mut self, start: usize) -> Option<Token> {
        let escapes = match (self.grammar.double_quoted_names, self.grammar.escapes_in_names) {
            (true, false) => Holds::Never,
            (true, true) => Holds::Always,
            (false, _) => self.grammar.escapes,
        };
        let first_string = self.findings.first_string;
        self.findings.first_string.get_or_insert(start);
        let end = self.end_of_quoted(start, start, b'"', escapes)?;
        // What is behind the dot is no part of a name where it is the prefix of a string.
        let is_prefix =
            |part: u8| begins_name(part) && [end + 2, end + 3].iter().any(|&at| self.byte(at) == Some(b'\''));
        let has_part = self.byte(end) == Some(b'.')
            && self.byte(end + 1).is_some_and(|part| begins_part(part) && !is_prefix(part));
        let qualified = self.follows_dot(start) || has_part;
        if self.names_in_double_quotes || qualified {
            self.findings.first_string = first_string;
            return Some(Token { kind: Kind::Name, start, end });
        }
        if self.sticks_to_word(end) {
            self.findings.unlikely = true;
            return self.cut(start);
        }
        Some(Token { kind: Kind::DoubleQuoted, start, end })
    }

    pub(super) fn quoted_name(&mut self, start: usize, quote: u8, escapes: bool) -> Option<Token> {
        let escapes = if escapes { Holds::Always } else { Holds::Never };
        let end = self.end_of_quoted(start, start, quote, escapes)?;
        Some(Token { kind: Kind::Name, start, end })
    }

    /// Whether `'''…'''` with the quote at `open` ends elsewhere than what ends at `end`.
    fn is_tripled(&self, open: usize, end: usize) -> bool {
        let Some(three) =
            self.bytes.get(open..open + 3).filter(|three| three.iter().all(|one| *one == three[0]))
        else {
            return false;
        };
        let inside = &self.bytes[open + 3..];
        let length = inside.windows(3).position(|next| next == three);
        steps::count(length.unwrap_or(inside.len()));
        length.is_some_and(|length| open + 3 + length + 3 != end)
    }

    /// The end of what begins with the quote at `open`: behind the closing one. A doubled quote stands for itself.
    fn end_of_quoted(&mut self, start: usize, open: usize, quote: u8, escapes: Holds) -> Option<usize> {
        let mut at = open + 1;
        while let Some(&byte) = self.bytes.get(at) {
            steps::count(1);
            if byte == quote {
                if self.byte(at + 1) != Some(quote) {
                    return self.closed(start, open, at + 1);
                }
                at += 2;
            } else if byte == b'\\' && escapes != Holds::Never {
                at = self.after_backslashes(start, at, quote, escapes)?;
            } else {
                at += 1;
            }
        }
        self.break_off(start)
    }

    /// Behind a run of backslashes and what they escape. Only an odd one before a quote makes a difference.
    fn after_backslashes(&mut self, start: usize, at: usize, quote: u8, escapes: Holds) -> Option<usize> {
        let run = self.bytes[at..].iter().take_while(|&&byte| byte == b'\\').count();
        if run % 2 == 0 || self.byte(at + run) != Some(quote) {
            return Some(at + run);
        }
        let escaped = match escapes {
            Holds::Depends(_) => {
                self.findings.doubtful_escape.get_or_insert(start);
                self.reading.escapes
            }
            Holds::Unknown => return self.cut(start),
            _ => true,
        };
        Some(if escaped { at + run + 1 } else { at + run })
    }

    /// In an executable comment a server of another version reads on behind the first `*/`, whatever is quoted.
    fn closed(&mut self, start: usize, open: usize, end: usize) -> Option<usize> {
        if self.executable.is_some() && self.bytes[open..end].windows(2).any(|two| two == b"*/") {
            return self.cut(start);
        }
        if self.grammar.triple_quotes && self.is_tripled(open, end) {
            return self.cut(start);
        }
        Some(end)
    }

    /// `q'[…]'` and its like; the quote is at `quote`.
    fn q_quoted(&mut self, start: usize, quote: usize) -> Option<Token> {
        self.findings.first_string.get_or_insert(start);
        let Some(delimiter) = self.text[quote + 1..].chars().next() else { return self.break_off(start) };
        let closing = match delimiter {
            '[' => ']',
            '{' => '}',
            '<' => '>',
            '(' => ')',
            other => other,
        };
        let inside = quote + 1 + delimiter.len_utf8();
        let mut end = String::with_capacity(5);
        end.push(closing);
        end.push('\'');
        match self.text[inside..].find(&end) {
            Some(length) => Some(Token { kind: Kind::Text, start, end: inside + length + end.len() }),
            None => self.break_off(start),
        }
    }

    /// The length of `$tag$` at `start`, if that is what is there.
    pub(super) fn dollar_tag(&self, start: usize) -> Option<usize> {
        let mut end = start + 1;
        while let Some(&byte) = self.bytes.get(end) {
            steps::count(1);
            match byte {
                b'$' => return Some(end + 1 - start),
                _ if end == start + 1 && !begins_name(byte) => return None,
                _ if !continues_name(byte) => return None,
                _ => end += 1,
            }
        }
        None
    }

    pub(super) fn dollar_quoted(&mut self, start: usize, tag: usize) -> Option<Token> {
        self.findings.first_string.get_or_insert(start);
        // A name in MySQL up to its version 8, a string since 9.
        if self.grammar.dollar_quotes == Holds::Unknown && self.grammar.insert_without_into {
            return self.cut(start);
        }
        let inside = start + tag;
        let Some(length) = self.text[inside..].find(&self.text[start..inside]) else {
            // It may be a name where the dialect is not known.
            let is_string = self.grammar.dollar_quotes == Holds::Always;
            return if is_string { self.break_off(start) } else { self.cut(start) };
        };
        steps::count(3 * length);
        let content = &self.bytes[inside..inside + length];
        let odd = |quote: u8| content.iter().filter(|&&byte| byte == quote).count() % 2 == 1;
        if self.grammar.dollar_quotes == Holds::Unknown && (odd(b'\'') || odd(b'"')) {
            return self.cut(start);
        }
        Some(Token { kind: Kind::Text, start, end: inside + length + tag })
    }
}

/// Whether it is a keyword that goes on after a value, as in `'a'AND`.
fn follows_string(word: &[u8]) -> bool {
    const KEYWORDS: [&str; 31] = [
        "and",
        "or",
        "as",
        "from",
        "then",
        "else",
        "end",
        "when",
        "is",
        "in",
        "like",
        "not",
        "asc",
        "desc",
        "union",
        "collate",
        "on",
        "where",
        "order",
        "group",
        "limit",
        "into",
        "between",
        "escape",
        "regexp",
        "having",
        "xor",
        "with",
        "for",
        "identified",
        "using",
    ];
    KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword.as_bytes()))
}
