//! Notifications.

use std::fmt;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::postgres::{PgListener as Inner, PgNotification, PgTypeInfo, Postgres};
use sqlx::{Describe, Error, Execute, Executor, SqlStr};

use super::super::calls::{command, observe};
use super::super::driver::Step;
use super::super::{Observe, Pool};
use crate::DbClient;

/// A [`sqlx::postgres::PgListener`] whose statements are observed. Waiting for a notification is no operation.
pub struct PgListener {
    inner: Inner,
    client: DbClient,
}

impl PgListener {
    /// A listener with a connection of the pool.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn connect_with(pool: &Pool<Postgres>) -> Result<Self, Error> {
        let inner = Inner::connect_with(pool.inner()).await?;
        Ok(Self { inner, client: pool.client().clone() })
    }

    /// Starts to listen to a channel: `LISTEN`.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn listen(&mut self, channel: &str) -> Result<(), Error> {
        let operation = command(&self.client, "LISTEN").start();
        observe::<Postgres, _>(operation, self.inner.listen(channel)).await
    }

    /// Starts to listen to several channels at once.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn listen_all(&mut self, channels: impl IntoIterator<Item = &str>) -> Result<(), Error> {
        let operation = command(&self.client, "LISTEN").start();
        observe::<Postgres, _>(operation, self.inner.listen_all(channels)).await
    }

    /// Stops to listen to a channel: `UNLISTEN`.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn unlisten(&mut self, channel: &str) -> Result<(), Error> {
        let operation = command(&self.client, "UNLISTEN").start();
        observe::<Postgres, _>(operation, self.inner.unlisten(channel)).await
    }

    /// Stops to listen at all.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn unlisten_all(&mut self) -> Result<(), Error> {
        let operation = command(&self.client, "UNLISTEN").start();
        observe::<Postgres, _>(operation, self.inner.unlisten_all()).await
    }

    /// The next notification.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn recv(&mut self) -> Result<PgNotification, Error> {
        self.inner.recv().await
    }

    /// The next notification, or `None` when the connection was lost.
    ///
    /// # Errors
    ///
    /// What sqlx returns.
    pub async fn try_recv(&mut self) -> Result<Option<PgNotification>, Error> {
        self.inner.try_recv().await
    }

    /// sqlx's own listener. What is done with it is not observed.
    pub fn inner(&mut self) -> &mut Inner {
        &mut self.inner
    }

    /// sqlx's own listener, for [`into_stream`](Inner::into_stream).
    #[must_use]
    pub fn into_inner(self) -> Inner {
        self.inner
    }
}

impl fmt::Debug for PgListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgListener").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<'c> Executor<'c> for &'c mut PgListener {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<Postgres>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        (&mut self.inner).observed(&self.client).fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<<Postgres as sqlx::Database>::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        (&mut self.inner).observed(&self.client).fetch_optional(query)
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<<Postgres as sqlx::Database>::Statement, Error>>
    where
        'c: 'e,
    {
        (&mut self.inner).observed(&self.client).prepare_with(sql, parameters)
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        (&mut self.inner).observed(&self.client).describe(sql)
    }
}
