//! Reads what `--json` has written.

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) const SERVER: u64 = 2;
pub(crate) const CLIENT: u64 = 3;
pub(crate) const CONSUMER: u64 = 5;

pub(crate) type Attributes = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: u64,
    /// Nanoseconds since the Unix epoch.
    pub(crate) start: u64,
    pub(crate) is_error: bool,
    pub(crate) attributes: Attributes,
    /// Trace and span.
    pub(crate) links: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) service: String,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) message: String,
    pub(crate) attributes: Attributes,
}

/// One point of the last export of a metric.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) unit: String,
    /// `sum`, `gauge` or `histogram`.
    pub(crate) data: &'static str,
    pub(crate) is_monotonic: bool,
    pub(crate) attributes: Attributes,
    /// The number of a sum or gauge, the sum of a histogram.
    pub(crate) value: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<Log>,
    /// By service and name; of each set of attributes the last point.
    pub(crate) metrics: BTreeMap<(String, String), BTreeMap<String, Point>>,
}

impl Report {
    pub(crate) fn read(text: String) -> Self {
        let mut report = Self::default();
        for document in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let document = document.expect("the file is JSON");
            for (resource, scope) in scopes(&document, "resourceSpans", "scopeSpans") {
                report.spans.extend(list(scope, "spans").iter().map(|span| read_span(resource, span)));
            }
            for (resource, scope) in scopes(&document, "resourceLogs", "scopeLogs") {
                report.logs.extend(list(scope, "logRecords").iter().map(|log| read_log(resource, log)));
            }
            for (resource, scope) in scopes(&document, "resourceMetrics", "scopeMetrics") {
                for metric in list(scope, "metrics") {
                    let key = (service(resource), text_of(metric, "name"));
                    let points = report.metrics.entry(key).or_default();
                    points
                        .extend(read_points(metric).map(|point| (format!("{:?}", point.attributes), point)));
                }
            }
        }
        report.text = text;
        report
    }

    /// The spans of a trace.
    pub(crate) fn trace<'r>(&'r self, trace_id: &'r str) -> Vec<&'r Span> {
        self.spans.iter().filter(|span| span.trace_id == trace_id).collect()
    }

    /// The points of a metric, of whichever service.
    pub(crate) fn points(&self, name: &str) -> Vec<&Point> {
        let of_name = self.metrics.iter().filter(|((_, metric), _)| metric == name);
        of_name.flat_map(|(_, points)| points.values()).collect()
    }
}

fn scopes<'v>(document: &'v Value, resources: &str, scopes: &'static str) -> Vec<(&'v Value, &'v Value)> {
    let resources = list(document, resources).iter();
    resources
        .flat_map(|resource| list(resource, scopes).iter().map(move |scope| (&resource["resource"], scope)))
        .collect()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn service(resource: &Value) -> String {
    attributes(resource)["service.name"].clone()
}

fn attributes(value: &Value) -> Attributes {
    list(value, "attributes").iter().map(|pair| (text_of(pair, "key"), any_value(&pair["value"]))).collect()
}

fn any_value(value: &Value) -> String {
    let value = value.as_object().and_then(|value| value.values().next()).unwrap_or(&Value::Null);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn read_span(resource: &Value, span: &Value) -> Span {
    Span {
        service: service(resource),
        trace_id: text_of(span, "traceId"),
        span_id: text_of(span, "spanId"),
        parent: Some(text_of(span, "parentSpanId")).filter(|parent| !parent.is_empty()),
        name: text_of(span, "name"),
        kind: span["kind"].as_u64().expect("a span has a kind"),
        start: text_of(span, "startTimeUnixNano").parse().expect("a span has a start"),
        is_error: span["status"]["code"].as_u64() == Some(2),
        attributes: attributes(span),
        links: list(span, "links")
            .iter()
            .map(|link| (text_of(link, "traceId"), text_of(link, "spanId")))
            .collect(),
    }
}

fn read_log(resource: &Value, log: &Value) -> Log {
    Log {
        service: service(resource),
        trace_id: text_of(log, "traceId"),
        span_id: text_of(log, "spanId"),
        message: any_value(&log["body"]),
        attributes: attributes(log),
    }
}

fn read_points(metric: &Value) -> impl Iterator<Item = Point> {
    let kinds = ["sum", "gauge", "histogram"];
    let data = kinds.into_iter().find(|kind| metric[*kind].is_object()).unwrap_or("other");
    list(&metric[data], "dataPoints").iter().map(move |point| Point {
        unit: text_of(metric, "unit"),
        data,
        is_monotonic: metric[data]["isMonotonic"].as_bool().unwrap_or_default(),
        attributes: attributes(point),
        value: number(&point["asDouble"])
            .or_else(|| number(&point["asInt"]))
            .or_else(|| number(&point["sum"]))
            .unwrap_or(f64::NAN),
    })
}

/// A number, which OTLP/JSON writes as text if it has 64 bits.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
