//! A call that has been made.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

use opentelemetry::{Context, Key, Value};
use otel_core::Operation;

use super::DbClient;
use super::convention::{DbConvention, SLOW};
use crate::comment::with_comment;
use crate::{DbFailure, SqlComments};

/// A call that has started: a guard that ends its span and records its metrics once, on every way out.
///
/// | way out | span status, `error.type` |
/// |---|---|
/// | [`end`](Self::end) | unset |
/// | [`fail`](Self::fail) | `Error`, the failure's code or class |
/// | dropped | unset, with `otel_db.ended_early` |
/// | panic inside [`run`](Self::run) or [`observe`](Self::observe), or dropped while unwinding | `Error`, `panic` |
#[must_use = "dropping the operation ends it as cancelled"]
pub struct DbOperation {
    operation: Operation<DbConvention>,
    counts_rows: bool,
}

impl DbOperation {
    pub(super) fn new(operation: Operation<DbConvention>, convention: &DbConvention) -> Self {
        let mut new = Self { operation, counts_rows: convention.returned_rows };
        if let Some(threshold) = convention.slow_after {
            new.mark_if_slow(threshold);
        }
        new
    }

    #[cold]
    fn mark_if_slow(&mut self, threshold: Duration) {
        let started = Instant::now();
        self.operation.add_at_end(move |attributes| {
            if attributes.wants_span() && started.elapsed() >= threshold {
                attributes.span(SLOW, true);
            }
        });
    }

    /// The context with the operation's span: the parent of everything that happens inside.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.operation.context()
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.operation.is_inert()
    }

    /// Runs `f` with the operation's context attached.
    pub fn run<R>(&mut self, f: impl FnOnce() -> R) -> R {
        match self.is_inert() {
            true => f(),
            false => self.operation.run(f),
        }
    }

    /// Polls `future` with the operation's context attached.
    pub async fn observe<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| self.run(|| future.as_mut().poll(cx))).await
    }

    /// How many rows came back. Recorded with
    /// [`with_returned_rows`](crate::DbClientBuilder::with_returned_rows) only.
    pub fn set_returned_rows(&mut self, rows: u64) {
        if self.counts_rows && !self.is_inert() {
            let value = i64::try_from(rows).unwrap_or(i64::MAX);
            self.operation.attributes().span("db.response.returned_rows", value);
            self.operation.tally().returned_rows = Some(rows);
        }
    }

    /// A code that came with an answer that is no failure, such as the SQLSTATE of a warning.
    pub fn set_status_code(&mut self, code: impl Into<Cow<'static, str>>) {
        if !self.is_inert() {
            self.operation.attributes().both("db.response.status_code", code.into());
        }
    }

    /// Adds an attribute to the span.
    pub fn set_attribute(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        self.operation.attributes().span(key, value);
    }

    /// `statement` with the trace context of this call in a comment behind it; `None` when comments are not asked for, when
    /// there is nothing to say, or when the statement has a comment already.
    ///
    /// `is_prepared` says whether the connection keeps the statement by its text.
    #[must_use]
    pub fn with_comment(&self, client: &DbClient, statement: &str, is_prepared: bool) -> Option<String> {
        let wanted = match client.convention().sql_comments? {
            SqlComments::Unprepared => !is_prepared,
            SqlComments::All => true,
        };
        let wanted = wanted && !self.is_inert();
        wanted.then(|| with_comment(statement, client.providers(), self.context())).flatten()
    }

    /// The call has succeeded.
    pub fn end(self) {
        self.operation.end();
    }

    /// The call has failed.
    pub fn fail(mut self, failure: DbFailure) {
        let error_type = failure.error_type.clone();
        self.operation.on_response(&Err(failure));
        self.operation.fail(error_type);
    }
}

impl fmt::Debug for DbOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbOperation").field("operation", &self.operation).finish_non_exhaustive()
    }
}
