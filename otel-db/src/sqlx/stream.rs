//! Results that come one after the other.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use sqlx::{Either, Error};

use super::calls::Steps;
use super::driver::{Driver, Step};
use super::failure::failure_of;
use crate::DbOperation;

/// The results of a statement. Its operation ends with the last one or with an error; dropped before, it has ended early.
pub(super) struct ObservedSteps<'e, DB: Driver> {
    steps: Steps<'e, DB>,
    operation: Option<DbOperation>,
    rows: u64,
}

impl<'e, DB: Driver> ObservedSteps<'e, DB> {
    pub(super) fn new(steps: Steps<'e, DB>, operation: DbOperation) -> Self {
        Self { steps, operation: Some(operation), rows: 0 }
    }
}

impl<DB: Driver> Stream for ObservedSteps<'_, DB> {
    type Item = Result<Step<DB>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(operation) = &mut this.operation else {
            return this.steps.as_mut().poll_next(cx);
        };
        let polled = operation.run(|| this.steps.as_mut().poll_next(cx));
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(Either::Right(_)))) => this.rows += 1,
            Poll::Ready(Some(Ok(Either::Left(_)))) => {}
            Poll::Ready(Some(Err(error))) => {
                if let Some(operation) = this.operation.take() {
                    operation.fail(failure_of::<DB>(error));
                }
            }
            Poll::Ready(None) => {
                if let Some(mut operation) = this.operation.take() {
                    operation.set_returned_rows(this.rows);
                    operation.end();
                }
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}
