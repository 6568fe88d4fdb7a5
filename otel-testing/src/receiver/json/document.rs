//! A document of all three signals.

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use serde::{Deserialize, Serialize};

/// All three signals in one document of OTLP/JSON. Each of the three fields alone is what the export request of its signal
/// holds, so that every reader of OTLP/JSON takes the document.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::receiver) struct Document {
    pub(in crate::receiver) resource_spans: Vec<ResourceSpans>,
    pub(in crate::receiver) resource_metrics: Vec<ResourceMetrics>,
    pub(in crate::receiver) resource_logs: Vec<ResourceLogs>,
}
