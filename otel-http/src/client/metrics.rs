//! The instruments of a client.

use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};

use crate::{DURATION_BUCKETS, size_histogram};

#[derive(Debug)]
pub(crate) struct ClientMetrics {
    pub(crate) duration: Histogram<f64>,
    pub(crate) active: Option<UpDownCounter<i64>>,
}

impl ClientMetrics {
    pub(crate) fn new(meter: &Meter, with_active_requests: bool) -> Self {
        let duration = meter
            .f64_histogram("http.client.request.duration")
            .with_unit("s")
            .with_description("Duration of HTTP client requests.")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let active = with_active_requests.then(|| {
            meter
                .i64_up_down_counter("http.client.active_requests")
                .with_unit("{request}")
                .with_description("Number of active HTTP requests.")
                .build()
        });
        Self { duration, active }
    }
}

/// The instruments for the sizes of bodies, in bytes.
#[derive(Debug)]
pub(crate) struct SizeMetrics {
    pub(crate) request: Histogram<u64>,
    pub(crate) response: Histogram<u64>,
}

impl SizeMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            request: size_histogram(
                meter,
                "http.client.request.body.size",
                "Size of HTTP client request bodies.",
            ),
            response: size_histogram(
                meter,
                "http.client.response.body.size",
                "Size of HTTP client response bodies.",
            ),
        }
    }
}
