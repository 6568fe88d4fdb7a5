//! The instruments of a pool of connections, all of stability development:
//! <https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools>

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider, ObservableUpDownCounter};
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
    /// The callbacks of a meter stay for ever, so they do not keep the pool.
    figures: Weak<dyn PoolFigures>,
    has_own_provider: bool,
    /// Whose meter has the callbacks already.
    observed_by: Mutex<Option<Observer>>,
}

#[derive(Clone)]
enum Observer {
    Own,
    Global(Arc<dyn MeterProvider + Send + Sync>),
}

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
        Self { attributes, figures, has_own_provider, observed_by: Mutex::default() }
    }

    pub(crate) fn metrics(&self, meter: &Meter) -> PoolMetrics {
        if self.is_new_observer() {
            self.observe(meter);
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

    /// Instruments are taken anew from time to time, from the same provider too; callbacks must not pile up there.
    fn is_new_observer(&self) -> bool {
        let mut observed_by = self.observed_by.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match self.has_own_provider {
            true => Observer::Own,
            false => Observer::Global(global::meter_provider()),
        };
        let is_new = !matches!((&*observed_by, &now), (Some(Observer::Own), Observer::Own))
            && !matches!((&*observed_by, &now),
            (Some(Observer::Global(old)), Observer::Global(new)) if Arc::ptr_eq(old, new));
        if is_new {
            *observed_by = Some(now);
        }
        is_new
    }

    fn observe(&self, meter: &Meter) {
        let [name] = &self.attributes;
        let in_state = |state: &'static str| vec![name.clone(), KeyValue::new(STATE, state)];
        let (idle, used) = (in_state("idle"), in_state("used"));
        let figures = Weak::clone(&self.figures);
        let _: ObservableUpDownCounter<i64> = meter
            .i64_observable_up_down_counter("db.client.connection.count")
            .with_unit("{connection}")
            .with_description(
                "The number of connections that are currently in state described by the `state` attribute.",
            )
            .with_callback(move |observer| {
                if let Some(figures) = figures.upgrade() {
                    observer.observe(figures.idle(), &idle);
                    observer.observe(figures.used(), &used);
                }
            })
            .build();
        let limit = |figures: &dyn PoolFigures| figures.limit();
        self.observe_one(
            meter,
            "db.client.connection.idle.max",
            "{connection}",
            "The maximum number of idle open connections allowed.",
            limit,
        );
        self.observe_one(
            meter,
            "db.client.connection.idle.min",
            "{connection}",
            "The minimum number of idle open connections allowed.",
            |figures| figures.idle_min(),
        );
        self.observe_one(
            meter,
            "db.client.connection.limit",
            "{connection}",
            "The maximum number of open connections allowed.",
            limit,
        );
        self.observe_one(
            meter,
            "db.client.connection.pending_requests",
            "{request}",
            "The number of current pending requests for an open connection.",
            |figures| figures.pending(),
        );
    }

    fn observe_one(
        &self,
        meter: &Meter,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        read: impl Fn(&dyn PoolFigures) -> i64 + Send + Sync + 'static,
    ) {
        let (figures, attributes) = (Weak::clone(&self.figures), self.attributes.clone());
        let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<i64>| {
            if let Some(figures) = figures.upgrade() {
                observer.observe(read(&*figures), &attributes);
            }
        };
        let builder = meter.i64_observable_up_down_counter(name).with_unit(unit);
        let _: ObservableUpDownCounter<i64> =
            builder.with_description(description).with_callback(callback).build();
    }
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
