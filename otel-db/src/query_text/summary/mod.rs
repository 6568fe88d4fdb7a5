//! The summary of a query: `{operation} {target}* ({operation} {target}*)*`.
//!
//! It is read from the same tokens as the text, so that no literal gets into it: only words and quoted names where a
//! table, a view or a procedure is named.

mod clause;
mod keyword;
mod output;
mod statements;

use clause::{Clause, From};
use keyword::{Keyword, keyword};
use output::Output;

use super::reading;
use super::statement::QueryRules;
use super::token::{Kind, Token};
use super::tokens::{Reading, Tokens};

/// What is said of a query besides its text.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) text: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) collection: Option<String>,
    pub(super) stored_procedure: Option<String>,
}

pub(super) fn summary(text: &str, rules: QueryRules, reading: Reading) -> Summary {
    let mut reader = Reader {
        text,
        insert_without_into: rules.dialect().grammar().insert_without_into,
        update_statistics: rules.dialect() == super::Dialect::SqlServer,
        executes_prepared: matches!(rules.dialect(), super::Dialect::PostgreSql | super::Dialect::MySql),
        tokens: reading::tokens(text, rules, reading),
        peeked: None,
        last: None,
        last_word: Keyword::Other,
        clause: Clause::Begin,
        outer: Vec::new(),
        too_deep: 0,
        named: Vec::new(),
        explained: false,
        output: Output::new(text),
    };
    reader.read();
    reader.output.finish()
}

/// Follows the clauses of the statements.
struct Reader<'a> {
    text: &'a str,
    insert_without_into: bool,
    update_statistics: bool,
    executes_prepared: bool,
    tokens: Tokens<'a>,
    peeked: Option<Token>,
    last: Option<Token>,
    last_word: Keyword,
    clause: Clause,
    /// The clauses around the parentheses that are open.
    outer: Vec<Clause>,
    /// Parentheses beyond the deepest that are followed.
    too_deep: usize,
    /// The names that WITH gives, which are no tables.
    named: Vec<&'a str>,
    /// The statement is behind EXPLAIN.
    explained: bool,
    output: Output<'a>,
}

/// Deeper parentheses are passed over, and more names of a WITH not known: both keep the work and the memory bounded.
const DEEPEST: usize = 64;
const MOST_NAMES: usize = 64;

impl<'a> Reader<'a> {
    fn read(&mut self) {
        while !self.output.is_full() && self.clause != Clause::Stop {
            let Some(token) = self.next() else { break };
            self.token(token);
            self.last = Some(token);
        }
        if !self.output.is_full() {
            self.end_statement();
        }
    }

    fn token(&mut self, token: Token) {
        match token.kind {
            Kind::Symbol(b';') => self.next_statement(),
            Kind::Symbol(b'(') => self.open(),
            Kind::Symbol(b')') => self.close(),
            _ if self.too_deep > 0 => {}
            Kind::Symbol(b',') => self.comma(),
            Kind::Word => {
                // `a.start` is a column.
                let is_part = self.last.is_some_and(|last| last.is(b'.'));
                let keyword = if is_part { Keyword::Other } else { keyword(self.str(&token)) };
                self.word(token, keyword);
                self.last_word = keyword;
            }
            Kind::Name | Kind::DoubleQuoted => self.name(token),
            _ => self.other(token),
        }
    }

    fn next(&mut self) -> Option<Token> {
        if let Some(token) = self.peeked.take() {
            return Some(token);
        }
        loop {
            let token = self.tokens.next()?;
            if token.kind != Kind::Comment {
                return Some(token);
            }
        }
    }

    fn peek(&mut self) -> Option<Token> {
        self.peeked = self.next();
        self.peeked
    }

    fn peek_word(&mut self) -> Keyword {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => keyword(self.str(&token)),
            _ => Keyword::Other,
        }
    }

    /// Whether a name follows that is no keyword.
    fn peek_is_name(&mut self) -> bool {
        self.peek_word() == Keyword::Other && self.peeked.is_some_and(|token| token.is_name())
    }

    fn str(&self, token: &Token) -> &'a str {
        &self.text[token.start..token.end]
    }

    fn next_statement(&mut self) {
        self.end_statement();
        self.clause = Clause::Begin;
        self.outer.clear();
        self.too_deep = 0;
        self.named.clear();
        self.explained = false;
        self.last_word = Keyword::Other;
        self.output.end_statement();
    }

    /// What was kept back because a better word might follow.
    fn end_statement(&mut self) {
        match self.clause {
            Clause::Delete { candidate: Some((start, end)) } => self.output.collection(start, end),
            Clause::Definition { start, end } => self.output.operation(start, end),
            _ => {}
        }
    }

    fn open(&mut self) {
        if self.too_deep > 0 || self.outer.len() >= DEEPEST {
            self.too_deep += 1;
            return;
        }
        let inside = match &mut self.clause {
            Clause::From(From { expects: true, .. }) => Clause::From(From::begin()),
            Clause::With { body: true } => Clause::Body,
            Clause::Skip => Clause::Skip,
            Clause::Begin => Clause::Begin,
            Clause::Target(_) if self.last_word == Keyword::Top => Clause::Expression,
            clause @ (Clause::Target(_) | Clause::Call { .. }) => {
                *clause = Clause::Done;
                Clause::Opened
            }
            _ => Clause::Opened,
        };
        self.outer.push(std::mem::replace(&mut self.clause, inside));
    }

    fn close(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(outer) = self.outer.pop() else { return };
        if self.clause != Clause::Begin {
            self.end_statement();
        }
        // `(SELECT 1) UNION (SELECT 2)`: an operation stood in the parentheses of a statement's begin.
        let nothing_yet = self.clause == Clause::Begin;
        self.clause = match outer {
            Clause::From(from) => Clause::From(From { expects: false, ..from }),
            Clause::Begin if !nothing_yet => Clause::Done,
            other => other,
        };
    }

    /// A name of tables, with all its parts; they stick to each other.
    fn qualified(&mut self, first: Token) -> (usize, usize) {
        let mut end = first.end;
        let mut dots = first.end;
        while let Some(next) = self.peek() {
            let adjacent = next.start == dots;
            let part = next.is_name() && dots > end;
            let remote =
                next.kind == Kind::Placeholder && self.text.as_bytes()[next.start] == b'@' && dots == end;
            if !adjacent || !(part || remote || next.is(b'.')) {
                break;
            }
            dots = next.end;
            if part || remote {
                end = next.end;
            }
            self.last = self.next();
        }
        (first.start, end)
    }
}
