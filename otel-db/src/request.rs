//! What hooks and conventions see of a call.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use opentelemetry::{StringValue, Value};

use crate::DbSystem;
use crate::client::{Known, Series, Source};
use crate::query_text::{QueryRules, Statement};

/// A batch of Redis, and one that is a transaction:
/// <https://opentelemetry.io/docs/specs/semconv/db/redis/>
pub(crate) const PIPELINE: &str = "PIPELINE";
pub(crate) const TRANSACTION: &str = "MULTI";

/// A call as filters and other hooks see it, before it is made.
///
/// ```
/// use otel_db::{DbClient, DbSystem};
///
/// let db = DbClient::builder(DbSystem::POSTGRESQL)
///     .with_filter(|request| request.query() != Some("SELECT 1"))
///     .build();
/// ```
#[derive(Clone)]
pub struct DbRequest<'a> {
    pub(crate) query: Option<&'a str>,
    pub(crate) rules: QueryRules,
    /// The query is no statement of SQL.
    is_command: bool,
    /// The client's number, see [`Series`].
    client: u64,
    known: OnceCell<Option<Known>>,
    /// Nothing was said of the call but its query, so all that is recorded follows from that.
    pub(crate) is_plain: bool,
    pub(crate) text: Option<Cow<'a, str>>,
    pub(crate) summary: Option<Cow<'a, str>>,
    pub(crate) operation: Option<Cow<'a, str>>,
    pub(crate) collection: Option<Cow<'a, str>>,
    pub(crate) stored_procedure: Option<Cow<'a, str>>,
    pub(crate) namespace: Option<Cow<'a, str>>,
    pub(crate) batch_size: Option<usize>,
    /// What a batch is called.
    pub(crate) batch_word: &'static str,
    pub(crate) parameters: Vec<(Cow<'static, str>, String)>,
}

impl<'a> DbRequest<'a> {
    pub(crate) fn new(system: DbSystem, rules: QueryRules, client: u64) -> Self {
        Self {
            query: None,
            is_command: system.has_commands(),
            rules,
            client,
            known: OnceCell::new(),
            is_plain: true,
            text: None,
            summary: None,
            operation: None,
            collection: None,
            stored_procedure: None,
            namespace: None,
            batch_size: None,
            batch_word: if system == DbSystem::REDIS { PIPELINE } else { "BATCH" },
            parameters: Vec::new(),
        }
    }

    /// The query as it is sent, with whatever secrets it holds.
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The query's text without its literals; `None` when there is none or it cannot be made safe.
    #[must_use]
    pub fn query_text(&self) -> Option<&str> {
        self.text.as_deref().or_else(|| Some(&**self.statement()?.text()?))
    }

    /// The query's operations and what they work on, `SELECT songs artists`.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref().or_else(|| Some(&**self.statement()?.summary()?))
    }

    /// The operation of a call that says so: `GET`, `BEGIN`. SQL has its operations in the [`summary`](Self::summary).
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// The collection, if the call said so.
    #[must_use]
    pub fn collection(&self) -> Option<&str> {
        self.collection.as_deref()
    }

    /// How many operations a batch has; `None` for a single one.
    #[must_use]
    pub fn batch_size(&self) -> Option<usize> {
        self.batch_size
    }

    /// What is known of a plain call of a statement that comes again.
    pub(crate) fn series(&self) -> Option<&Series> {
        match self.known() {
            Some(Known::Series(series)) if self.is_plain => Some(series),
            _ => None,
        }
    }

    /// Of the metrics of a call that has started.
    pub(crate) fn take_source(&mut self) -> Source {
        if !self.is_plain {
            return Source::Request;
        }
        match self.known.take().flatten() {
            Some(Known::Series(series)) => Source::Series(series),
            Some(Known::Statement(statement)) => Source::Statement(self.client, statement),
            Some(Known::New(_)) | None => Source::Request,
        }
    }

    /// Read when somebody asks, and once: a call that nobody observes costs no look into the cache.
    fn known(&self) -> Option<&Known> {
        let statement = self.query.filter(|_| !self.is_command);
        let read = || statement.map(|query| self.rules.known(query, self.client));
        self.known.get_or_init(read).as_ref()
    }

    fn statement(&self) -> Option<&Arc<Statement>> {
        self.known().map(Known::statement)
    }

    pub(crate) fn text_value(&self) -> Option<Value> {
        value(self.text.as_ref(), || self.statement()?.text())
    }

    pub(crate) fn summary_value(&self) -> Option<Value> {
        match self.batch_size {
            Some(_) => self.summary().map(|summary| Value::from(self.batched(summary).into_owned())),
            None => value(self.summary.as_ref(), || self.statement()?.summary()),
        }
    }

    /// A name as it stands for a batch: "prefixed with `BATCH `", for Redis "prepended by `MULTI ` or `PIPELINE `". A name
    /// that says so itself stays.
    pub(crate) fn batched<'s>(&self, name: &'s str) -> Cow<'s, str> {
        let first = name.split(' ').next().unwrap_or_default();
        let says_so = first == self.batch_word || (first == TRANSACTION && self.batch_word == PIPELINE);
        match self.batch_size {
            Some(_) if !says_so => format!("{} {name}", self.batch_word).into(),
            _ => name.into(),
        }
    }

    pub(crate) fn stored_procedure_value(&self) -> Option<Value> {
        value(self.stored_procedure.as_ref(), || self.statement()?.stored_procedure())
    }
}

impl fmt::Debug for DbRequest<'_> {
    /// Without the query, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbRequest")
            .field("query_text", &self.query_text())
            .field("summary", &self.summary())
            .field("operation", &self.operation)
            .field("collection", &self.collection)
            .field("batch_size", &self.batch_size)
            .finish_non_exhaustive()
    }
}

fn value<'s>(given: Option<&Cow<'_, str>>, read: impl FnOnce() -> Option<&'s Arc<str>>) -> Option<Value> {
    match given {
        Some(given) => Some(Value::from(given.clone().into_owned())),
        None => read().map(|shared| Value::String(StringValue::from(Arc::clone(shared)))),
    }
}
