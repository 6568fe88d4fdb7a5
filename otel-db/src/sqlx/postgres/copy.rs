//! Bulk data.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use sqlx::Error;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgCopyIn as Inner, PgPoolCopyExt, Postgres};
use sqlx_core::io::AsyncRead;

use super::super::failure::failure_of;
use super::super::{Connection, Pool};
use crate::{DbFailure, DbOperation};

impl Connection<Postgres> {
    /// Begins a `COPY .. FROM STDIN`. Its operation lasts until [`PgCopyIn::finish`].
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn copy_in_raw(&mut self, statement: &str) -> Result<PgCopyIn<&mut PgConnection>, Error> {
        let operation = self.client().query(statement).start();
        PgCopyIn::begin(operation, self.inner().copy_in_raw(statement)).await
    }

    /// Begins a `COPY .. TO STDOUT`. Its operation lasts until the end of the data.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn copy_out_raw(&mut self, statement: &str) -> Result<PgCopyOut<'_>, Error> {
        let operation = self.client().query(statement).start();
        PgCopyOut::begin(operation, self.inner().copy_out_raw(statement)).await
    }
}

impl Pool<Postgres> {
    /// As [`Connection::copy_in_raw`], with a connection of the pool. `db.client.connection.wait_time` and `use_time` do not
    /// count it.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn copy_in_raw(&self, statement: &str) -> Result<PgCopyIn<PoolConnection<Postgres>>, Error> {
        let operation = self.client().query(statement).start();
        PgCopyIn::begin(operation, self.inner().copy_in_raw(statement)).await
    }

    /// As [`Connection::copy_out_raw`], with a connection of the pool. `db.client.connection.wait_time` and `use_time` do not
    /// count it.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn copy_out_raw(&self, statement: &str) -> Result<PgCopyOut<'static>, Error> {
        let operation = self.client().query(statement).start();
        PgCopyOut::begin(operation, self.inner().copy_out_raw(statement)).await
    }
}

async fn begin<T>(
    mut operation: DbOperation,
    copy: impl Future<Output = Result<T, Error>>,
) -> Result<(T, DbOperation), Error> {
    match operation.observe(copy).await {
        Ok(copy) => Ok((copy, operation)),
        Err(error) => {
            operation.fail(failure_of::<Postgres>(&error));
            Err(error)
        }
    }
}

fn end<T>(operation: DbOperation, result: &Result<T, Error>) {
    match result {
        Ok(_) => operation.end(),
        Err(error) => operation.fail(failure_of::<Postgres>(error)),
    }
}

/// sqlx does not say which end an error of input or output is from: what happens to connections alone is told by its kind.
fn failure_of_either(error: &Error) -> DbFailure {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
    };
    match error {
        Error::Io(io) => match io.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | TimedOut | UnexpectedEof => {
                failure_of::<Postgres>(error)
            }
            _ => DbFailure::new("source"),
        },
        _ => failure_of::<Postgres>(error),
    }
}

/// A [`sqlx::postgres::PgCopyIn`] that derefs to that, and whose end is observed.
#[must_use = "finish or abort it"]
pub struct PgCopyIn<C: DerefMut<Target = PgConnection>> {
    inner: Inner<C>,
    /// Until it has failed.
    operation: Option<DbOperation>,
}

impl<C: DerefMut<Target = PgConnection>> PgCopyIn<C> {
    async fn begin(
        operation: DbOperation,
        copy: impl Future<Output = Result<Inner<C>, Error>>,
    ) -> Result<Self, Error> {
        let (inner, operation) = begin(operation, copy).await?;
        Ok(Self { inner, operation: Some(operation) })
    }

    /// Sends some of the data, as [`Inner::send`] does.
    ///
    /// # Errors
    ///
    /// What sqlx returns: the connection broke, and the operation has failed with that.
    pub async fn send(&mut self, data: impl Deref<Target = [u8]>) -> Result<&mut Self, Error> {
        let Some(operation) = &mut self.operation else {
            self.inner.send(data).await?;
            return Ok(self);
        };
        let result = operation.observe(self.inner.send(data)).await.map(drop);
        self.note(result.as_ref().map_err(failure_of::<Postgres>).err());
        result.map(|()| self)
    }

    /// Sends all that `source` has, as [`Inner::read_from`] does.
    ///
    /// # Errors
    ///
    /// What sqlx returns: the connection broke, or the source could not be read, and the operation has failed with that.
    pub async fn read_from(&mut self, source: impl AsyncRead + Unpin) -> Result<&mut Self, Error> {
        let Some(operation) = &mut self.operation else {
            self.inner.read_from(source).await?;
            return Ok(self);
        };
        let result = operation.observe(self.inner.read_from(source)).await.map(drop);
        self.note(result.as_ref().map_err(failure_of_either).err());
        result.map(|()| self)
    }

    /// What failed has ended.
    fn note(&mut self, failure: Option<DbFailure>) {
        if let Some(failure) = failure
            && let Some(operation) = self.operation.take()
        {
            operation.fail(failure);
        }
    }

    /// All data was sent. Returns how many rows there were.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn finish(self) -> Result<u64, Error> {
        let Self { inner, operation } = self;
        let Some(mut operation) = operation else { return inner.finish().await };
        let result = operation.observe(inner.finish()).await;
        end(operation, &result);
        result
    }

    /// Takes back what was sent. The operation has then ended early.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn abort(self, message: impl Into<String>) -> Result<(), Error> {
        let Self { inner, operation } = self;
        let Some(mut operation) = operation else { return inner.abort(message).await };
        let result = operation.observe(inner.abort(message)).await;
        if result.is_err() {
            end(operation, &result);
        }
        result
    }
}

impl<C: DerefMut<Target = PgConnection>> Deref for PgCopyIn<C> {
    type Target = Inner<C>;

    fn deref(&self) -> &Inner<C> {
        &self.inner
    }
}

impl<C: DerefMut<Target = PgConnection>> DerefMut for PgCopyIn<C> {
    fn deref_mut(&mut self) -> &mut Inner<C> {
        &mut self.inner
    }
}

impl<C: DerefMut<Target = PgConnection>> fmt::Debug for PgCopyIn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgCopyIn").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// The data of a `COPY .. TO STDOUT`, in pieces: a stream of [`Bytes`](bytes::Bytes).
#[must_use = "nothing is read before it is polled"]
pub struct PgCopyOut<'c> {
    data: BoxStream<'c, Result<Bytes, Error>>,
    operation: Option<DbOperation>,
}

type Bytes = bytes::Bytes;

impl<'c> PgCopyOut<'c> {
    async fn begin(
        operation: DbOperation,
        copy: impl Future<Output = Result<BoxStream<'c, Result<Bytes, Error>>, Error>>,
    ) -> Result<Self, Error> {
        let (data, operation) = begin(operation, copy).await?;
        Ok(Self { data, operation: Some(operation) })
    }
}

impl Stream for PgCopyOut<'_> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(operation) = &mut this.operation else { return this.data.as_mut().poll_next(cx) };
        let polled = operation.run(|| this.data.as_mut().poll_next(cx));
        let result = match &polled {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => return polled,
            Poll::Ready(None) => Ok(()),
            Poll::Ready(Some(Err(error))) => Err(failure_of::<Postgres>(error)),
        };
        if let Some(operation) = this.operation.take() {
            match result {
                Ok(()) => operation.end(),
                Err(failure) => operation.fail(failure),
            }
        }
        polled
    }
}

impl fmt::Debug for PgCopyOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgCopyOut").field("operation", &self.operation).finish_non_exhaustive()
    }
}
