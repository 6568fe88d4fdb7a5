use std::borrow::Cow;
use std::sync::Arc;

use super::cache;
use super::dialect::Dialect;
use super::reading::{Known, MOST_BYTES, is_parameterized, read};
use super::summary::{Summary, summary};
use super::tokens::Reading;

/// What telemetry may say of a statement.
#[derive(Debug, Default)]
pub struct Statement {
    text: Option<Arc<str>>,
    summary: Option<Arc<str>>,
    operation: Option<Arc<str>>,
    collection: Option<Arc<str>>,
    stored_procedure: Option<Arc<str>>,
}

impl Statement {
    /// `db.query.text`; `None` when it cannot be made safe.
    #[must_use]
    pub fn text(&self) -> Option<&Arc<str>> {
        self.text.as_ref()
    }

    /// `db.query.summary`; `None` when the statement begins with no known operation.
    #[must_use]
    pub fn summary(&self) -> Option<&Arc<str>> {
        self.summary.as_ref()
    }

    /// The first operation, as written: `SELECT`, `CREATE TABLE`. For SQL the conventions want no `db.operation.name` that
    /// was read from the text; it is for names and filters of one's own.
    #[must_use]
    pub fn operation(&self) -> Option<&Arc<str>> {
        self.operation.as_ref()
    }

    /// The collection, of a statement that works on one only.
    #[must_use]
    pub fn collection(&self) -> Option<&Arc<str>> {
        self.collection.as_ref()
    }

    /// The stored procedure, of a statement that calls one.
    #[must_use]
    pub fn stored_procedure(&self) -> Option<&Arc<str>> {
        self.stored_procedure.as_ref()
    }

    /// The bytes that it holds on the heap, about.
    pub(super) fn size(&self) -> usize {
        let parts = [&self.text, &self.summary, &self.operation, &self.collection, &self.stored_procedure];
        size_of::<Self>() + parts.into_iter().flatten().map(|part| part.len() + 16).sum::<usize>()
    }
}

/// How statements are read: the dialect, and what may be kept.
///
/// ```
/// use otel_db::query_text::{Dialect, QueryRules};
///
/// let statement = QueryRules::new(Dialect::PostgreSql).statement("SELECT id FROM users WHERE name = 'Ada'");
/// assert_eq!(statement.text().unwrap().as_ref(), "SELECT id FROM users WHERE name = ?");
/// assert_eq!(statement.summary().unwrap().as_ref(), "SELECT users");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct QueryRules {
    dialect: Dialect,
    parameterized_verbatim: bool,
    names_in_double_quotes: bool,
}

impl QueryRules {
    /// Literals are replaced in every text.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, parameterized_verbatim: false, names_in_double_quotes: false }
    }

    /// Whether a text with at least one placeholder is kept as it is, with its literals and comments. The conventions
    /// would have it so: "Parameterized query text SHOULD NOT be sanitized", on the assumption that what is secret is
    /// passed as a parameter. Default: `false`, its literals are replaced as in any other text.
    ///
    /// A text that is broken, in doubt or longer than 32 KiB is never kept as it is.
    #[must_use]
    pub fn with_parameterized_text_verbatim(mut self, verbatim: bool) -> Self {
        self.parameterized_verbatim = verbatim;
        self
    }

    /// Whether `"…"` is a quoted name for sure, and kept. It is one in PostgreSQL, Oracle and ClickHouse in any case; in
    /// MySQL when the mode is `ANSI_QUOTES`, in SQL Server while `QUOTED_IDENTIFIER` is on, and in SQLite when it is built
    /// or configured without double-quoted strings (`SQLITE_DBCONFIG_DQS_DML`). Default: `false`, where it may be a string
    /// it is replaced, unless it is a part of a qualified name: `"users"."id"`.
    #[must_use]
    pub fn with_names_in_double_quotes(mut self, names: bool) -> Self {
        self.names_in_double_quotes = names;
        self
    }

    /// The dialect.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        self.dialect
    }

    /// Text and summary of a statement. Those that this thread has seen lately come from a cache.
    #[must_use]
    pub fn statement(self, text: &str) -> Arc<Statement> {
        cache::statement(self, text)
    }

    pub(super) fn names_in_double_quotes(self) -> bool {
        self.names_in_double_quotes
    }

    pub(super) fn usual_reading(self) -> Reading {
        let grammar = self.dialect.grammar();
        Reading { escapes: grammar.escapes.usually(), nested: grammar.nested_comments.usually() }
    }

    /// The text of a statement, without the cache.
    pub(super) fn sanitize(self, text: &str) -> Option<Cow<'_, str>> {
        self.kept(text, read(text, self))
    }

    /// The summary of a statement, without the cache.
    pub(super) fn summarize(self, text: &str) -> Option<String> {
        let known = read(text, self);
        summary(known.certain, self, known.reading).text
    }

    /// Both, without the cache.
    pub(super) fn analyse(self, text: &str) -> Statement {
        let known = read(text, self);
        let Summary { text: summary, operation, collection, stored_procedure } =
            summary(known.certain, self, known.reading);
        Statement {
            text: self.kept(text, known).map(Arc::from),
            summary: summary.map(Arc::from),
            operation: operation.map(Arc::from),
            collection: collection.map(Arc::from),
            stored_procedure: stored_procedure.map(Arc::from),
        }
    }

    fn kept<'a>(self, text: &'a str, known: Known<'a>) -> Option<Cow<'a, str>> {
        let verbatim = self.parameterized_verbatim && known.complete && text.len() <= MOST_BYTES;
        if verbatim && is_parameterized(text, self, known.reading) {
            return Some(Cow::Borrowed(text));
        }
        known.text
    }
}
