//! The sizes of bodies, counted as they pass.

use std::fmt;
use std::sync::Arc;

use opentelemetry::{Context, KeyValue};
use otel_core::attach_for_exemplars;

use super::convention::ClientResponse;
use super::metrics::SizeMetrics;
use crate::protocol::{protocol_version, status_error};

/// Records the sizes of one request's bodies. A size that is not known is not recorded: a body that failed, was dropped
/// or never had a length has no size, which is something else than a size of 0.
pub(crate) struct BodySizes {
    metrics: Arc<SizeMetrics>,
    attributes: Vec<KeyValue>,
    /// That of the request's span.
    context: Context,
    response_bytes: u64,
}

impl BodySizes {
    pub(crate) fn new(metrics: Arc<SizeMetrics>, attributes: Vec<KeyValue>, context: Context) -> Self {
        Self { metrics, attributes, context, response_bytes: 0 }
    }

    /// The response's head is there, so the request has been sent.
    pub(crate) fn on_response(&mut self, response: &ClientResponse<'_>, request_bytes: Option<u64>) {
        let attributes = &mut self.attributes;
        let status = response.http.status;
        attributes.push(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        let version = protocol_version(response.version);
        attributes.extend(version.map(|version| KeyValue::new("network.protocol.version", version)));
        if status.as_u16() >= 400 {
            attributes.push(KeyValue::new("error.type", status_error(status)));
        }
        if let Some(bytes) = request_bytes {
            let _measured_in = attach_for_exemplars(&self.context);
            self.metrics.request.record(bytes, attributes);
        }
    }

    pub(crate) fn add_response_bytes(&mut self, bytes: usize) {
        self.response_bytes += bytes as u64;
    }

    /// The response's body has passed whole.
    pub(crate) fn end(self) {
        let _measured_in = attach_for_exemplars(&self.context);
        self.metrics.response.record(self.response_bytes, &self.attributes);
    }
}

impl fmt::Debug for BodySizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodySizes").field("response_bytes", &self.response_bytes).finish_non_exhaustive()
    }
}
