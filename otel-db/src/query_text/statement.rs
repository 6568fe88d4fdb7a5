use std::sync::Arc;

use super::{Dialect, sanitize, summarize};

/// What may be said of one statement.
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

    /// `db.query.summary`; `None` when the statement begins with no word.
    #[must_use]
    pub fn summary(&self) -> Option<&Arc<str>> {
        self.summary.as_ref()
    }

    /// The first operation, as written: `SELECT`. The conventions keep it out of `db.operation.name` for SQL.
    #[must_use]
    pub fn operation(&self) -> Option<&Arc<str>> {
        self.operation.as_ref()
    }

    /// The one collection of a statement that has no more than one.
    #[must_use]
    pub fn collection(&self) -> Option<&Arc<str>> {
        self.collection.as_ref()
    }

    /// The stored procedure of a statement that calls one.
    #[must_use]
    pub fn stored_procedure(&self) -> Option<&Arc<str>> {
        self.stored_procedure.as_ref()
    }
}

/// How statements are read: the dialect, and what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct QueryRules {
    dialect: Dialect,
    parameterized_verbatim: bool,
}

impl QueryRules {
    /// Literals are replaced in every text.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, parameterized_verbatim: false }
    }

    /// Whether a text with at least one placeholder is kept as it is, as the conventions allow. Default: `false`, its
    /// literals are replaced as in any other.
    #[must_use]
    pub fn with_parameterized_text_verbatim(mut self, verbatim: bool) -> Self {
        self.parameterized_verbatim = verbatim;
        self
    }

    /// Text and summary of a statement, from a bounded cache where it was seen before.
    #[must_use]
    pub fn statement(self, text: &str) -> Arc<Statement> {
        Arc::new(Statement {
            text: sanitize(text, self.dialect).map(|text| text.into()),
            summary: summarize(text, self.dialect).map(Arc::from),
            ..Statement::default()
        })
    }
}
