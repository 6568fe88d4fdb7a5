//! Everything that a test can look at, whatever it came from.

mod exponential;
mod from_memory;
mod merge;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::receiver::{Documents, group, trace_of};
use crate::tree::{self, Node};
use crate::{
    Metric, OtlpJsonError, OtlpReceiver, Point, ReceivedLog, ReceivedMetric, ReceivedSpan, ReceivedTrace,
    TestTelemetry,
};

/// What was captured at one moment: the common form of what a [`TestTelemetry`] holds, what an [`OtlpReceiver`] got and what
/// stands in a file, and what all assertions and snapshots look at.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Captured {
    /// Finished spans in the order of their start.
    pub spans: Vec<Arc<ReceivedSpan>>,
    /// Names of the spans that have not ended; known in memory only.
    pub open_spans: Vec<String>,
    /// Metrics, one entry per scope, name and unit. Of several exports the last one counts; deltas are added up.
    pub metrics: Vec<Metric>,
    /// Log records in the order of their arrival.
    pub logs: Vec<Arc<ReceivedLog>>,
    /// Every export of a metric by itself, with its sender: what stood in an earlier one was exported all the same.
    pub(crate) exports: Vec<Arc<ReceivedMetric>>,
    /// Trace and id of the spans that have not ended, with their names.
    pub(crate) open: HashMap<(String, String), String>,
}

impl Captured {
    /// What stands in a text of OTLP/JSON: one document or several, such as the lines of OpenTelemetry's file exporters and of
    /// [`OtlpReceiverBuilder::with_json_lines`](crate::OtlpReceiverBuilder::with_json_lines), or what
    /// [`OtlpReceiver::write_json`] writes.
    ///
    /// ```
    /// use otel_testing::{AssertTelemetry, Captured, span};
    ///
    /// let lines = r#"
    ///     {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "charge", "kind": 3}]}]}]}
    ///     {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
    ///         {"name": "temperature", "gauge": {"dataPoints": [{"asDouble": 21.5}]}}
    ///     ]}]}]}
    /// "#;
    /// let captured = Captured::from_otlp_json(lines)?;
    /// captured.assert_span(span("charge").client());
    /// captured.assert_metric("temperature").is_gauge().has_total(21.5);
    /// # Ok::<(), otel_testing::OtlpJsonError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a document is no JSON, or no OTLP; the error says which one.
    pub fn from_otlp_json(json: &str) -> Result<Self, OtlpJsonError> {
        let read = Documents::read(json)?;
        Ok(Self::received(read.spans, read.metrics, read.logs))
    }

    /// The spans of one test. None is said to be of a service, since all are of the same one.
    pub(crate) fn spans_of(telemetry: &TestTelemetry) -> Self {
        let spans = from_memory::spans(telemetry, &Arc::default());
        Self { spans, open_spans: telemetry.open_spans(), ..Self::default() }
    }

    fn received(
        mut spans: Vec<Arc<ReceivedSpan>>,
        exports: Vec<Arc<ReceivedMetric>>,
        logs: Vec<Arc<ReceivedLog>>,
    ) -> Self {
        spans.sort_by_key(|span| span.start_unix_nanos);
        Self { spans, metrics: merge::metrics(&exports), logs, exports, ..Self::default() }
    }

    /// What the service of this name (`service.name`) sent, to assert of it alone where several send to one receiver. Parents
    /// in other services are not there then.
    ///
    /// ```no_run
    /// use otel_testing::{AssertTelemetry, OtlpReceiver};
    ///
    /// let receiver = OtlpReceiver::start()?;
    /// receiver.captured().of_service("orders").assert_metric("http.server.request.duration").is_histogram();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn of_service(&self, name: &str) -> Self {
        let mut captured = self.clone();
        captured.spans.retain(|span| span.service() == name);
        captured.logs.retain(|log| log.service() == name);
        captured.exports.retain(|export| export.service() == name);
        captured.metrics = merge::metrics(&captured.exports);
        captured
    }

    /// Spans and logs by trace, in the order in which the traces began.
    #[must_use]
    pub fn traces(&self) -> Vec<ReceivedTrace> {
        group(&self.spans, &self.logs)
    }

    /// The trace of this id (lower-case hex), if any of its spans was captured.
    #[must_use]
    pub fn trace(&self, trace_id: &str) -> Option<ReceivedTrace> {
        trace_of(&self.spans, &self.logs, trace_id)
    }

    /// The points of all metrics of this name, whoever sent them; none if nothing was recorded.
    #[must_use]
    pub fn points(&self, name: &str) -> Vec<&Point> {
        self.metrics.iter().filter(|metric| metric.name == name).flat_map(|metric| &metric.points).collect()
    }

    /// The sum over all points of the metrics of this name, see [`Point::total`]; 0 if nothing was recorded.
    #[must_use]
    pub fn total(&self, name: &str) -> f64 {
        self.points(name).into_iter().map(Point::total).sum()
    }

    /// The metrics, and every export that they were merged from: of a gauge the last one hides those before.
    pub(crate) fn metrics_and_exports(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().chain(self.exports.iter().map(|export| &export.metric))
    }

    /// All spans as a tree of text, and the names of those that have not ended.
    #[must_use]
    pub fn tree(&self) -> String {
        let mut text = match self.spans.is_empty() {
            true => "no span has ended\n".to_owned(),
            false => tree::render(&self.nodes()),
        };
        for name in &self.open_spans {
            text.push_str(&format!("not ended: {name}\n"));
        }
        text
    }

    /// The span's parent, if it was captured.
    pub(crate) fn parent(&self, span: &ReceivedSpan) -> Option<&Arc<ReceivedSpan>> {
        let parent = span.parent_span_id.as_deref()?;
        self.spans.iter().find(|other| other.span_id == parent && other.trace_id == span.trace_id)
    }

    /// The name of the span's parent, which may not have ended.
    pub(crate) fn parent_name(&self, span: &ReceivedSpan) -> Option<&str> {
        match self.parent(span) {
            Some(parent) => Some(&parent.name),
            None => self.open_parent(span),
        }
    }

    /// The name of the span's parent, if that has not ended.
    pub(crate) fn open_parent(&self, span: &ReceivedSpan) -> Option<&str> {
        let parent = span.parent_span_id.clone()?;
        self.open.get(&(span.trace_id.clone(), parent)).map(String::as_str)
    }

    /// For those who ask it of every span.
    pub(crate) fn family(&self) -> Family<'_> {
        Family(self.spans.iter().map(|span| (span.trace_id.as_str(), span.span_id.as_str())).collect())
    }

    /// The span that the record was emitted in, if it was captured.
    pub(crate) fn span_of(&self, log: &ReceivedLog) -> Option<&Arc<ReceivedSpan>> {
        let (trace_id, span_id) = (log.trace_id.as_ref()?, log.span_id.as_ref()?);
        self.spans.iter().find(|span| span.span_id == *span_id && span.trace_id == *trace_id)
    }

    /// The children of each span, by its trace and id, in the order of their start.
    pub(crate) fn children(&self) -> HashMap<(&str, &str), Vec<&Arc<ReceivedSpan>>> {
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for span in &self.spans {
            if let Some(parent) = &span.parent_span_id {
                children.entry((span.trace_id.as_str(), parent.as_str())).or_default().push(span);
            }
        }
        children
    }

    fn nodes(&self) -> Vec<Node> {
        self.spans.iter().map(|span| tree::received_span_node(span, &[])).collect()
    }
}

/// Trace and id of all spans.
pub(crate) struct Family<'a>(HashSet<(&'a str, &'a str)>);

impl Family<'_> {
    /// Whether the span's parent was captured.
    pub(crate) fn has_parent(&self, span: &ReceivedSpan) -> bool {
        span.parent_span_id.as_deref().is_some_and(|parent| self.0.contains(&(&span.trace_id, parent)))
    }
}

impl From<&TestTelemetry> for Captured {
    fn from(telemetry: &TestTelemetry) -> Self {
        let metrics = telemetry.metrics();
        Self {
            spans: from_memory::spans(telemetry, &from_memory::resource(telemetry)),
            open_spans: telemetry.open_spans(),
            exports: from_memory::exports(telemetry, &metrics),
            metrics,
            logs: from_memory::logs(telemetry),
            open: from_memory::open(telemetry),
        }
    }
}

impl From<&OtlpReceiver> for Captured {
    fn from(receiver: &OtlpReceiver) -> Self {
        Self::received(receiver.spans(), receiver.metrics(), receiver.logs())
    }
}

/// A trace alone holds no metrics.
impl From<&ReceivedTrace> for Captured {
    fn from(trace: &ReceivedTrace) -> Self {
        Self { spans: trace.spans.clone(), logs: trace.logs.clone(), ..Self::default() }
    }
}

impl From<&Self> for Captured {
    fn from(captured: &Self) -> Self {
        captured.clone()
    }
}
