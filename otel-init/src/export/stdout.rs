//! Exporters that write to standard output: `console`, a line for each span, log record and data point, and `otlp/stdout`, a
//! line of OTLP/JSON for each batch.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::json;

/// What can be shown in lines.
pub(super) trait Lines {
    fn lines(&self) -> String;

    /// Writes the lines. A standard output that is closed is nobody's loss.
    fn print(&self) {
        let _ = std::io::stdout().lock().write_all(self.lines().as_bytes());
    }
}

/// Writes a line as a collector's file exporter would,
/// <https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/#json-lines-file>. It is for a program to read, so what
/// cannot be written is lost.
pub(super) fn print_json(request: &impl serde::Serialize) -> Result<(), String> {
    write_json(request, &mut std::io::stdout().lock())
}

fn write_json(request: &impl serde::Serialize, to: &mut impl std::io::Write) -> Result<(), String> {
    let mut line =
        json::to_vec(request).map_err(|error| format!("cannot write the request as JSON: {error}"))?;
    line.push(b'\n');
    let written = to.write_all(&line).and_then(|()| to.flush());
    written.map_err(|error| format!("cannot write to standard output: {error}"))
}

impl Lines for ExportTraceServiceRequest {
    fn lines(&self) -> String {
        let scopes = self.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).map(span_line).collect()
    }
}

impl Lines for ExportLogsServiceRequest {
    fn lines(&self) -> String {
        let scopes = self.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        scopes
            .flat_map(|scope| {
                let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
                scope.log_records.iter().map(move |record| log_line(name, record))
            })
            .collect()
    }
}

impl Lines for ExportMetricsServiceRequest {
    /// What the telemetry counts of itself comes last, and only what it has counted: it would be most of the lines.
    fn lines(&self) -> String {
        let scopes = self.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        let metrics = scopes.flat_map(|scope| &scope.metrics);
        let (of_itself, others): (Vec<_>, Vec<_>) = metrics.partition(|metric| is_of_itself(metric));
        others.into_iter().chain(of_itself).map(metric_lines).collect()
    }
}

fn span_line(span: &Span) -> String {
    let nanoseconds = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    let kind = span.kind().as_str_name().trim_start_matches("SPAN_KIND_").to_ascii_lowercase();
    let mut line =
        format!("span {:?} {kind} {:.3?}", span.name, std::time::Duration::from_nanos(nanoseconds));
    if let Some(status) = span.status.as_ref().filter(|status| status.code != 0) {
        let name = status.code().as_str_name().trim_start_matches("STATUS_CODE_").to_ascii_lowercase();
        let _ = write!(line, " {name}");
        if !status.message.is_empty() {
            let _ = write!(line, "={:?}", status.message);
        }
    }
    line.push_str(&attributes(&span.attributes));
    for event in &span.events {
        let _ = write!(line, " event={:?}{}", event.name, attributes(&event.attributes));
    }
    identify(&mut line, &span.trace_id, &span.span_id);
    if !span.parent_span_id.is_empty() {
        let _ = write!(line, " parent_id={}", hex(&span.parent_span_id));
    }
    line + "\n"
}

fn log_line(scope: &str, record: &LogRecord) -> String {
    let severity = if record.severity_text.is_empty() { "-" } else { &*word(&record.severity_text) };
    // Records of the log crate may have any target.
    let scope = if scope.is_empty() { scope } else { &*word(scope) };
    let body = record.body.as_ref().map(shown).unwrap_or_default();
    let mut line = format!("log {severity} {scope} {body}{}", attributes(&record.attributes));
    identify(&mut line, &record.trace_id, &record.span_id);
    line + "\n"
}

fn is_of_itself(metric: &Metric) -> bool {
    metric.name.starts_with("otel.sdk.")
}

fn metric_lines(metric: &Metric) -> String {
    let head = format!("metric {} {:?}", word(&metric.name), metric.unit);
    let number = |point: &NumberDataPoint| {
        let value = match point.value {
            Some(number_data_point::Value::AsInt(0)) if is_of_itself(metric) => return String::new(),
            Some(number_data_point::Value::AsInt(value)) => value.to_string(),
            Some(number_data_point::Value::AsDouble(value)) => value.to_string(),
            None => "-".to_owned(),
        };
        format!("{head} {value}{}\n", attributes(&point.attributes))
    };
    let distribution = |count: u64, sum: Option<f64>, keys: &[KeyValue]| {
        format!("{head} count={count} sum={}{}\n", sum.unwrap_or_default(), attributes(keys))
    };
    match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.iter().map(number).collect(),
        Some(Data::Sum(data)) => data.data_points.iter().map(number).collect(),
        Some(Data::Histogram(data)) => data
            .data_points
            .iter()
            .map(|point| distribution(point.count, point.sum, &point.attributes))
            .collect(),
        Some(Data::ExponentialHistogram(data)) => data
            .data_points
            .iter()
            .map(|point| distribution(point.count, point.sum, &point.attributes))
            .collect(),
        Some(Data::Summary(data)) => data
            .data_points
            .iter()
            .map(|point| distribution(point.count, Some(point.sum), &point.attributes))
            .collect(),
        None => String::new(),
    }
}

fn attributes(attributes: &[KeyValue]) -> String {
    let value = |attribute: &KeyValue| attribute.value.as_ref().map(shown).unwrap_or_default();
    attributes.iter().map(|attribute| format!(" {}={}", word(&attribute.key), value(attribute))).collect()
}

/// A name, quoted where it could be taken for something else.
fn word(name: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || ['"', '='].contains(&c);
    if name.is_empty() || name.contains(is_odd) { format!("{name:?}").into() } else { name.into() }
}

/// Texts are quoted, so that no value begins a new line.
fn shown(value: &AnyValue) -> String {
    match &value.value {
        None => String::new(),
        Some(Value::StringValue(text)) => format!("{text:?}"),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BytesValue(bytes)) => hex(bytes),
        Some(Value::ArrayValue(list)) => {
            format!("[{}]", list.values.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Some(Value::KvlistValue(map)) => format!("{{{}}}", attributes(&map.values).trim_start()),
        Some(_) => "?".to_owned(),
    }
}

fn identify(line: &mut String, trace_id: &[u8], span_id: &[u8]) {
    if !trace_id.is_empty() {
        let _ = write!(line, " trace_id={} span_id={}", hex(trace_id), hex(span_id));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint};
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::{ExportTraceServiceRequest, log_line, metric_lines, span_line, write_json};
    use crate::export::advice::advice;

    #[test]
    fn a_line_that_cannot_be_written_is_a_failure_with_advice_of_its_own() {
        struct Closed;
        impl std::io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let error = write_json(&ExportTraceServiceRequest::default(), &mut Closed).unwrap_err();
        assert_eq!(error, "cannot write to standard output: broken pipe");
        assert_eq!(advice(&error), "look at what reads the standard output of this service");
    }

    /// Keys may come from whoever calls a service: names of headers, or of members of its JSON.
    #[test]
    fn nothing_begins_a_new_line_or_a_new_attribute() {
        let value = Some(AnyValue { value: Some(Value::IntValue(1)) });
        let attribute =
            |key: &str| KeyValue { key: key.to_owned(), value: value.clone(), ..Default::default() };
        let attributes =
            vec![attribute("plain.key"), attribute("a\nspan \"forged\""), attribute("b=2 c"), attribute("")];
        let shown = r#" plain.key=1 "a\nspan \"forged\""=1 "b=2 c"=1 ""=1"#;
        let span = Span { name: "x\ny".to_owned(), attributes: attributes.clone(), ..Default::default() };
        assert_eq!(span_line(&span), format!("span \"x\\ny\" unspecified 0.000ns{shown}\n"));
        let record = LogRecord {
            attributes: attributes.clone(),
            severity_text: "A\nB".to_owned(),
            ..Default::default()
        };
        assert_eq!(
            log_line("target\nof log", &record),
            format!("log \"A\\nB\" \"target\\nof log\" {shown}\n")
        );
        let point = NumberDataPoint { attributes, ..Default::default() };
        let data = Some(Data::Gauge(Gauge { data_points: vec![point] }));
        let metric = Metric { name: "m\n1".to_owned(), unit: "s".to_owned(), data, ..Default::default() };
        assert_eq!(metric_lines(&metric), format!("metric \"m\\n1\" \"s\" -{shown}\n"));
    }
}
