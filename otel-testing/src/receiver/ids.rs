//! Ids that the specification calls invalid. What has one is kept as it came, and told.

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use super::convert::hex;

const TRACE_ID: usize = 16;
const SPAN_ID: usize = 8;

/// "An ID with all zeroes OR of length other than 16 bytes is considered invalid", and of spans 8
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>).
pub(super) fn wrong_in_spans(spans: &ResourceSpans) -> impl Iterator<Item = String> {
    spans.scope_spans.iter().flat_map(|scope| &scope.spans).flat_map(wrong_in_span)
}

/// Both may be absent: "the log record is not associated with a trace" then.
pub(super) fn wrong_in_logs(logs: &ResourceLogs) -> impl Iterator<Item = String> {
    let records = logs.scope_logs.iter().flat_map(|scope| scope.log_records.iter());
    records.flat_map(|record| {
        let ids = [
            wrong_length("trace id", &record.trace_id, TRACE_ID),
            wrong_length("span id", &record.span_id, SPAN_ID),
        ];
        ids.into_iter().flatten().map(|wrong| {
            let body = super::convert::value(record.body.clone());
            let body: String = body.to_string().chars().take(MOST_OF_BODY).collect();
            format!("log record {body}: {wrong}")
        })
    })
}

/// Enough to find it.
const MOST_OF_BODY: usize = 100;

fn wrong_in_span(span: &Span) -> Vec<String> {
    let mut wrong: Vec<String> = [
        wrong_id("trace id", &span.trace_id, TRACE_ID),
        wrong_id("span id", &span.span_id, SPAN_ID),
        // A root has none.
        wrong_length("parent span id", &span.parent_span_id, SPAN_ID),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (index, link) in span.links.iter().enumerate() {
        let ids =
            [wrong_id("trace id", &link.trace_id, TRACE_ID), wrong_id("span id", &link.span_id, SPAN_ID)];
        wrong.extend(ids.into_iter().flatten().map(|wrong| format!("link {}: {wrong}", index + 1)));
    }
    wrong.into_iter().map(|wrong| format!("span {:?}: {wrong}", span.name)).collect()
}

fn wrong_id(what: &str, id: &[u8], length: usize) -> Option<String> {
    if id.is_empty() {
        return Some(format!("the {what} is missing"));
    }
    wrong_length(what, id, length)
        .or_else(|| id.iter().all(|byte| *byte == 0).then(|| format!("the {what} is all zeros")))
}

fn wrong_length(what: &str, id: &[u8], length: usize) -> Option<String> {
    // What a stranger sent may be of any length.
    let shown = hex(&id[..id.len().min(2 * TRACE_ID)]);
    let is_wrong = !id.is_empty() && id.len() != length;
    is_wrong.then(|| format!("the {what} {shown} must have {length} bytes and has {}", id.len()))
}
