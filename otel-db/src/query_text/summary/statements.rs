//! The operations, and which of the next words they work on.

use super::Reader;
use super::clause::{After, Clause, From, Target};
use super::keyword::Keyword;
use crate::query_text::token::Token;

impl Reader<'_> {
    /// The first word of a statement.
    pub(super) fn statement(&mut self, token: Token, keyword: Keyword) {
        use Keyword::{
            Abort, Alter, Analyze, Attach, Backup, Begin, Bulk, Call, Checkpoint, Close, Cluster, Comment,
            Commit, Copy, Create, Deallocate, Delete, Deny, Describe, Detach, Disable, Discard, Do, Drop,
            Enable, Exec, Execute, Explain, Fetch, Flush, Get, Grant, Handler, Insert, Kill, Listen, Load,
            Lock, Merge, Move, Notify, Optimize, Pragma, Prepare, Refresh, Reindex, Release, Rename, Repair,
            Replace, Reset, Resignal, Restore, Revoke, Rollback, Savepoint, Set, Show, Signal, Start, Table,
            Truncate, Unlisten, Update, Use, Vacuum, Values, With, Xa,
        };
        let next = match keyword {
            With => {
                self.clause = Clause::With { body: false };
                return;
            }
            Create | Alter | Drop | Refresh => {
                self.clause = Clause::Definition { start: token.start, end: token.end };
                return;
            }
            Keyword::From => return self.query_without_select(token),
            // `EXPLAIN ANALYZE`, `EXPLAIN (VERBOSE, ANALYZE)`, and no operation behind a word that is none.
            Analyze if self.last_word == Explain || !self.outer.is_empty() => return,
            Insert => Clause::Insert,
            Delete => Clause::Delete { candidate: None },
            Update => target(true, After::Tables),
            // `TABLE t` is short for `SELECT * FROM t`.
            Merge | Replace | Copy | Table => target(true, After::Done),
            Truncate | Lock | Optimize | Bulk => target(true, After::Skip),
            Use => target(false, After::Skip),
            Enable | Disable | Backup | Restore => Clause::Skip,
            Call | Exec => Clause::Call { prepared: false },
            Execute => Clause::Call { prepared: self.executes_prepared },
            Begin | Commit | Rollback | Start => Clause::Transaction,
            Explain => {
                self.explained = true;
                Clause::Begin
            }
            Values => Clause::Done,
            Show | Grant | Revoke | Deny | Set | Pragma | Vacuum | Analyze | Listen | Notify | Unlisten
            | Savepoint | Release | Deallocate | Prepare | Comment | Kill | Load | Checkpoint | Reindex
            | Describe | Do | Attach | Detach | Fetch | Move | Close | Handler | Reset | Discard | Abort
            | Cluster | Flush | Get | Signal | Resignal | Xa | Rename | Repair => Clause::Skip,
            _ => {
                self.unknown_statement();
                return;
            }
        };
        self.output.operation(token.start, token.end);
        self.clause = next;
        self.second_word(keyword);
    }

    /// Only a query is looked for behind a word that begins no known operation: `DECLARE c CURSOR FOR SELECT …`. Words
    /// between EXPLAIN and its statement are options.
    fn unknown_statement(&mut self) {
        if !self.explained {
            self.clause = Clause::Done;
        }
    }

    /// The operations of two words.
    fn second_word(&mut self, first: Keyword) {
        use Keyword::{
            Backup, Bulk, Database, Disable, Enable, Insert, Lock, Optimize, Rename, Repair, Restore,
            Statistics, Table, Tables, Trigger, Truncate, Update,
        };
        let second = self.peek_word();
        let belongs = match first {
            Truncate | Optimize | Rename | Repair => second == Table,
            Lock => matches!(second, Table | Tables),
            Backup | Restore => second == Database,
            Bulk => second == Insert,
            Enable | Disable => second == Trigger,
            Update => second == Statistics && self.update_statistics,
            _ => false,
        };
        if !belongs {
            return;
        }
        if let Some(token) = self.next() {
            self.output.object(token.start, token.end);
            self.last = Some(token);
            if first == Truncate {
                self.output.both_words();
            }
        }
        match first {
            Bulk => self.clause = Clause::Skip,
            Enable | Disable => self.clause = target(false, After::Skip),
            Update | Rename | Repair => self.clause = target(true, After::Skip),
            _ => {}
        }
    }

    /// `FROM t` without SELECT, as object mappers and some databases have it.
    fn query_without_select(&mut self, token: Token) {
        let is_lower = self.str(&token).starts_with('f');
        self.output.implied(if is_lower { "select" } else { "SELECT" });
        self.clause = Clause::From(From::begin());
    }

    pub(super) fn insert(&mut self, token: Token, keyword: Keyword) {
        use Keyword::{Delayed, High, Ignore, Insert, Into, Low, Or, Replace, Top};
        match keyword {
            Into => self.clause = target(true, After::Done),
            Low | High | Delayed | Ignore | Or | Replace | Insert | Top => {}
            _ if self.insert_without_into => self.first_table(token),
            _ => {}
        }
    }

    pub(super) fn first_table(&mut self, token: Token) {
        let (start, end) = self.qualified(token);
        self.clause = Clause::Done;
        self.collection(start, end);
    }

    pub(super) fn delete(&mut self, token: Token, keyword: Keyword, candidate: Option<(usize, usize)>) {
        use Keyword::{Ignore, Low, Quick, Top, Where};
        match (keyword, candidate) {
            (Keyword::From, _) => self.clause = target(true, After::Done),
            (Where, Some((start, end))) => {
                self.clause = Clause::Done;
                self.collection(start, end);
            }
            (Low | Quick | Ignore | Top, None) => {}
            (_, None) => self.clause = Clause::Delete { candidate: Some(self.qualified(token)) },
            _ => {}
        }
    }

    /// What is created, altered or dropped.
    pub(super) fn definition(&mut self, token: Token, keyword: Keyword, operation: (usize, usize)) {
        use Keyword::{
            Algorithm, Bitmap, Clustered, Columnstore, Database, Definer, Event, Extension, External, Force,
            Foreign, Fulltext, Function, Global, Index, Invoker, Local, Login, Materialized, Merge,
            Nonclustered, Or, Package, Proc, Procedure, Recursive, Replace, Role, Schema, Security, Sequence,
            Spatial, Sql, Table, Temp, Temporary, Temptable, Trigger, Type, Undefined, Unique, Unlogged,
            User, View, Virtual,
        };
        let creates =
            self.str(&Token { start: operation.0, end: operation.1, ..token }).starts_with(['C', 'c']);
        let drops =
            self.str(&Token { start: operation.0, end: operation.1, ..token }).starts_with(['D', 'd']);
        self.clause = match keyword {
            Or | Replace | Temp | Temporary | Unique | Clustered | Nonclustered | Global | Local
            | Unlogged | Materialized | Recursive | Virtual | External | Foreign | Fulltext | Spatial
            | Bitmap | Columnstore | Force | Definer | Algorithm | Undefined | Merge | Temptable | Sql
            | Security | Invoker => return,
            // Only `CREATE TABLE t AS SELECT` reads anything now.
            Table => target(true, if creates { After::Done } else { After::Skip }),
            View | Index | Database | Schema | Sequence | Role | Extension | Type => {
                target(false, After::Skip)
            }
            Procedure | Proc | Function | Trigger | Event | Package => {
                target(false, if drops { After::Skip } else { After::Stop })
            }
            // The name of a person.
            User | Login => Clause::Skip,
            _ => Clause::Skip,
        };
        self.output.definition(operation, (token.start, token.end), self.clause != Clause::Skip);
    }

    pub(super) fn target(&mut self, token: Token, keyword: Keyword, target: Target) {
        use Keyword::{
            Concurrently, Delayed, Exists, Function, If, Ignore, Into, Low, Not, On, Only, Or, Rollback, Set,
            Table, Top,
        };
        match keyword {
            Into if self.last_word != Into => {}
            // ClickHouse: `INSERT INTO TABLE t`, `INSERT INTO FUNCTION f()`
            Table if self.last_word == Into && (self.peek_word() == Function || self.peek_is_name()) => {}
            Function if matches!(self.last_word, Into | Table) && self.peek_is_name() => {}
            If | Not | Exists | Only | Concurrently | Low | Delayed | Ignore | Or | Top => {}
            Rollback if self.last_word == Or => {}
            // `UPDATE OR REPLACE t`
            Keyword::Replace if self.last_word == Or => {}
            // `CREATE INDEX ON t`
            On if !target.is_collection => self.clause = Clause::Skip,
            Set => self.clause = Clause::Done,
            _ => self.named_target(token, target),
        }
    }

    pub(super) fn named_target(&mut self, token: Token, target: Target) {
        let (start, end) = self.qualified(token);
        self.clause = match target.then {
            // `DROP TABLE t, u`
            After::Done | After::Skip if self.peek().is_some_and(|next| next.is(b',')) => {
                Clause::Target(target)
            }
            After::Done => Clause::Done,
            After::Tables => Clause::From(From { expects: false, ..From::begin() }),
            After::Skip => Clause::Skip,
            After::Stop => Clause::Stop,
        };
        if target.is_collection {
            self.collection(start, end);
        } else {
            self.output.object(start, end);
        }
    }

    pub(super) fn call(&mut self, token: Token, keyword: Keyword) {
        match keyword {
            // `CALL NEXT VALUE FOR s`
            Keyword::Next | Keyword::Procedure => {}
            Keyword::Value if self.last_word == Keyword::Next => {}
            Keyword::For if self.last_word == Keyword::Value => self.clause = target(false, After::Done),
            // `EXECUTE IMMEDIATE 'text'`, `EXECUTE AS USER = 'name'`
            Keyword::Immediate | Keyword::As => self.clause = Clause::Skip,
            _ => self.procedure(token),
        }
    }

    pub(super) fn procedure(&mut self, token: Token) {
        let (start, end) = self.qualified(token);
        match self.clause {
            Clause::Call { prepared: true } => self.output.object(start, end),
            _ => self.output.procedure(start, end),
        }
        self.clause = Clause::Done;
    }
}

fn target(is_collection: bool, then: After) -> Clause {
    Clause::Target(Target { is_collection, then })
}
