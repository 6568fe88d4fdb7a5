use std::borrow::Cow;
use std::sync::Arc;

use super::cache;
use super::dialect::Dialect;
use super::reading::{self, MOST_BYTES, is_parameterized, read};
use super::summary::{Summary, summary};
use super::tokens::Reading;
use crate::client::Known;

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

    /// The same, and what is known of its calls by the client with this number.
    pub(crate) fn known(self, text: &str, client: u64) -> Known {
        cache::known(self, text, Some(client))
    }

    pub(super) fn names_in_double_quotes(self) -> bool {
        self.names_in_double_quotes
    }

    pub(super) fn usual_reading(self) -> Reading {
        let grammar = self.dialect.grammar();
        Reading {
            escapes: grammar.escapes.usually(),
            nested: grammar.nested_comments.usually(),
            lenient: false,
        }
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

    fn kept<'a>(self, text: &'a str, known: reading::Known<'a>) -> Option<Cow<'a, str>> {
        let verbatim = self.parameterized_verbatim && known.complete && text.len() <= MOST_BYTES;
        if verbatim && is_parameterized(text, self, known.reading) {
            return Some(Cow::Borrowed(text));
        }
        known.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query_text::tokens::steps;

    /// Pieces whose repetition makes a careless tokenizer look again and again at what follows.
    const HOSTILE: &[&str] = &[
        "[",
        "[a",
        "]",
        "$",
        "$a",
        "$a$",
        "$a$ ",
        "$$",
        "'",
        "'a'",
        "'\\'",
        "\\",
        "'\\\\",
        "\"",
        "\"a\".",
        "`",
        "1",
        "1e-",
        "1e",
        "1-",
        "1-a",
        "1-face",
        "1-1",
        "abcdef01-",
        "/*",
        "/*/",
        "*/",
        "/*!",
        "/**/",
        "--",
        "-- \n",
        "-",
        "#",
        "# '\n",
        "//",
        "q'",
        "q'[",
        "N'",
        "E'",
        "(",
        "((",
        ")",
        "()",
        "a.",
        "a",
        "a ",
        "IN(",
        "IN(1,",
        "IN (1)",
        ",",
        ";",
        "WITH a AS (",
        ", a AS (SELECT 1)",
        "FROM a,",
        "JOIN a ",
        "SELECT ",
        "FROM (SELECT ",
        "PASSWORD ",
        "CREATE USER ",
        "CASE ",
        "@",
        ":",
        "::",
        "?",
        "?1",
        "é",
        "€1",
        "’",
        "x'",
        "U&'",
        "\n",
        " ",
        "\t\r",
        ".",
        "..",
        "0x",
        "true ",
        "{",
        "\0",
    ];

    #[test]
    fn the_work_is_linear_in_the_length_of_the_text() {
        let mut most = 0;
        for dialect in DIALECTS {
            for prefix in ["", "SELECT '\\' ", "SELECT * FROM t WHERE a IN (", "CREATE USER a "] {
                for piece in HOSTILE {
                    let text = format!("{prefix}{}", piece.repeat(10 * 1024 / piece.len()));
                    for length in [512, 8 * 1024] {
                        let text = &text[..text.floor_char_boundary(length)];
                        steps::take();
                        let _ = QueryRules::new(dialect).analyse(text);
                        let each = steps::take() / text.len().min(MOST_BYTES);
                        assert!(each <= BOUND, "{each} steps a byte: {dialect:?} {prefix}{piece}, {length}");
                        most = most.max(each);
                    }
                }
            }
        }
        println!("at most {most} steps a byte");
    }

    /// A constant: five passes at most, each looks at a byte a few times; `[` looks ahead by the longest name.
    const BOUND: usize = 600;

    const DIALECTS: [Dialect; 7] = [
        Dialect::Generic,
        Dialect::PostgreSql,
        Dialect::MySql,
        Dialect::Sqlite,
        Dialect::SqlServer,
        Dialect::Oracle,
        Dialect::ClickHouse,
    ];

    #[test]
    fn a_text_beyond_the_cap_is_kept_up_to_its_first_string() {
        let long = format!("SELECT * FROM t WHERE a = 1 AND b = 'x' OR {}", "c = 2 OR ".repeat(8000));
        let statement = QueryRules::new(Dialect::PostgreSql).analyse(&long);
        assert_eq!(statement.text().map(AsRef::as_ref), Some("SELECT * FROM t WHERE a = ? AND b = ?"));
        assert_eq!(statement.summary().map(AsRef::as_ref), Some("SELECT t"));
        let numbers = format!("SELECT * FROM t WHERE a IN (0{})", ", 12345".repeat(10_000));
        let text =
            QueryRules::new(Dialect::PostgreSql).sanitize(&numbers).map(Cow::into_owned).unwrap_or_default();
        assert!(text.starts_with("SELECT * FROM t WHERE a IN (?, ?, ?"), "{}", &text[..60]);
        assert!(text.len() <= MOST_BYTES + 1 && !text.contains(|digit: char| digit.is_ascii_digit()));
    }

    #[test]
    fn a_parameterized_text_is_kept_as_it_is_when_asked_for() {
        let verbatim = |dialect| QueryRules::new(dialect).with_parameterized_text_verbatim(true);
        let text = "SELECT 'a' /* b */ FROM t WHERE c = $1";
        assert_eq!(verbatim(Dialect::PostgreSql).sanitize(text).as_deref(), Some(text));
        assert_eq!(verbatim(Dialect::PostgreSql).sanitize("SELECT 'a'").as_deref(), Some("SELECT ?"));
        // In PostgreSQL ? is an operator, in MySQL @x a variable.
        assert_eq!(verbatim(Dialect::PostgreSql).sanitize("SELECT a ? 'b'").as_deref(), Some("SELECT a ? ?"));
        assert_eq!(verbatim(Dialect::MySql).sanitize("SELECT @x, 'b'").as_deref(), Some("SELECT @x, ?"));
        let mysql = "SELECT ?, 'b'";
        assert_eq!(verbatim(Dialect::MySql).sanitize(mysql).as_deref(), Some(mysql));
        assert_eq!(verbatim(Dialect::MySql).sanitize("SELECT ?, 'b").as_deref(), None);
    }

    #[test]
    fn double_quotes_are_names_when_the_user_says_so() {
        let rules = QueryRules::new(Dialect::Sqlite);
        let text = "UPDATE \"t\" SET \"a\" = 'b'";
        assert_eq!(rules.sanitize(text).as_deref(), Some("UPDATE ? SET ? = ?"));
        assert_eq!(
            rules.with_names_in_double_quotes(true).sanitize(text).as_deref(),
            Some("UPDATE \"t\" SET \"a\" = ?")
        );
        assert_eq!(rules.summarize(text).as_deref(), Some("UPDATE \"t\""));
    }
}
