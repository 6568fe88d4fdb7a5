//! Where telemetry goes: exporters, destinations, what the user adds by name.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry_sdk::logs::LogExporter;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::SpanExporter;

use super::TelemetryBuilder;
use crate::config::{Factory, HeaderProvider};
use crate::{DiskBuffer, OtlpDestination, Queue, Signal};

impl TelemetryBuilder {
    /// Adds a collector to those of the environment. Each destination has a queue, retries, a circuit breaker and an entry
    /// in [`Telemetry::health`](crate::Telemetry::health) of its own, so one that is down takes nothing from the others.
    pub fn with_destination(mut self, destination: OtlpDestination) -> Self {
        self.settings.destinations.push(destination);
        self
    }

    /// Sets the exporters of a signal by name, in place of `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` or
    /// `OTEL_LOGS_EXPORTER`: `otlp`, `console`, `none`, for metrics `prometheus`, and names of exporters added here. An
    /// unknown name makes [`install`](Self::install) fail.
    pub fn with_exporters<N: Into<String>>(
        mut self,
        signal: Signal,
        names: impl IntoIterator<Item = N>,
    ) -> Self {
        self.settings.exporters.insert(signal, names.into_iter().map(Into::into).collect());
        self
    }

    /// How ended spans and log records wait for their export over OTLP: encoded, unless this says otherwise.
    ///
    /// ```
    /// use otel_init::{Queue, Telemetry};
    /// let builder = Telemetry::builder().with_queue(Queue::Encoded { max_bytes: 8 * 1024 * 1024 });
    /// # drop(builder);
    /// ```
    pub fn with_queue(mut self, queue: Queue) -> Self {
        self.settings.queue = queue;
        self
    }

    /// Keeps what is to be sent on disk until the collector took it; see [`DiskBuffer`]. It wins over
    /// `OTEL_INIT_DISK_BUFFER_DIRECTORY`. Off by default. A folder that cannot be used is a warning.
    pub fn with_disk_buffer(mut self, buffer: DiskBuffer) -> Self {
        self.settings.disk = Some(buffer);
        self
    }

    /// Sets a function that gives headers for each attempt of each OTLP request, such as a token that expires. What it
    /// gives wins over `OTEL_EXPORTER_OTLP_HEADERS`. It runs on the export's own thread, so it should answer from memory or
    /// a file and not wait for a network. If it panics, or gives what HTTP does not allow, the request is not sent
    /// without it: the attempt counts as failed and is repeated.
    ///
    /// Destinations added by [`with_destination`](Self::with_destination) have their own.
    pub fn with_header_provider(
        mut self,
        provider: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.settings.header_provider = Some(HeaderProvider::new(provider));
        self
    }

    /// Gives an exporter of spans a name that `OTEL_TRACES_EXPORTER`, [`with_exporters`](Self::with_exporters) and the
    /// configuration file may choose, or another meaning to a name that they know. It gets what passed the redaction.
    pub fn with_span_exporter<E: SpanExporter + 'static>(
        mut self,
        name: &str,
        make: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        let factory = Factory::Span(Arc::new(move || Box::new(make())));
        self.settings.registry.add_exporter(Signal::Traces, name, factory);
        self
    }

    /// As [`with_span_exporter`](Self::with_span_exporter), for log records.
    pub fn with_log_exporter<E: LogExporter + 'static>(
        mut self,
        name: &str,
        make: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        let factory = Factory::Log(Arc::new(move || Box::new(make())));
        self.settings.registry.add_exporter(Signal::Logs, name, factory);
        self
    }

    /// As [`with_span_exporter`](Self::with_span_exporter), for metrics. Their attributes reach it as they were recorded:
    /// upstream gives no way to change them before an exporter of one's own.
    pub fn with_metric_exporter<E: PushMetricExporter>(
        mut self,
        name: &str,
        make: impl Fn() -> E + Send + Sync + 'static,
    ) -> Self {
        let factory = Factory::Metric(Arc::new(move || Box::new(make())));
        self.settings.registry.add_exporter(Signal::Metrics, name, factory);
        self
    }

    /// Adds a detector of resource attributes. It runs once, while telemetry is installed, and loses against
    /// `OTEL_RESOURCE_ATTRIBUTES` and code; it has as long as
    /// `with_detection_timeout` says. In a configuration file it runs if the file names it.
    pub fn with_resource_detector(
        mut self,
        name: &str,
        detect: impl Fn() -> Vec<KeyValue> + Send + Sync + 'static,
    ) -> Self {
        self.settings.registry.detectors.insert(name.to_ascii_lowercase(), Arc::new(detect));
        self
    }
}
