//! The instruments of a server.
//!
//! The series of a server are few and come again, so each thread keeps them: as lists that need not be made again, and, where
//! the SDK is known to be able to, as instruments that are bound to them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, Counter, Histogram, Meter, UpDownCounter};
use otel_core::{SeriesCache, extend_series};

use super::series::{Series, SeriesKey};
use super::tally::RequestTally;
use crate::{DURATION_BUCKETS, size_histogram};

#[derive(Debug)]
pub(crate) struct ServerMetrics {
    /// Tells these instruments from others in what a thread keeps.
    id: u64,
    binds: bool,
    duration: Histogram<f64>,
    pub(super) active: Option<UpDownCounter<i64>>,
    request_size: Option<Histogram<u64>>,
    response_size: Option<Histogram<u64>>,
    pub(super) remote_contexts: Option<Counter<u64>>,
}

/// The development metrics, which are off unless asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(super) active_requests: bool,
    pub(super) body_sizes: bool,
    pub(super) remote_contexts: bool,
}

/// What a thread keeps of one series.
struct Known {
    attributes: Vec<KeyValue>,
    bound: Option<Bound>,
}

struct Bound {
    duration: BoundHistogram<f64>,
    request_size: Option<BoundHistogram<u64>>,
    response_size: Option<BoundHistogram<u64>>,
}

thread_local! {
    static KNOWN: SeriesCache<(u64, SeriesKey), Known> = SeriesCache::default();
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl ServerMetrics {
    /// `binds` says whether instruments may be bound to attributes.
    pub(crate) fn new(meter: &Meter, wanted: Wanted, binds: bool) -> Self {
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Duration of HTTP server requests.")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let active = wanted.active_requests.then(|| {
            meter
                .i64_up_down_counter("http.server.active_requests")
                .with_unit("{request}")
                .with_description("Number of active HTTP server requests.")
                .build()
        });
        let size = |name: &'static str, description: &'static str| {
            wanted.body_sizes.then(|| size_histogram(meter, name, description))
        };
        let request_size = size("http.server.request.body.size", "Size of HTTP server request bodies.");
        let response_size = size("http.server.response.body.size", "Size of HTTP server response bodies.");
        let remote_contexts = wanted.remote_contexts.then(|| {
            meter
                .u64_counter("otel_http.server.remote_contexts")
                .with_unit("{request}")
                .with_description("Requests that do not continue a trace of their caller.")
                .build()
        });
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { id, binds, duration, active, request_size, response_size, remote_contexts }
    }

    /// Records an ended request. `own` are attributes that only this request has.
    pub(super) fn record(&self, elapsed: Duration, tally: &RequestTally, own: &[KeyValue]) {
        let Some(series) = tally.series else { return };
        let record_known = |known: &SeriesCache<_, _>| {
            known.with(
                (self.id, series.key()),
                || Known::new(self, series),
                |known| self.record_as(known, elapsed, tally),
            );
        };
        if !own.is_empty() || KNOWN.try_with(record_known).is_err() {
            let mut attributes = Vec::with_capacity(6 + own.len());
            attributes.extend(series.attributes());
            extend_series(&mut attributes, own);
            self.record_with(&attributes, elapsed, tally);
        }
    }

    fn record_as(&self, known: &Known, elapsed: Duration, tally: &RequestTally) {
        let Some(bound) = &known.bound else { return self.record_with(&known.attributes, elapsed, tally) };
        bound.duration.record(elapsed.as_secs_f64());
        if let (Some(size), Some(histogram)) = (tally.request.bytes(), &bound.request_size) {
            histogram.record(size);
        }
        if let (Some(size), Some(histogram)) = (tally.response, &bound.response_size) {
            histogram.record(size);
        }
    }

    fn record_with(&self, attributes: &[KeyValue], elapsed: Duration, tally: &RequestTally) {
        self.duration.record(elapsed.as_secs_f64(), attributes);
        if let (Some(size), Some(histogram)) = (tally.request.bytes(), &self.request_size) {
            histogram.record(size, attributes);
        }
        if let (Some(size), Some(histogram)) = (tally.response, &self.response_size) {
            histogram.record(size, attributes);
        }
    }
}

impl Known {
    fn new(metrics: &ServerMetrics, series: Series) -> Self {
        let attributes: Vec<_> = series.attributes().collect();
        let size = |histogram: &Option<Histogram<u64>>| histogram.as_ref().map(|size| size.bind(&attributes));
        let bound = metrics.binds.then(|| Bound {
            duration: metrics.duration.bind(&attributes),
            request_size: size(&metrics.request_size),
            response_size: size(&metrics.response_size),
        });
        Self { attributes, bound }
    }
}
