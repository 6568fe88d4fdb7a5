//! What the embedded receiver got, as the report needs it.

use std::collections::BTreeMap;

use opentelemetry::trace::{SpanKind, Status};
use otel_testing::{AttributeValue, Attributes, OtlpReceiver, PointValue, ReceivedLog, ReceivedSpan};

use super::figure::{Figure, Value};
use super::trace::{Kind, Log, Span, Trace};

/// All traces, the oldest first.
pub(crate) fn traces(receiver: &OtlpReceiver) -> Vec<Trace> {
    let spans = receiver.spans();
    let logs = receiver.logs();
    Trace::assemble(
        spans.iter().map(|span| received_span(span)),
        logs.iter().filter_map(|log| received_log(log)),
    )
}

/// The last values of the business metrics and of those of the connection pools, by name and attributes.
pub(crate) fn figures(receiver: &OtlpReceiver) -> Vec<Figure> {
    let mut latest = BTreeMap::new();
    // How many connections there are is 0 in the end, when the pools are closed.
    const OF_POOLS: [&str; 2] = ["db.client.connection.use_time", "db.client.connection.wait_time"];
    let is_shown = |name: &str| name.starts_with("shop.") || OF_POOLS.contains(&name);
    for metric in receiver.metrics().iter().filter(|metric| is_shown(metric.name())) {
        for point in metric.points() {
            let Some(value) = value(&point.value) else { continue };
            let (name, unit) = (metric.name().to_owned(), metric.metric.unit.clone());
            let attributes = texts(&point.attributes);
            latest.insert((name.clone(), attributes.clone()), Figure { name, unit, attributes, value });
        }
    }
    latest.into_values().collect()
}

fn value(point: &PointValue) -> Option<Value> {
    match point {
        PointValue::Sum(number) | PointValue::Gauge(number) => Some(Value::Number(number.as_f64())),
        PointValue::Histogram(histogram) => {
            Some(Value::Histogram { count: histogram.count, sum: histogram.sum.unwrap_or_default() })
        }
        _ => None,
    }
}

fn received_span(span: &ReceivedSpan) -> Span {
    Span {
        service: span.service().to_owned(),
        trace_id: span.trace_id.clone(),
        id: span.span_id.clone(),
        parent: span.parent_span_id.clone(),
        name: span.name.clone(),
        kind: match span.kind {
            SpanKind::Server => Kind::Server,
            SpanKind::Client => Kind::Client,
            SpanKind::Producer => Kind::Producer,
            SpanKind::Consumer => Kind::Consumer,
            SpanKind::Internal => Kind::Internal,
        },
        start: span.start_unix_nanos,
        end: span.end_unix_nanos,
        failed: matches!(span.status, Status::Error { .. }),
        attributes: texts(&span.attributes),
        links: span.links.iter().map(|link| (link.trace_id.clone(), link.span_id.clone())).collect(),
    }
}

/// A log record that belongs to a span.
fn received_log(log: &ReceivedLog) -> Option<Log> {
    Some(Log {
        service: log.service().to_owned(),
        trace_id: log.trace_id.clone()?,
        span_id: log.span_id.clone()?,
        // The time of the event, which `tracing` does not give, or else the time at which it was seen.
        time: if log.unix_nanos == 0 { log.observed_unix_nanos } else { log.unix_nanos },
        severity: log.severity_text.clone(),
        message: log.message(),
        attributes: texts(&log.attributes),
    })
}

fn texts(attributes: &Attributes) -> BTreeMap<String, String> {
    let text = |value: &AttributeValue| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    attributes.iter().map(|(key, value)| (key.to_owned(), text(value))).collect()
}
