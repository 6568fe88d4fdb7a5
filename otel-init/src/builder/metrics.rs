//! How measurements become metrics.

use opentelemetry::Key;
use opentelemetry_sdk::metrics::Temporality;

use super::TelemetryBuilder;
use crate::{ExemplarFilter, View};

impl TelemetryBuilder {
    /// Changes what some instruments become; see [`View`]. Those of a configuration file come on top.
    pub fn with_view(mut self, view: View) -> Self {
        self.settings.metrics.views.push(view);
        self
    }

    /// Keeps these attributes, and no other, on all metrics of a meter: for a meter whose attributes somebody else chooses.
    pub fn with_metric_attributes<K: Into<Key>>(
        self,
        meter: impl Into<String>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.with_view(View::new("*").in_meter(meter).with_attributes(keys))
    }

    /// Sets how many sets of attributes an instrument may have, unless a view says otherwise. The default is 2000. What
    /// comes on top of it is counted in one set, with `otel.metric.overflow`, and named in
    /// [`Health::overflowing_metrics`](crate::Health::overflowing_metrics). Zero counts as not set, and more than a million as
    /// a million: the SDK makes room for all of them at once.
    pub fn with_cardinality_limit(mut self, limit: usize) -> Self {
        if limit > 0 {
            self.settings.metrics.cardinality.set_default(limit);
        }
        self
    }

    /// Sets whether exported sums and histograms start at the process's start or at the last export. It wins over
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`. The default is cumulative, as Prometheus needs it; some vendors
    /// want [`Temporality::Delta`].
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.settings.temporality = Some(temporality);
        self
    }

    /// Sets which measurements may become exemplars: the way from a slow bucket of a histogram to a trace. It wins over
    /// `OTEL_METRICS_EXEMPLAR_FILTER`. The default is [`ExemplarFilter::TraceBased`].
    ///
    /// Counters, gauges and histograms of the global meter provider have them, bound ones too, on their way to a collector;
    /// up-down counters, what is observed by callbacks, exporters of your own and the page for Prometheus have none.
    pub fn with_exemplar_filter(mut self, filter: ExemplarFilter) -> Self {
        self.settings.metrics.exemplar_filter = Some(filter);
        self
    }

    /// Measures what the process uses: `process.cpu.time`, `process.memory.usage` and others, by the semantic conventions.
    /// From `/proc`; other systems than Linux have `process.uptime` alone. Off by default.
    pub fn with_process_metrics(mut self) -> Self {
        self.settings.metrics.process_metrics = true;
        self
    }

    /// Measures this tokio runtime: workers, tasks, the shared queue, how busy each worker is. The names,
    /// `tokio.worker.count` and so on, are our own, because the conventions have none. Off by default.
    pub fn with_tokio_metrics(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.settings.metrics.tokio_metrics = Some(runtime);
        self
    }

    /// Gives histograms buckets that fit themselves to the values, unless a view says otherwise. It wins over
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`.
    pub fn with_exponential_histograms(mut self) -> Self {
        self.settings.metrics.exponential_histograms = true;
        self
    }
}
