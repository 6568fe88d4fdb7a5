//! The text of queries without its literals, and its summary: what `db.query.text` and `db.query.summary` may hold.
//!
//! No driver is needed, and no parser of SQL is used: a tokenizer knows what is a literal in each [`Dialect`].
//!
//! ```
//! use otel_db::query_text::{Dialect, sanitize, summarize};
//!
//! let text = "SELECT * FROM orders WHERE card = '4111 1111' AND id IN (1, 2, 3) -- for Ada";
//! assert_eq!(sanitize(text, Dialect::MySql).unwrap(), "SELECT * FROM orders WHERE card = ? AND id IN (?) ");
//! assert_eq!(summarize(text, Dialect::MySql).unwrap(), "SELECT orders");
//! ```
//!
//! It is safe before it is complete. A text that is broken is left out. Where the server's settings decide what a quote
//! means, and the text does not tell them, the text ends before that quote. The book's page "Query text" says what is
//! kept, what is replaced, and where other instrumentations do something else.

mod cache;
mod dialect;
mod guard;
pub mod json;
pub mod mongodb;
mod reading;
pub mod redis;
mod sanitize;
mod statement;
mod summary;
mod token;
mod tokens;

use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use cache::keep_series;
pub use dialect::Dialect;
pub use statement::{QueryRules, Statement};

/// `text` with `?` for its literals and without its comments; `None` when it cannot be made safe, and is to be left out.
///
/// Strings, numbers, booleans and what is glued to them are literals. Placeholders and names are kept, lists of literals
/// after `IN` become `(?)`. Of a text longer than 32 KiB the begin is kept, up to its first string.
/// [`QueryRules`] has the options.
#[must_use]
pub fn sanitize(text: &str, dialect: Dialect) -> Option<Cow<'_, str>> {
    QueryRules::new(dialect).sanitize(text)
}

/// The `db.query.summary` of `text`: its operations and what they work on, in their order and as they are written. It has
/// at most 255 characters, and no literal. `None` when no operation is known.
///
/// <https://opentelemetry.io/docs/specs/semconv/db/database-spans/#generating-a-summary-of-the-query>
#[must_use]
pub fn summarize(text: &str, dialect: Dialect) -> Option<String> {
    QueryRules::new(dialect).summarize(text)
}

/// Text and summary of a statement at once, from a bounded cache: `QueryRules::new(dialect).statement(text)`.
#[must_use]
pub fn statement(text: &str, dialect: Dialect) -> Arc<Statement> {
    QueryRules::new(dialect).statement(text)
}
