//! The SDK's ends of a [`TestTelemetry`](crate::TestTelemetry): they keep what they got over a shutdown, which upstream's
//! in-memory exporters do not (`InMemorySpanExporter::shutdown` resets its spans).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanContext};
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::clock::CountingClock;
use crate::lock::lock;
use crate::{Log, Metric, metric_from_sdk, span_fields};

/// Keeps finished spans in the order of their ends, and knows which ones have not ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpanRecorder {
    spans: Arc<Mutex<Spans>>,
    clock: Option<CountingClock>,
}

#[derive(Debug, Default)]
struct Spans {
    started: usize,
    open: HashMap<SpanContext, Open>,
    /// In the order of their ends, with their position in the order of starts.
    finished: Vec<(usize, SpanData)>,
}

#[derive(Debug)]
struct Open {
    /// Position in the order of starts.
    order: usize,
    name: String,
    /// By the counting clock, if there is one.
    started: Option<SystemTime>,
}

impl SpanRecorder {
    pub(crate) fn new(clock: Option<CountingClock>) -> Self {
        Self { spans: Arc::default(), clock }
    }

    pub(crate) fn finished(&self) -> Vec<SpanData> {
        lock(&self.spans).finished.iter().map(|(_, span)| span.clone()).collect()
    }

    /// By the count of starts and not by the clock: two spans may start in the same tick.
    pub(crate) fn finished_in_order_of_start(&self) -> Vec<SpanData> {
        let mut finished = lock(&self.spans).finished.clone();
        finished.sort_by_key(|(order, _)| *order);
        finished.into_iter().map(|(_, span)| span).collect()
    }

    pub(crate) fn started(&self) -> usize {
        lock(&self.spans).started
    }

    pub(crate) fn open(&self) -> Vec<String> {
        let spans = lock(&self.spans);
        let mut open: Vec<&Open> = spans.open.values().collect();
        open.sort_unstable_by_key(|open| open.order);
        open.into_iter().map(|open| open.name.clone()).collect()
    }

    /// Those that have not ended, with their names.
    pub(crate) fn open_contexts(&self) -> Vec<(SpanContext, String)> {
        let spans = lock(&self.spans);
        spans.open.iter().map(|(context, open)| (context.clone(), open.name.clone())).collect()
    }

    pub(crate) fn clear(&self) {
        lock(&self.spans).finished.clear();
    }
}

impl SpanProcessor for SpanRecorder {
    fn on_start(&self, span: &mut Span, _context: &Context) {
        let name = span.exported_data().map(|data| data.name.into_owned()).unwrap_or_default();
        let mut spans = lock(&self.spans);
        spans.started += 1;
        // Under the lock, so that the order of the times is that of the starts.
        let started = self.clock.as_ref().map(CountingClock::now);
        let open = Open { order: spans.started, name, started };
        spans.open.insert(span.span_context().clone(), open);
    }

    fn on_end(&self, mut span: SpanData) {
        let mut spans = lock(&self.spans);
        let open = spans.open.remove(&span.span_context);
        let order = open.as_ref().map_or(usize::MAX, |open| open.order);
        if let (Some(clock), Some(started)) = (&self.clock, open.and_then(|open| open.started)) {
            clock.end(&mut span, started);
        }
        // A span that is recorded but not sampled reaches processors, not exporters.
        if span.span_context.is_sampled() {
            spans.finished.push((order, span));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Keeps log records.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogRecorder {
    logs: Arc<Mutex<Vec<Log>>>,
    clock: Option<CountingClock>,
}

impl LogRecorder {
    pub(crate) fn new(clock: Option<CountingClock>) -> Self {
        Self { logs: Arc::default(), clock }
    }

    pub(crate) fn records(&self) -> Vec<Log> {
        lock(&self.logs).clone()
    }

    pub(crate) fn clear(&self) {
        lock(&self.logs).clear();
    }
}

impl LogProcessor for LogRecorder {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        span_fields::add_to(record);
        let log = Log {
            body: record.body().cloned().map(Into::into),
            severity: record.severity_number(),
            severity_text: record.severity_text(),
            attributes: record
                .attributes_iter()
                .map(|(key, value)| (key.as_str().to_owned(), value.clone()))
                .collect(),
            trace_id: record.trace_context().map(|context| context.trace_id),
            span_id: record.trace_context().map(|context| context.span_id),
            target: record.target().map(|target| target.to_string()).unwrap_or_default(),
            scope: scope.into(),
            event_name: record.event_name().filter(|name| !is_place(name)),
            timestamp: self.clock.as_ref().map(CountingClock::now).or_else(|| record.timestamp()),
        };
        lock(&self.logs).push(log);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Whether this is how `tracing` calls an event without a name, `event src/main.rs:12`. otel-init does not export it, and a
/// snapshot would change with each line that moves.
fn is_place(name: &str) -> bool {
    let place = name.strip_prefix("event ").and_then(|place| place.rsplit_once(':'));
    place.is_some_and(|(_, line)| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Collects on demand, and once more at shutdown, after which that last collection is what there is.
#[derive(Clone)]
pub(crate) struct MetricRecorder(Arc<Metrics>);

struct Metrics {
    reader: ManualReader,
    last: Mutex<Option<Vec<Metric>>>,
}

impl MetricRecorder {
    pub(crate) fn new() -> Self {
        let reader = ManualReader::builder().with_temporality(Temporality::Cumulative).build();
        Self(Arc::new(Metrics { reader, last: Mutex::new(None) }))
    }

    pub(crate) fn collect_now(&self) -> Vec<Metric> {
        if let Some(last) = lock(&self.0.last).as_ref() {
            return last.clone();
        }
        let mut collected = ResourceMetrics::default();
        match self.0.reader.collect(&mut collected) {
            Ok(()) => metric_from_sdk::metrics(&collected),
            Err(_) => Vec::new(),
        }
    }
}

impl fmt::Debug for MetricRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricRecorder")
    }
}

impl MetricReader for MetricRecorder {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.reader.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.reader.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let last = self.collect_now();
        lock(&self.0.last).get_or_insert(last);
        self.0.reader.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.reader.temporality(kind)
    }
}
