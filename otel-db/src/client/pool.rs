//! The instruments of a pool of connections, all of stability development:
//! <https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools>

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use opentelemetry::metrics::{
    AsyncInstrument, Counter, Histogram, Meter, MeterProvider, ObservableUpDownCounter,
};
use opentelemetry::{KeyValue, global};

const STATE: &str = "db.client.connection.state";

/// The conventions give no buckets for these; waiting and connecting take from microseconds to the usual timeouts.
const TIME_BUCKETS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// What a pool knows of itself.
pub(crate) trait PoolFigures: Send + Sync {
    fn idle(&self) -> i64;
    fn used(&self) -> i64;
    fn pending(&self) -> i64;
    fn limit(&self) -> i64;
    fn idle_min(&self) -> i64;
}

/// A pool that is measured.
pub(crate) struct MeasuredPool {
    attributes: [KeyValue; 1],
    /// Clients and meters do not keep the pool.
    figures: Weak<dyn PoolFigures>,
    /// With a provider of its own: whether the meter of that has the callbacks already.
    observed_by_own: Option<AtomicBool>,
}

/// The pools of a meter. A callback stays with its meter for ever, so all pools share a few, and those that are gone are
/// taken out.
type Pools = Mutex<Vec<Weak<MeasuredPool>>>;

/// Whose meter has the callbacks, and the pools that they report.
type Observed = (Weak<dyn MeterProvider + Send + Sync>, Arc<Pools>);

/// By the global provider that was there last.
static OBSERVED: Mutex<Option<Observed>> = Mutex::new(None);

/// What is recorded when it happens.
#[derive(Debug)]
pub(crate) struct PoolMetrics {
    timeouts: Counter<u64>,
    create_time: Histogram<f64>,
    wait_time: Histogram<f64>,
    use_time: Histogram<f64>,
    attributes: [KeyValue; 1],
}

impl MeasuredPool {
    pub(crate) fn new(name: String, figures: Weak<dyn PoolFigures>, has_own_provider: bool) -> Self {
        let attributes = [KeyValue::new("db.client.connection.pool.name", name)];
        Self { attributes, figures, observed_by_own: has_own_provider.then(AtomicBool::default) }
    }

    pub(crate) fn metrics(self: &Arc<Self>, meter: &Meter) -> PoolMetrics {
        match &self.observed_by_own {
            // Instruments are taken anew from time to time; callbacks must not pile up.
            Some(observed) if observed.swap(true, Ordering::Relaxed) => {}
            Some(_) => add(&observe(meter), self),
            None => add(&globally_observed(meter), self),
        }
        let time = |name: &'static str, description: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            histogram.with_boundaries(TIME_BUCKETS.to_vec()).build()
        };
        PoolMetrics {
            timeouts: meter
                .u64_counter("db.client.connection.timeouts")
                .with_unit("{timeout}")
                .with_description(
                    "The number of connection timeouts that have occurred trying to obtain a connection from the pool.",
                )
                .build(),
            create_time: time(
                "db.client.connection.create_time",
                "The time it took to create a new connection.",
            ),
            wait_time: time(
                "db.client.connection.wait_time",
                "The time it took to obtain an open connection from the pool.",
            ),
            use_time: time(
                "db.client.connection.use_time",
                "The time between borrowing a connection and returning it to the pool.",
            ),
            attributes: self.attributes.clone(),
        }
    }
}

fn add(pools: &Pools, pool: &Arc<MeasuredPool>) {
    let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|one| one.strong_count() > 0 && !std::ptr::eq(one.as_ptr(), Arc::as_ptr(pool)));
    pools.push(Arc::downgrade(pool));
}

fn globally_observed(meter: &Meter) -> Arc<Pools> {
    let provider = Arc::downgrade(&global::meter_provider());
    let mut observed = OBSERVED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*observed {
        Some((by, pools)) if by.ptr_eq(&provider) => Arc::clone(pools),
        _ => {
            let pools = observe(meter);
            *observed = Some((provider, Arc::clone(&pools)));
            pools
        }
    }
}

fn observe(meter: &Meter) -> Arc<Pools> {
    let pools = Arc::<Pools>::default();
    observe_each(
        meter,
        &pools,
        ("db.client.connection.count", "{connection}"),
        "The number of connections that are currently in state described by the `state` attribute.",
        |figures, [name], observe| {
            observe(figures.idle(), &[name.clone(), KeyValue::new(STATE, "idle")]);
            observe(figures.used(), &[name.clone(), KeyValue::new(STATE, "used")]);
        },
    );
    observe_each(
        meter,
        &pools,
        ("db.client.connection.idle.max", "{connection}"),
        "The maximum number of idle open connections allowed.",
        |figures, name, observe| observe(figures.limit(), name),
    );
    observe_each(
        meter,
        &pools,
        ("db.client.connection.idle.min", "{connection}"),
        "The minimum number of idle open connections allowed.",
        |figures, name, observe| observe(figures.idle_min(), name),
    );
    observe_each(
        meter,
        &pools,
        ("db.client.connection.limit", "{connection}"),
        "The maximum number of open connections allowed.",
        |figures, name, observe| observe(figures.limit(), name),
    );
    observe_each(
        meter,
        &pools,
        ("db.client.connection.pending_requests", "{request}"),
        "The number of current pending requests for an open connection.",
        |figures, name, observe| observe(figures.pending(), name),
    );
    pools
}

/// Reads a figure of a pool with these attributes.
type Read = fn(&dyn PoolFigures, &[KeyValue; 1], &dyn Fn(i64, &[KeyValue]));

fn observe_each(
    meter: &Meter,
    pools: &Arc<Pools>,
    (name, unit): (&'static str, &'static str),
    description: &'static str,
    read: Read,
) {
    let pools = Arc::clone(pools);
    let callback = move |observer: &dyn AsyncInstrument<i64>| {
        let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| {
            let Some(pool) = pool.upgrade() else { return false };
            let Some(figures) = pool.figures.upgrade() else { return false };
            read(&*figures, &pool.attributes, &|value, attributes| observer.observe(value, attributes));
            true
        });
    };
    let builder = meter.i64_observable_up_down_counter(name).with_unit(unit).with_description(description);
    let _: ObservableUpDownCounter<i64> = builder.with_callback(callback).build();
}

impl PoolMetrics {
    pub(crate) fn timed_out(&self) {
        self.timeouts.add(1, &self.attributes);
    }

    pub(crate) fn created(&self, time: Duration) {
        self.create_time.record(time.as_secs_f64(), &self.attributes);
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.wait_time.record(time.as_secs_f64(), &self.attributes);
    }

    pub(crate) fn used(&self, time: Duration) {
        self.use_time.record(time.as_secs_f64(), &self.attributes);
    }
}

impl fmt::Debug for MeasuredPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredPool").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Figures;

    impl PoolFigures for Figures {
        fn idle(&self) -> i64 {
            1
        }
        fn used(&self) -> i64 {
            2
        }
        fn pending(&self) -> i64 {
            3
        }
        fn limit(&self) -> i64 {
            4
        }
        fn idle_min(&self) -> i64 {
            5
        }
    }

    /// A service may have a pool for each of its customers, for a while.
    #[test]
    fn pools_that_are_gone_leave_nothing_behind() {
        let meter = global::meter("otel-db");
        let figures: Arc<dyn PoolFigures> = Arc::new(Figures);
        let one = |name: &str| {
            let pool = Arc::new(MeasuredPool::new(name.to_owned(), Arc::downgrade(&figures), false));
            pool.metrics(&meter);
            pool.metrics(&meter);
            pool
        };
        let kept = one("kept");
        let pools = globally_observed(&meter);
        for number in 0..100 {
            drop(one(&number.to_string()));
        }
        let known: Vec<_> = pools.lock().unwrap().iter().map(Weak::as_ptr).collect();
        assert!(known.contains(&Arc::as_ptr(&kept)));
        assert!(known.len() <= 2, "{}", known.len());
        assert!(Arc::ptr_eq(&pools, &globally_observed(&meter)), "the callbacks are there once");
    }
}
