//! What is known of a call before it is made.

use std::borrow::Cow;
use std::fmt;

use opentelemetry::Context;

use super::{DbClient, DbOperation};
use crate::DbRequest;
use otel_core::{call_hook, current_context};

/// An operation that has not started, made by [`DbClient::query`], [`operation`](DbClient::operation) or
/// [`batch`](DbClient::batch). What is not set is read from the query, or is not recorded.
///
/// ```
/// # use otel_db::{DbClient, DbSystem};
/// # let db = DbClient::new(DbSystem::MONGODB);
/// let operation = db.operation("findAndModify").with_collection("songs").start();
/// operation.end();
/// ```
#[must_use = "nothing is recorded before start()"]
pub struct DbOperationBuilder<'a> {
    client: &'a DbClient,
    request: DbRequest<'a>,
}

impl<'a> DbOperationBuilder<'a> {
    fn new(client: &'a DbClient) -> Self {
        let convention = client.convention();
        Self { client, request: DbRequest::new(convention.system, convention.rules, convention.id) }
    }

    /// To say more of the call than its query.
    fn said(&mut self) -> &mut DbRequest<'a> {
        self.request.is_plain = false;
        &mut self.request
    }

    pub(super) fn of_query(client: &'a DbClient, text: &'a str) -> Self {
        let mut call = Self::new(client);
        call.request.query = Some(text);
        if client.system().has_commands() {
            let (name, text) = command(text).unzip();
            let request = call.said();
            request.operation = Some(name.unwrap_or("UNKNOWN").into());
            request.text = text.map(Cow::Owned);
        }
        call
    }

    pub(super) fn of_operation(client: &'a DbClient, name: Cow<'a, str>) -> Self {
        let mut call = Self::new(client);
        call.said().operation = Some(name);
        call
    }

    pub(super) fn of_batch(client: &'a DbClient, texts: &[&'a str]) -> Self {
        if let [single] = texts {
            return Self::of_query(client, single);
        }
        let mut call = Self::new(client);
        call.request.is_plain = false;
        call.request.batch_size = Some(texts.len());
        if client.system().has_commands() {
            return call.say_commands(texts);
        }
        let rules = client.convention().rules;
        let statements: Vec<_> = texts.iter().map(|text| rules.statement(text)).collect();
        let first = statements.first();
        let are_alike = texts.iter().all(|text| Some(text) == texts.first());
        let all: Option<Vec<&str>> = statements.iter().map(|one| Some(&**one.text()?)).collect();
        call.request.text = all.and_then(|texts| joined(&texts, are_alike));
        let summary = first.and_then(|one| one.summary());
        let share_summary = statements.iter().all(|one| one.summary() == summary);
        call.request.summary = Some(match summary.filter(|_| share_summary) {
            Some(summary) => format!("BATCH {summary}").into(),
            None => "BATCH".into(),
        });
        call
    }

    fn say_commands(mut self, texts: &[&'a str]) -> Self {
        let request = self.said();
        let commands: Option<Vec<_>> = texts.iter().map(|text| command(text)).collect();
        let (names, sanitized): (Vec<_>, Vec<_>) = commands.unwrap_or_default().into_iter().unzip();
        let shared = names.first().filter(|first| names.iter().all(|name| name == *first));
        request.operation = Some((*shared.unwrap_or(&request.batch_word)).into());
        let sanitized: Vec<_> = sanitized.iter().map(String::as_str).collect();
        request.text = joined(&sanitized, texts.iter().all(|text| Some(text) == texts.first()));
        self
    }

    /// The operation's name, where the client's interface names one: `db.operation.name`. It is not read from SQL.
    pub fn with_operation(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.said().operation = Some(name.into());
        self
    }

    /// The one table, container or index that the call is about, where the client's interface names one:
    /// `db.collection.name`. It is not read from SQL.
    pub fn with_collection(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.said().collection = Some(name.into());
        self
    }

    /// The stored procedure or script that is called: `db.stored_procedure.name`. Default: what the query calls.
    pub fn with_stored_procedure(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.said().stored_procedure = Some(name.into());
        self
    }

    /// The database that this call is for, when it is not the client's: `db.namespace`.
    pub fn with_namespace(mut self, namespace: impl Into<Cow<'a, str>>) -> Self {
        self.said().namespace = Some(namespace.into());
        self
    }

    /// A text for `db.query.text` that holds no values: it is recorded as it is.
    pub fn with_safe_query_text(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.said().text = Some(text.into());
        self
    }

    /// A summary for `db.query.summary` and the span's name, with few different values. Default: that of the query.
    pub fn with_summary(mut self, summary: impl Into<Cow<'a, str>>) -> Self {
        self.said().summary = Some(summary.into());
        self
    }

    /// How many operations the call submits, each for itself: `db.operation.batch.size`. 1 is no batch. The operation's
    /// name and the summary get the `BATCH` that the conventions ask for; for Redis it is `PIPELINE`, unless the name begins
    /// with `MULTI`.
    pub fn with_batch_size(mut self, operations: usize) -> Self {
        self.said().batch_size = (operations != 1).then_some(operations);
        self
    }

    /// A parameter, under its name or its index from 0. It is recorded with
    /// [`with_query_parameters`](crate::DbClientBuilder::with_query_parameters) only, and never for a batch.
    pub fn with_parameter(mut self, key: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        if self.client.shared.capture_parameters {
            let value = call_hook(|| value.to_string(), String::new());
            self.said().parameters.push((key.into(), value));
        }
        self
    }

    /// Starts the operation, as a child of the current span.
    pub fn start(mut self) -> DbOperation {
        self.start_in_place(&current_context())
    }

    /// Starts the operation, as a child of the span in `parent`.
    pub fn start_in(mut self, parent: &Context) -> DbOperation {
        self.start_in_place(parent)
    }

    /// A call is large: it is not moved once more.
    fn start_in_place(&mut self, parent: &Context) -> DbOperation {
        let shared = &self.client.shared;
        let wanted = shared.filter.as_ref().is_none_or(|wanted| call_hook(|| wanted(&self.request), true));
        let mut operation = match wanted {
            true => shared.instrumenter.start(parent, &self.request),
            false => shared.instrumenter.inert(parent.clone()),
        };
        let convention = self.client.convention();
        if !operation.is_inert() && convention.attributes.is_none() {
            operation.tally().source = self.request.take_source();
        }
        DbOperation::new(operation, convention)
    }
}

/// A batch has any number of statements, and each has a text of up to 32 KiB.
const LONGEST_BATCH: usize = 32 * 1024;

/// "It SHOULD be the concatenation of the individual query texts with a separator, unless they are identical". `?` stands for
/// what is left out, as it does in a statement that is too long.
fn joined<'t>(texts: &[&str], are_alike: bool) -> Option<Cow<'t, str>> {
    let (first, others) = texts.split_first()?;
    let mut joined = (*first).to_owned();
    for text in others.iter().filter(|_| !are_alike) {
        joined.push_str("; ");
        if joined.len() + text.len() > LONGEST_BATCH {
            joined.push('?');
            break;
        }
        joined.push_str(text);
    }
    Some(joined.into())
}

/// The name of a command of Redis or its like, and the command without its values; `None` for what is none.
fn command(text: &str) -> Option<(&str, String)> {
    let mut words = text.split_ascii_whitespace();
    let name = words.next()?;
    // Of the others none is kept, but for a word that belongs to the name: `CONFIG SET`.
    let values: Vec<_> = words.take(2).map(str::as_bytes).collect();
    let text = crate::query_text::redis::sanitize(name, &values);
    (text != "?").then_some((name, text))
}

impl fmt::Debug for DbOperationBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbOperationBuilder").field("request", &self.request).finish_non_exhaustive()
    }
}
