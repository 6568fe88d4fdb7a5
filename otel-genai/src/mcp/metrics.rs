//! The instruments of MCP.

use opentelemetry::metrics::{Histogram, Meter};

use super::facts::Side;
use crate::names::metric;

/// The buckets that the conventions give, in seconds.
/// <https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/>
const DURATIONS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

#[derive(Debug)]
pub(crate) struct McpMetrics {
    pub(crate) operation: Histogram<f64>,
    pub(crate) session: Histogram<f64>,
}

impl McpMetrics {
    pub(crate) fn new(meter: &Meter, side: Side) -> Self {
        let (operation, session) = match side {
            Side::Client => (metric::MCP_CLIENT_DURATION, metric::MCP_CLIENT_SESSION_DURATION),
            Side::Server => (metric::MCP_SERVER_DURATION, metric::MCP_SERVER_SESSION_DURATION),
        };
        let histogram = |name, description| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
            histogram.with_boundaries(DURATIONS.to_vec()).build()
        };
        Self {
            operation: histogram(operation, "How long a request or a notification of MCP took."),
            session: histogram(session, "How long a session of MCP lasted."),
        }
    }
}
