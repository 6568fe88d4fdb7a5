//! Writes a text without its literals and comments.

use std::borrow::Cow;

use super::guard::{Guard, Verdict};
use super::token::{CLASS, Kind, SPACE, Token};
use super::tokens::Tokens;

/// `text` with `?` for its literals and without its comments. The tokens are read to their end, which says whether the
/// result may be used.
pub(super) fn write<'a>(text: &'a str, tokens: &mut Tokens<'a>, guard: Guard) -> Written<'a> {
    let mut writer = Writer { text, out: String::new(), from: 0, changed: false, list: List::None };
    let mut guard = guard;
    let mut swallowing = false;
    let mut cut = None;
    while let Some(token) = tokens.next() {
        if swallowing && !token.is(b';') {
            continue;
        }
        if swallowing {
            swallowing = false;
            writer.from = token.start;
        }
        match guard.see(text, &token) {
            Verdict::Token => writer.token(&token),
            Verdict::Replace => writer.replace(&token),
            Verdict::ReplaceStatement => {
                writer.replace(&token);
                swallowing = true;
            }
            Verdict::Data => {
                writer.token(&token);
                cut.get_or_insert(token.end);
            }
        }
    }
    if swallowing {
        writer.from = text.len();
    }
    Written { text: writer.finish(), data: cut, separator: guard.separator() }
}

/// What [`write`] wrote, where raw data begin that are no SQL, and where the last statement ended that another one may
/// follow.
pub(super) struct Written<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) data: Option<usize>,
    pub(super) separator: Option<usize>,
}

struct Writer<'a> {
    text: &'a str,
    out: String,
    /// What comes before it is written.
    from: usize,
    changed: bool,
    list: List,
}

/// `IN (1, 2, 3)` becomes `IN (?)`: "the instrumentation MAY collapse IN-clauses".
/// <https://opentelemetry.io/docs/specs/semconv/db/database-spans/#sanitization-of-dbquerytext>
enum List {
    None,
    /// `IN` was the last word.
    In,
    /// Nothing but literals and commas since the parenthesis that ends at `open`; `written` and `from` were the
    /// writer's there.
    Literals {
        open: usize,
        written: usize,
        from: usize,
        literals: usize,
    },
}

impl<'a> Writer<'a> {
    #[inline]
    fn token(&mut self, token: &Token) {
        match (&self.list, token.kind) {
            // Most tokens: nothing to do.
            (List::None, Kind::Word) if token.end - token.start != 2 => return,
            (List::None, Kind::Symbol(_) | Kind::Name | Kind::Placeholder) => return,
            _ => self.follow_list(token),
        }
        match token.kind {
            Kind::Text | Kind::Value | Kind::DoubleQuoted => self.replace(token),
            Kind::Comment => self.remove(token),
            _ => {}
        }
    }

    fn follow_list(&mut self, token: &Token) {
        match (&mut self.list, token.kind) {
            (_, Kind::Comment) => {}
            (list, Kind::Word) => {
                let is_in = token.end - token.start == 2
                    && self.text.as_bytes()[token.start..token.end].eq_ignore_ascii_case(b"in");
                *list = if is_in { List::In } else { List::None };
            }
            (list @ List::In, Kind::Symbol(b'(')) => {
                *list =
                    List::Literals { open: token.end, written: self.out.len(), from: self.from, literals: 0 };
            }
            (List::None, _) | (List::Literals { .. }, Kind::Symbol(b',')) => {}
            (List::Literals { literals, .. }, _) if token.is_literal() => *literals += 1,
            (&mut List::Literals { open, written, from, literals: 1.. }, Kind::Symbol(b')')) => {
                self.out.truncate(written);
                self.out.push_str(&self.text[from..open]);
                self.out.push('?');
                self.from = token.start;
                self.list = List::None;
            }
            (list, _) => *list = List::None,
        }
    }

    fn replace(&mut self, token: &Token) {
        self.flush(token);
        self.out.push('?');
    }

    /// Removes a comment; what it kept apart stays apart.
    fn remove(&mut self, token: &Token) {
        self.flush(token);
        let is_space = |byte: u8| CLASS[byte as usize] == SPACE;
        let apart = self.out.as_bytes().last().is_none_or(|&byte| is_space(byte))
            || self.text.as_bytes().get(token.end).is_none_or(|&byte| is_space(byte));
        if !apart {
            self.out.push(' ');
        }
    }

    fn flush(&mut self, token: &Token) {
        if !self.changed {
            self.changed = true;
            self.out.reserve(self.text.len());
        }
        self.out.push_str(&self.text[self.from..token.start]);
        self.from = token.end;
    }

    fn finish(mut self) -> Cow<'a, str> {
        if !self.changed {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.from..]);
        Cow::Owned(self.out)
    }
}
