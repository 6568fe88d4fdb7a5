//! Telemetry as JSON, with numbers in place of ids.

use std::collections::HashMap;

use opentelemetry::trace::Status;
use opentelemetry_sdk::metrics::Temporality;
use serde_json::{Map, Value, json};

use crate::assert::kind_name as metric_kind;
use crate::captured::Captured;
use crate::tree::kind_name;
use crate::{
    AttributeValue, Attributes, Metric, Number, Point, PointValue, ReceivedLog, ReceivedSpan, Scope,
};

/// Keys are written in the order of the alphabet everywhere, so that the text is the same whether or not some crate in the
/// graph makes `serde_json` preserve the order of insertion.
pub(super) fn render(captured: &Captured) -> String {
    let ids = Ids::of(captured);
    let spans: Vec<Value> = captured.spans.iter().map(|span| ids.span(span)).collect();
    let logs: Vec<Value> = captured.logs.iter().map(|log| ids.log(log)).collect();
    let metrics: Vec<Value> = captured.metrics.iter().map(metric).collect();
    let document =
        json!({ "logs": logs, "metrics": metrics, "open_spans": captured.open_spans, "spans": spans });
    format!("{document:#}\n")
}

/// Numbers instead of ids.
struct Ids<'a> {
    traces: HashMap<&'a str, usize>,
    spans: HashMap<&'a str, usize>,
}

impl<'a> Ids<'a> {
    fn of(captured: &'a Captured) -> Self {
        let mut ids = Self { traces: HashMap::new(), spans: HashMap::new() };
        for span in &captured.spans {
            let (next_trace, next_span) = (ids.traces.len() + 1, ids.spans.len() + 1);
            ids.traces.entry(&span.trace_id).or_insert(next_trace);
            ids.spans.entry(&span.span_id).or_insert(next_span);
        }
        ids
    }

    /// The number of a span, or that it is not here.
    fn number(&self, span_id: &str) -> Value {
        self.spans.get(span_id).map_or_else(|| "not captured".into(), |number| (*number).into())
    }

    fn span(&self, span: &ReceivedSpan) -> Value {
        let event = |event: &crate::ReceivedEvent| json!({ "attributes": attributes(&event.attributes), "name": event.name });
        let link = |link: &crate::ReceivedLink| json!({ "attributes": attributes(&link.attributes), "span": self.number(&link.span_id) });
        json!({
            "attributes": attributes(&span.attributes),
            "dropped_attributes": span.dropped_attributes,
            "events": span.events.iter().map(event).collect::<Vec<_>>(),
            "id": self.number(&span.span_id),
            "kind": kind_name(&span.kind),
            "links": span.links.iter().map(link).collect::<Vec<_>>(),
            "name": span.name,
            "parent": match &span.parent_span_id {
                // A client and its server may both be here.
                Some(parent) if self.spans.contains_key(parent.as_str()) => self.number(parent),
                Some(_) if span.parent_is_remote() => "remote".into(),
                Some(parent) => self.number(parent),
                None => Value::Null,
            },
            "resource": attributes(&span.resource.attributes),
            "scope": scope(&span.scope),
            "status": match &span.status {
                Status::Unset => json!("unset"),
                Status::Ok => json!("ok"),
                Status::Error { description } => json!({ "error": description }),
            },
            "trace": self.traces.get(span.trace_id.as_str()),
        })
    }

    fn log(&self, log: &ReceivedLog) -> Value {
        json!({
            "attributes": attributes(&log.attributes),
            "body": value(&log.body),
            "event_name": log.event_name,
            "resource": attributes(&log.resource.attributes),
            "scope": scope(&log.scope),
            "severity": log.severity_number,
            "severity_text": log.severity_text,
            "span": log.span_id.as_ref().map(|span_id| self.number(span_id)),
        })
    }
}

fn metric(metric: &Metric) -> Value {
    json!({
        "description": metric.description,
        "kind": metric_kind(metric.kind),
        "name": metric.name,
        "points": metric.points.iter().map(point).collect::<Vec<_>>(),
        "scope": scope(&metric.scope),
        "temporality": match metric.temporality {
            Some(Temporality::Delta) => json!("delta"),
            Some(_) => json!("cumulative"),
            None => Value::Null,
        },
        "unit": metric.unit,
    })
}

fn point(point: &Point) -> Value {
    let value = match &point.value {
        PointValue::Sum(number) | PointValue::Gauge(number) => match number {
            Number::I64(number) => json!(number),
            Number::U64(number) => json!(number),
            Number::F64(number) => double(*number),
        },
        PointValue::Histogram(histogram) => json!({
            "bounds": histogram.bounds,
            "buckets": histogram.bucket_counts,
            "count": histogram.count,
            "max": histogram.max.map(double),
            "min": histogram.min.map(double),
            "sum": histogram.sum.map(double),
        }),
        PointValue::ExponentialHistogram(histogram) => json!({
            "count": histogram.count,
            "max": histogram.max.map(double),
            "min": histogram.min.map(double),
            "negative": histogram.negative,
            "positive": histogram.positive,
            "scale": histogram.scale,
            "sum": histogram.sum.map(double),
            "zero_count": histogram.zero_count,
        }),
        PointValue::Summary(summary) => {
            let quantiles = summary.quantiles.iter().map(|(at, value)| json!([double(*at), double(*value)]));
            json!({ "count": summary.count, "quantiles": quantiles.collect::<Vec<_>>(), "sum": double(summary.sum) })
        }
        PointValue::Empty => Value::Null,
    };
    json!({ "attributes": attributes(&point.attributes), "value": value })
}

fn scope(scope: &Scope) -> Value {
    json!({ "attributes": attributes(&scope.attributes), "name": scope.name, "schema_url": scope.schema_url })
}

fn attributes(attributes: &Attributes) -> Value {
    let sorted = attributes.sorted();
    Value::Object(sorted.iter().map(|(key, entry)| (key.to_owned(), value(entry))).collect::<Map<_, _>>())
}

fn value(any: &AttributeValue) -> Value {
    match any {
        AttributeValue::Empty => Value::Null,
        AttributeValue::Bool(value) => json!(value),
        AttributeValue::Int(number) => json!(number),
        AttributeValue::Double(number) => double(*number),
        AttributeValue::String(text) => json!(text),
        AttributeValue::Bytes(bytes) => json!({ "bytes": bytes }),
        AttributeValue::Array(values) => values.iter().map(value).collect(),
        // In the order of the alphabet, as a snapshot has all maps.
        AttributeValue::Map(entries) => {
            Value::Object(entries.iter().map(|(key, any)| (key.clone(), value(any))).collect())
        }
    }
}

/// JSON has no number for these.
fn double(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}
