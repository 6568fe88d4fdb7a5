//! The text of queries without its literals, and its summary: what `db.query.text` and `db.query.summary` may hold.

mod dialect;
mod statement;

use std::borrow::Cow;

pub use dialect::Dialect;
pub use statement::{QueryRules, Statement};

/// `text` with its literals replaced by `?`; `None` when it cannot be made safe, and then it is to be left out.
#[must_use]
pub fn sanitize(text: &str, dialect: Dialect) -> Option<Cow<'_, str>> {
    // Nothing is safe before the tokenizer says so.
    let _ = (text, dialect);
    None
}

/// The `db.query.summary` of `text`: its operations and what they work on, at most 255 characters long.
#[must_use]
pub fn summarize(text: &str, dialect: Dialect) -> Option<String> {
    let _ = (text, dialect);
    None
}

/// Text and summary of a statement at once, from a bounded cache: the same as `QueryRules::new(dialect).statement(text)`.
#[must_use]
pub fn statement(text: &str, dialect: Dialect) -> std::sync::Arc<Statement> {
    QueryRules::new(dialect).statement(text)
}
