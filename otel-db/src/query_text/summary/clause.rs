//! Where in a statement the summary is, and what a name means there.

use super::keyword::{Keyword, keyword};
use super::{MOST_NAMES, Reader};
use crate::query_text::token::{Kind, Token};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    /// An operation may begin.
    Begin,
    /// After a parenthesis in an expression: a query may begin.
    Opened,
    /// After the parenthesis of `WITH x AS (`: an operation may begin.
    Body,
    /// A query would have begun before.
    Expression,
    /// After WITH: before a name, or (`body`) behind it.
    With {
        body: bool,
    },
    /// After SELECT, before FROM.
    Select,
    From(From),
    /// After INSERT, before INTO.
    Insert,
    /// A delete names its table before or after FROM.
    Delete {
        candidate: Option<(usize, usize)>,
    },
    /// After CREATE, ALTER or DROP, which stands from `start` to `end`.
    Definition {
        start: usize,
        end: usize,
    },
    /// The next name is what the operation works on.
    Target(Target),
    /// After CALL or EXEC, or behind the EXECUTE of what was prepared under a name.
    Call {
        prepared: bool,
    },
    /// After BEGIN and its like.
    Transaction,
    /// The rest names nothing, but a query may begin.
    Done,
    /// The rest of the statement names nothing.
    Skip,
    /// The rest of the text names nothing: the body of a procedure.
    Stop,
}

/// The clause of FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct From {
    /// A name is expected.
    pub(super) expects: bool,
    /// Nothing was seen but names and aliases: `"…"` after a comma is a name too.
    pub(super) pure: bool,
    /// The words since the last name.
    pub(super) aliases: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) is_collection: bool,
    /// What follows the name.
    pub(super) then: After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Done,
    /// An alias, and more tables: MySQL's `UPDATE a x JOIN b y`.
    Tables,
    Skip,
    Stop,
}

impl From {
    pub(super) fn begin() -> Self {
        Self { expects: true, pure: true, aliases: 0 }
    }
}

impl Reader<'_> {
    pub(super) fn word(&mut self, token: Token, keyword: Keyword) {
        if keyword == Keyword::Select && self.begins_select() {
            self.output.operation(token.start, token.end);
            self.clause = Clause::Select;
            return;
        }
        match self.clause {
            Clause::Begin => self.statement(token, keyword),
            Clause::Body => self.body(token, keyword),
            Clause::Opened if keyword == Keyword::With => self.clause = Clause::With { body: false },
            Clause::Opened => self.clause = Clause::Expression,
            Clause::With { body } => self.with(token, keyword, body),
            // `x IS DISTINCT FROM y`
            Clause::Select if keyword == Keyword::From && !self.follows_distinct() => {
                self.clause = Clause::From(From::begin());
            }
            Clause::From(from) => self.from(token, keyword, from),
            Clause::Insert => self.insert(token, keyword),
            Clause::Delete { candidate } => self.delete(token, keyword, candidate),
            Clause::Definition { start, end } => self.definition(token, keyword, (start, end)),
            Clause::Target(target) => self.target(token, keyword, target),
            Clause::Call { .. } => self.call(token, keyword),
            Clause::Transaction if matches!(keyword, Keyword::Transaction | Keyword::Tran) => {
                self.output.object(token.start, token.end);
                self.clause = Clause::Skip;
            }
            _ => {}
        }
    }

    /// Whether nothing stands between, as a literal may: `SELECT DISTINCT 'a' FROM t`.
    fn follows_distinct(&self) -> bool {
        let word = self.last.filter(|last| last.kind == Kind::Word);
        word.is_some_and(|word| keyword(self.str(&word)) == Keyword::Distinct)
    }

    pub(super) fn name(&mut self, token: Token) {
        match self.clause {
            Clause::From(from @ From { expects: true, .. }) => {
                if token.kind == Kind::Name || from.pure {
                    self.table(token, from);
                } else {
                    self.clause = Clause::From(From { expects: false, ..from });
                }
            }
            Clause::From(from) => self.clause = Clause::From(after_alias(from, Keyword::Other)),
            Clause::With { body: false } => self.names(token),
            Clause::Insert if self.insert_without_into => self.first_table(token),
            Clause::Delete { candidate: None } => {
                self.clause = Clause::Delete { candidate: Some(self.qualified(token)) };
            }
            Clause::Target(target) => self.named_target(token, target),
            Clause::Call { .. } => self.procedure(token),
            _ => {}
        }
    }

    pub(super) fn comma(&mut self) {
        match &mut self.clause {
            Clause::From(from) => {
                from.expects = true;
                from.aliases = 0;
            }
            Clause::With { body } => *body = false,
            Clause::Opened => self.clause = Clause::Expression,
            _ => {}
        }
    }

    pub(super) fn other(&mut self, token: Token) {
        match &mut self.clause {
            // `FROM ?`, and `FROM a JOIN b ON a.x = …`
            Clause::From(from) => {
                from.expects = false;
                from.pure = false;
            }
            Clause::Opened => self.clause = Clause::Expression,
            // `{? = call f()}` begins a call, `//` begins nothing.
            Clause::Begin if matches!(token.kind, Kind::Symbol(byte) if !b"{}=[@".contains(&byte)) => {
                self.clause = Clause::Skip;
            }
            Clause::Target(_) if token.kind == Kind::Text => self.clause = Clause::Skip,
            _ => {}
        }
    }

    /// SELECT is an operation wherever it may be one. As the name of a column it stands among commas.
    fn begins_select(&self) -> bool {
        let among = self.last.is_some_and(|last| last.is(b','));
        !among && !matches!(self.clause, Clause::Skip | Clause::Stop | Clause::Definition { .. })
    }

    fn body(&mut self, token: Token, keyword: Keyword) {
        use Keyword::{Delete, Insert, Merge, Replace, Update, With};
        match keyword {
            Insert | Update | Delete | Merge | Replace | With => self.statement(token, keyword),
            _ => self.clause = Clause::Expression,
        }
    }

    fn with(&mut self, token: Token, keyword: Keyword, body: bool) {
        use Keyword::{Delete, Insert, Merge, Recursive, Replace, Update, Values};
        match keyword {
            Recursive if !body => {}
            _ if !body => self.names(token),
            Insert | Update | Delete | Merge | Replace | Values => self.statement(token, keyword),
            _ => {}
        }
    }

    fn names(&mut self, token: Token) {
        if self.named.len() < MOST_NAMES {
            self.named.push(self.str(&token));
        }
        self.clause = Clause::With { body: true };
    }

    fn from(&mut self, token: Token, keyword: Keyword, from: From) {
        use Keyword::{
            Apply, Array, Conflict, Connect, Cross, Duplicate, Except, Fetch, For, Format, Group, Having,
            Intersect, Into, Join, Lateral, Limit, Minus, Model, Offset, Only, Option, Order, Outer,
            Prewhere, Qualify, Returning, Set, Settings, Start, StraightJoin, Union, Update, Values, Where,
            Window,
        };
        match keyword {
            Where | Prewhere | Group | Having | Order | Limit | Offset | Fetch | For | Window | Qualify
            | Union | Except | Intersect | Minus | Returning | Settings | Option | Model
                if !from.expects || self.last_word != Keyword::From =>
            {
                self.clause = Clause::Done;
            }
            Set | Duplicate | Conflict | Update | Values | Start | Connect | Format | Into
                if !from.expects =>
            {
                self.clause = Clause::Done;
            }
            Values => self.clause = Clause::Expression,
            Only | Lateral if from.expects => {}
            _ if from.expects => self.table(token, from),
            Join | StraightJoin if self.last_word != Array => self.clause = Clause::From(From::begin()),
            Apply if matches!(self.last_word, Cross | Outer) => self.clause = Clause::From(From::begin()),
            other => self.clause = Clause::From(after_alias(from, other)),
        }
    }

    fn table(&mut self, token: Token, from: From) {
        let (start, end) = self.qualified(token);
        self.clause = Clause::From(From { expects: false, aliases: 0, ..from });
        self.collection(start, end);
    }

    /// A table, unless WITH gave it its name.
    pub(super) fn collection(&mut self, start: usize, end: usize) {
        let name = &self.text[start..end];
        if !self.named.iter().any(|one| one.eq_ignore_ascii_case(name)) {
            self.output.collection(start, end);
        }
    }
}

/// `AS` and one word are an alias; more is a clause that is not known, after which `"…"` may be a string.
fn after_alias(from: From, keyword: Keyword) -> From {
    let aliases = from.aliases + u8::from(keyword != Keyword::As);
    From { expects: false, pure: from.pure && aliases <= 1, aliases: aliases.min(2) }
}
