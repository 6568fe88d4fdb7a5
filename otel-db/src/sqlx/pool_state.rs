//! A pool with what is measured of it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use sqlx::Error;
use sqlx::pool::PoolConnection as SqlxPoolConnection;

use super::driver::Driver;
use super::pool_name::PoolName;
use crate::DbClient;
use crate::client::PoolFigures;

pub(super) struct PoolState<DB: Driver> {
    pub(super) raw: sqlx::Pool<DB>,
    pending: AtomicI64,
    /// Reserved for as long as the pool is measured.
    pub(super) name: Option<PoolName>,
}

impl<DB: Driver> PoolState<DB> {
    pub(super) fn new(raw: sqlx::Pool<DB>, name: Option<PoolName>) -> Arc<Self> {
        Arc::new(Self { raw, pending: AtomicI64::new(0), name })
    }

    /// A connection, and how long it takes to get it.
    pub(super) async fn acquire(&self, client: &DbClient) -> Result<Borrowed<DB>, Error> {
        if self.name.is_none() {
            let raw = self.raw.acquire().await?;
            return Ok(Borrowed { raw, _use_time: None });
        }
        let _pending = Pending::start(&self.pending);
        let started = Instant::now();
        let (acquired, connecting_since) = self.acquire_raw().await;
        let now = Instant::now();
        client.with_pool_metrics(|metrics| match &acquired {
            Ok(_) => {
                metrics.waited(now - started);
                if let Some(since) = connecting_since {
                    metrics.created(now - since);
                }
            }
            Err(Error::PoolTimedOut) => metrics.timed_out(),
            Err(_) => {}
        });
        Ok(Borrowed { raw: acquired?, _use_time: Some(UseTime { since: now, client: client.clone() }) })
    }

    /// sqlx does not tell when it makes a connection. But it counts one more before it does so, in the call that begins
    /// it; that is seen here, unless another thread gives one up in these microseconds.
    async fn acquire_raw(&self) -> (Result<SqlxPoolConnection<DB>, Error>, Option<Instant>) {
        let mut acquire = pin!(self.raw.acquire());
        let mut since = None;
        let acquired = poll_fn(|cx| {
            let (before, began) = (self.raw.size(), Instant::now());
            let polled = acquire.as_mut().poll(cx);
            // The connection may be there already: SQLite's thread can be as fast as this call.
            if self.raw.size() > before {
                since = Some(began);
            }
            polled
        });
        (acquired.await, since)
    }

    /// A connection that is idle now.
    pub(super) fn try_acquire(&self, client: &DbClient) -> Option<Borrowed<DB>> {
        let raw = self.raw.try_acquire()?;
        let use_time = || UseTime { since: Instant::now(), client: client.clone() };
        Some(Borrowed { raw, _use_time: self.name.is_some().then(use_time) })
    }
}

impl<DB: Driver> PoolFigures for PoolState<DB> {
    fn idle(&self) -> i64 {
        self.raw.num_idle().try_into().unwrap_or(i64::MAX)
    }

    /// Those that are being opened included. Size and idle ones are two readings, between which the pool may change.
    fn used(&self) -> i64 {
        (i64::from(self.raw.size()) - self.idle()).max(0)
    }

    fn pending(&self) -> i64 {
        self.pending.load(Ordering::Relaxed)
    }

    fn limit(&self) -> i64 {
        self.raw.options().get_max_connections().into()
    }

    fn idle_min(&self) -> i64 {
        self.raw.options().get_min_connections().into()
    }
}

/// A connection of the pool for as long as it is used.
pub(super) struct Borrowed<DB: Driver> {
    pub(super) raw: SqlxPoolConnection<DB>,
    /// Recorded when the connection is given back.
    pub(super) _use_time: Option<UseTime>,
}

pub(super) struct UseTime {
    since: Instant,
    client: DbClient,
}

impl Drop for UseTime {
    fn drop(&mut self) {
        self.client.with_pool_metrics(|metrics| metrics.used(self.since.elapsed()));
    }
}

/// Somebody waits for a connection, until this is dropped: a wait that is cancelled does not count for ever.
struct Pending<'p>(&'p AtomicI64);

impl<'p> Pending<'p> {
    fn start(pending: &'p AtomicI64) -> Self {
        pending.fetch_add(1, Ordering::Relaxed);
        Self(pending)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
