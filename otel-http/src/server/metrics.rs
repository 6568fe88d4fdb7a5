//! The instruments of a server.

use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};

use crate::{DURATION_BUCKETS, size_histogram};

#[derive(Debug)]
pub(crate) struct ServerMetrics {
    pub(crate) duration: Histogram<f64>,
    pub(crate) active: Option<UpDownCounter<i64>>,
    pub(crate) request_size: Option<Histogram<u64>>,
    pub(crate) response_size: Option<Histogram<u64>>,
}

impl ServerMetrics {
    pub(crate) fn new(meter: &Meter, with_active_requests: bool, with_body_sizes: bool) -> Self {
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Duration of HTTP server requests.")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let active = with_active_requests.then(|| {
            meter
                .i64_up_down_counter("http.server.active_requests")
                .with_unit("{request}")
                .with_description("Number of active HTTP server requests.")
                .build()
        });
        let size = |name: &'static str, description: &'static str| {
            with_body_sizes.then(|| size_histogram(meter, name, description))
        };
        let request_size = size("http.server.request.body.size", "Size of HTTP server request bodies.");
        let response_size = size("http.server.response.body.size", "Size of HTTP server response bodies.");
        Self { duration, active, request_size, response_size }
    }
}
