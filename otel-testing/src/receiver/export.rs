//! What the export requests of the three signals have in common.

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::Kept;
use super::{Signal, ids, log, metric, span};

const FULL: &str = "the receiver is full: see OtlpReceiverBuilder::with_max_items";

/// A request of one signal.
pub(super) trait ExportRequest:
    prost::Message + Default + DeserializeOwned + Serialize + 'static
{
    type Response: prost::Message + Default;
    const SIGNAL: Signal;
    /// Where OTLP over HTTP takes it.
    const PATH: &'static str;

    /// Spans, log records or data points in it.
    fn len(&self) -> usize;

    /// Shortens it to `room` items.
    fn truncate(&mut self, room: usize);

    fn keep(self, kept: &mut Kept);

    /// What the JSON form calls the count of rejected items.
    const REJECTED: &'static str;

    /// Partial success in JSON. "64-bit integer numbers are encoded as decimal strings" (Protobuf's JSON mapping, which
    /// OTLP/JSON follows); the generated types would write a number.
    fn partial_success_json(rejected: usize) -> serde_json::Value {
        serde_json::json!({ "partialSuccess": { Self::REJECTED: rejected.to_string(), "errorMessage": FULL } })
    }

    /// Success, or partial success when items were rejected.
    fn response(rejected: usize) -> Self::Response;
}

impl ExportRequest for ExportTraceServiceRequest {
    type Response = ExportTraceServiceResponse;
    const SIGNAL: Signal = Signal::Traces;
    const PATH: &'static str = "/v1/traces";
    const REJECTED: &'static str = "rejectedSpans";

    fn len(&self) -> usize {
        self.resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans)
            .map(|scope| scope.spans.len())
            .sum()
    }

    fn truncate(&mut self, mut room: usize) {
        for scope in self.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans) {
            scope.spans.truncate(room);
            room -= scope.spans.len();
        }
    }

    fn keep(self, kept: &mut Kept) {
        for resource_spans in self.resource_spans {
            kept.note_all(ids::wrong_in_spans(&resource_spans));
            span::flatten(resource_spans.clone(), &mut kept.spans);
            kept.document.resource_spans.push(resource_spans);
        }
    }

    fn response(rejected: usize) -> Self::Response {
        let partial =
            |rejected_spans| ExportTracePartialSuccess { rejected_spans, error_message: FULL.to_owned() };
        ExportTraceServiceResponse { partial_success: partial_success(rejected).map(partial) }
    }
}

impl ExportRequest for ExportLogsServiceRequest {
    type Response = ExportLogsServiceResponse;
    const SIGNAL: Signal = Signal::Logs;
    const PATH: &'static str = "/v1/logs";
    const REJECTED: &'static str = "rejectedLogRecords";

    fn len(&self) -> usize {
        self.resource_logs
            .iter()
            .flat_map(|resource| &resource.scope_logs)
            .map(|scope| scope.log_records.len())
            .sum()
    }

    fn truncate(&mut self, mut room: usize) {
        for scope in self.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs) {
            scope.log_records.truncate(room);
            room -= scope.log_records.len();
        }
    }

    fn keep(self, kept: &mut Kept) {
        for resource_logs in self.resource_logs {
            kept.note_all(ids::wrong_in_logs(&resource_logs));
            log::flatten(resource_logs.clone(), &mut kept.logs);
            kept.document.resource_logs.push(resource_logs);
        }
    }

    fn response(rejected: usize) -> Self::Response {
        let partial = |rejected_log_records| ExportLogsPartialSuccess {
            rejected_log_records,
            error_message: FULL.to_owned(),
        };
        ExportLogsServiceResponse { partial_success: partial_success(rejected).map(partial) }
    }
}

impl ExportRequest for ExportMetricsServiceRequest {
    type Response = ExportMetricsServiceResponse;
    const SIGNAL: Signal = Signal::Metrics;
    const PATH: &'static str = "/v1/metrics";
    const REJECTED: &'static str = "rejectedDataPoints";

    fn len(&self) -> usize {
        let scopes = self.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        scopes.flat_map(|scope| &scope.metrics).map(metric::point_count).sum()
    }

    /// A metric is kept whole or not at all.
    fn truncate(&mut self, mut room: usize) {
        for scope in self.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics) {
            scope.metrics.retain(|metric| match room.checked_sub(metric::point_count(metric)) {
                Some(left) => {
                    room = left;
                    true
                }
                None => false,
            });
        }
    }

    fn keep(self, kept: &mut Kept) {
        for resource_metrics in metric::joined(self.resource_metrics) {
            metric::flatten(resource_metrics.clone(), &mut kept.metrics);
            kept.document.resource_metrics.push(resource_metrics);
        }
    }

    fn response(rejected: usize) -> Self::Response {
        let partial = |rejected_data_points| ExportMetricsPartialSuccess {
            rejected_data_points,
            error_message: FULL.to_owned(),
        };
        ExportMetricsServiceResponse { partial_success: partial_success(rejected).map(partial) }
    }
}

fn partial_success(rejected: usize) -> Option<i64> {
    (rejected > 0).then(|| i64::try_from(rejected).unwrap_or(i64::MAX))
}
