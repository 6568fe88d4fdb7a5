//! Where each signal goes, and how it waits.

use std::time::Duration;

use super::{Rows, shown};
use crate::config::destination::{Destination, MetricDestination};
use crate::config::origins::Said;
use crate::config::{BatchConfig, ExporterConfig, LONGEST_WAIT, OtlpConfig};
use crate::{Protocol, SettingSource, Signal};

impl Rows<'_> {
    pub(super) fn queued(
        &mut self,
        provider: &str,
        prefix: &str,
        index: usize,
        signal: Signal,
        to: &Destination,
    ) {
        let BatchConfig { max_export_batch_size, schedule_delay, export_timeout, .. } = to.batch;
        let queue = self.config.queue.of_config(&to.exporter);
        let max_queue_size = queue.most_entries(to.batch);
        let max_export_batch_size = match queue.batch_bytes(to.batch) {
            Some(bytes) => format!("{bytes} bytes"),
            None => max_export_batch_size.min(max_queue_size).to_string(),
        };
        let path = format!("{provider}.processors[{index}]");
        let simple = format!("{path}.simple");
        let path = if self.config.origins.has_line(&simple) { simple } else { format!("{path}.batch") };
        for (key, variable, value) in [
            ("schedule_delay", "SCHEDULE_DELAY", schedule_delay.as_millis().to_string()),
            ("max_queue_size", "MAX_QUEUE_SIZE", max_queue_size.to_string()),
            ("max_export_batch_size", "MAX_EXPORT_BATCH_SIZE", max_export_batch_size),
            ("export_timeout", "EXPORT_TIMEOUT", bound(export_timeout)),
        ] {
            self.add(&format!("{path}.{key}"), value, Said::by(&[&format!("{prefix}_{variable}")]));
        }
        self.exporter(&path, signal, &to.exporter);
    }

    fn exporter(&mut self, path: &str, signal: Signal, exporter: &ExporterConfig) {
        let chosen = format!("OTEL_{}_EXPORTER", signal.as_str().to_uppercase());
        let chosen = [chosen.as_str()];
        let said = Said::by(&chosen).in_code(signal.as_str());
        match exporter {
            ExporterConfig::Otlp(otlp) => self.otlp(&format!("{path}.exporter"), otlp),
            ExporterConfig::Console => self.add(&format!("{path}.exporter.console"), "standard output", said),
            ExporterConfig::OtlpStdout => {
                self.add(&format!("{path}.exporter.otlp_file"), "standard output", said);
            }
            ExporterConfig::Named(named) => {
                self.add(&format!("{path}.exporter.{}", named.name), "of the code", said);
            }
        }
    }

    fn otlp(&mut self, path: &str, otlp: &OtlpConfig) {
        let signal = otlp.signal.as_str().to_uppercase();
        let path = format!("{path}.{}", transport(otlp));
        let mut row = |key: &str, variable: &str, value: String, in_file: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_{signal}_{variable}");
            let general = format!("OTEL_EXPORTER_OTLP_{variable}");
            let in_file = format!("{path}{in_file}");
            let variables = [own.as_str(), general.as_str()];
            let said = Said::by(&variables).in_code(key).at(&in_file);
            if otlp.is_added {
                self.push(&format!("{path}.{key}"), value, SettingSource::Code);
            } else {
                self.add(&format!("{path}.{key}"), value, said);
            }
        };
        row("endpoint", "ENDPOINT", otlp.endpoint.shown().to_owned(), ".endpoint");
        // In a file the key of the exporter says it, and over HTTP the encoding.
        let encoding = if otlp.protocol == Protocol::Grpc { "" } else { ".encoding" };
        row("protocol", "PROTOCOL", otlp.protocol.to_string(), encoding);
        let headers: Vec<_> = otlp.headers.keys().map(|name| format!("{name}=REDACTED")).collect();
        if !headers.is_empty() {
            row("headers", "HEADERS", headers.join(","), ".headers_list");
        }
        let compression = otlp.compression.map_or("none", |compression| compression.as_str());
        row("compression", "COMPRESSION", compression.to_owned(), ".compression");
        row("timeout", "TIMEOUT", bound(Some(otlp.timeout)), ".timeout");
        if otlp.protocol == Protocol::Grpc {
            row("tls.insecure", "INSECURE", otlp.is_insecure.to_string(), ".tls.insecure");
        }
        for (key, variable, file) in [
            ("tls.ca_file", "CERTIFICATE", &otlp.tls.authority),
            ("tls.cert_file", "CLIENT_CERTIFICATE", &otlp.tls.client_certificate),
            ("tls.key_file", "CLIENT_KEY", &otlp.tls.client_key),
        ] {
            if let Some(file) = file {
                row(key, variable, file.display().to_string(), "");
            }
        }
        if otlp.header_provider.is_some() {
            self.push(&format!("{path}.header_provider"), "a function".to_owned(), SettingSource::Code);
        }
    }

    pub(super) fn metrics(&mut self) {
        let config = self.config;
        let most = config.destinations.metrics.len() + 1;
        let places = |kind: &str| {
            let is_there =
                |place: &usize| config.origins.has_line(&format!("meter_provider.readers[{place}].{kind}"));
            (0..most).filter(is_there).collect::<Vec<_>>()
        };
        // A file may name Prometheus first.
        let (periodic, pull) = (places("periodic"), places("pull"));
        for (index, to) in config.destinations.metrics.iter().enumerate() {
            let index = periodic.get(index).copied().unwrap_or(index + pull.len());
            self.reader(&format!("meter_provider.readers[{index}].periodic"), to);
        }
        if let Some(prometheus) = &config.destinations.prometheus {
            let index = pull.first().copied().unwrap_or(config.destinations.metrics.len());
            let path = format!("meter_provider.readers[{index}].pull.exporter.prometheus");
            let host = Said::by(&["OTEL_EXPORTER_PROMETHEUS_HOST"]);
            self.add(&format!("{path}.host"), &prometheus.host, host);
            let port = Said::by(&["OTEL_EXPORTER_PROMETHEUS_PORT"]);
            self.add(&format!("{path}.port"), prometheus.port, port);
        }
        if !config.destinations.metrics.is_empty() {
            let filter = config.metrics.exemplar_filter.unwrap_or_default();
            let said = Said::by(&["OTEL_METRICS_EXEMPLAR_FILTER"]).in_code("exemplar_filter");
            self.add("meter_provider.exemplar_filter", filter.name(), said);
        }
        if !config.metrics.views.is_empty() {
            self.add("meter_provider.views", config.metrics.views.len(), Said::default().in_code("views"));
        }
    }

    fn reader(&mut self, path: &str, to: &MetricDestination) {
        let MetricDestination { exporter, interval, export_timeout, temporality } = to;
        let said = Said::by(&["OTEL_METRIC_EXPORT_INTERVAL"]).in_code("interval");
        self.add(&format!("{path}.interval"), interval.as_millis(), said);
        let said = Said::by(&["OTEL_METRIC_EXPORT_TIMEOUT"]);
        self.add(&format!("{path}.timeout"), bound(*export_timeout), said);
        if let Some(limit) = self.config.metrics.cardinality.default_limit() {
            let said = Said::default().in_code("cardinality_limit");
            self.add(&format!("{path}.cardinality_limits.default"), limit, said);
        }
        self.exporter(path, Signal::Metrics, exporter);
        let ExporterConfig::Otlp(otlp) = exporter else { return };
        let path = format!("{path}.exporter.{}", transport(otlp));
        let temporality = format!("{temporality:?}").to_ascii_lowercase();
        let key = "temporality_preference";
        let said = Said::by(&["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"]).in_code(key);
        self.add(&format!("{path}.{key}"), temporality, said);
        let is_exponential = self.config.metrics.exponential_histograms;
        let value =
            if is_exponential { "base2_exponential_bucket_histogram" } else { "explicit_bucket_histogram" };
        let key = "default_histogram_aggregation";
        let said = Said::by(&["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"]).in_code(key);
        self.add(&format!("{path}.{key}"), value, said);
    }
}

/// The key of the exporter in a file.
fn transport(otlp: &OtlpConfig) -> &'static str {
    if otlp.protocol == Protocol::Grpc { "otlp_grpc" } else { "otlp_http" }
}

/// Milliseconds, where it is no wait without end.
fn bound(timeout: Option<Duration>) -> String {
    let timeout = timeout.filter(|timeout| *timeout < LONGEST_WAIT);
    shown(timeout.and_then(|timeout| usize::try_from(timeout.as_millis()).ok()))
}
