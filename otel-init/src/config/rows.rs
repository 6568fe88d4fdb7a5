//! The effective configuration with the source of every value.

use opentelemetry::Value;

use super::destination::{Destination, MetricDestination};
use super::{BatchConfig, Config, ExporterConfig, Instrumentations, OtlpConfig};
use crate::{EffectiveConfig, EffectiveSetting, Protocol, SettingSource, Signal};

/// Rows, as they come.
struct Rows<'a> {
    config: &'a Config,
    settings: Vec<EffectiveSetting>,
}

impl Config {
    /// What is in force. Credentials are left out where they are known to stand; the resource is as it is exported.
    pub(crate) fn effective(&self) -> EffectiveConfig {
        let mut rows = Rows { config: self, settings: Vec::new() };
        rows.add("disabled", self.is_disabled, "", &["OTEL_SDK_DISABLED"]);
        if let Some(level) = self.subscriber.as_ref().and_then(|subscriber| subscriber.own_level) {
            rows.add("log_level", level, "", &["OTEL_LOG_LEVEL"]);
        }
        rows.resource();
        let names =
            if self.propagators.names.is_empty() { "none".into() } else { self.propagators.names.join(",") };
        rows.add("propagator.composite", names, "", &["OTEL_PROPAGATORS"]);
        rows.traces();
        rows.metrics();
        rows.logs();
        rows.instrumentations();
        rows.own();
        EffectiveConfig {
            file: self.origins.file.as_ref().map(|(path, _)| path.clone()),
            settings: rows.settings,
        }
    }
}

impl Rows<'_> {
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over temporaries")]
    fn add(&mut self, name: &str, value: impl ToString, in_code: &str, variables: &[&str]) {
        let variables: Vec<String> = variables.iter().map(|name| (*name).to_owned()).collect();
        let source = self.config.origins.source(name, in_code, &variables);
        self.settings.push(EffectiveSetting { name: name.to_owned(), value: value.to_string(), source });
    }

    fn resource(&mut self) {
        let config = self.config;
        let mut attributes: Vec<(String, &Value)> =
            config.resource.iter().map(|(key, value)| (key.to_string(), value)).collect();
        attributes.sort_by(|one, other| one.0.cmp(&other.0));
        for (key, value) in attributes {
            let source = config.origins.of_attribute(&key);
            let name = format!("resource.attributes.{key}");
            self.settings.push(EffectiveSetting { name, value: value.to_string(), source });
        }
    }

    fn traces(&mut self) {
        let config = self.config;
        for (index, to) in config.destinations.traces.iter().enumerate() {
            self.queued("tracer_provider", "OTEL_BSP", index, Signal::Traces, to);
        }
        let limits = &config.span_limits;
        let length = config.limits.span.value_length;
        let general = "OTEL_ATTRIBUTE_COUNT_LIMIT";
        for (key, value, variables) in [
            (
                "attribute_count_limit",
                limits.max_attributes_per_span,
                &["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", general][..],
            ),
            ("event_count_limit", limits.max_events_per_span, &["OTEL_SPAN_EVENT_COUNT_LIMIT"]),
            ("link_count_limit", limits.max_links_per_span, &["OTEL_SPAN_LINK_COUNT_LIMIT"]),
            (
                "event_attribute_count_limit",
                limits.max_attributes_per_event,
                &["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"],
            ),
            (
                "link_attribute_count_limit",
                limits.max_attributes_per_link,
                &["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"],
            ),
        ] {
            self.add(&format!("tracer_provider.limits.{key}"), value, "", variables);
        }
        let variables = ["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];
        self.add("tracer_provider.limits.attribute_value_length_limit", shown_limit(length), "", &variables);
        let sampler = ["OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"];
        self.add("tracer_provider.sampler", &config.sampler, "sampler", &sampler);
    }

    fn logs(&mut self) {
        let config = self.config;
        for (index, to) in config.destinations.logs.iter().enumerate() {
            self.queued("logger_provider", "OTEL_BLRP", index, Signal::Logs, to);
        }
        let limits = config.limits.log;
        let variables = ["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"];
        self.add("logger_provider.limits.attribute_count_limit", limits.count, "", &variables);
        let variables = ["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"];
        let length = shown_limit(limits.value_length);
        self.add("logger_provider.limits.attribute_value_length_limit", length, "", &variables);
    }

    fn queued(&mut self, provider: &str, prefix: &str, index: usize, signal: Signal, to: &Destination) {
        let BatchConfig { max_export_batch_size, schedule_delay, .. } = to.batch;
        let max_queue_size = self.config.queue.of_config(&to.exporter).most_entries(to.batch);
        let path = format!("{provider}.processors[{index}].batch");
        for (key, variable, value) in [
            ("schedule_delay", "SCHEDULE_DELAY", schedule_delay.as_millis().to_string()),
            ("max_queue_size", "MAX_QUEUE_SIZE", max_queue_size.to_string()),
            ("max_export_batch_size", "MAX_EXPORT_BATCH_SIZE", max_export_batch_size.to_string()),
        ] {
            self.add(&format!("{path}.{key}"), value, "", &[&format!("{prefix}_{variable}")]);
        }
        self.exporter(&path, signal, &to.exporter);
    }

    fn exporter(&mut self, path: &str, signal: Signal, exporter: &ExporterConfig) {
        let chosen = format!("OTEL_{}_EXPORTER", signal.as_str().to_uppercase());
        match exporter {
            ExporterConfig::Otlp(otlp) => self.otlp(&format!("{path}.exporter"), otlp),
            ExporterConfig::Console => self.add(&format!("{path}.exporter.console"), "", "", &[&chosen]),
            ExporterConfig::Named(named) => {
                self.add(&format!("{path}.exporter.{}", named.name), "", "", &[&chosen]);
            }
        }
    }

    fn otlp(&mut self, path: &str, otlp: &OtlpConfig) {
        let signal = otlp.signal.as_str().to_uppercase();
        let names = |setting: &str| {
            [format!("OTEL_EXPORTER_OTLP_{signal}_{setting}"), format!("OTEL_EXPORTER_OTLP_{setting}")]
        };
        let transport = if otlp.protocol == Protocol::Grpc { "otlp_grpc" } else { "otlp_http" };
        let path = format!("{path}.{transport}");
        let mut row = |key: &str, variable: &str, value: String| {
            let [own, general] = names(variable);
            self.add(&format!("{path}.{key}"), value, key, &[&own, &general]);
        };
        row("endpoint", "ENDPOINT", otlp.endpoint.shown().to_owned());
        row("protocol", "PROTOCOL", otlp.protocol.to_string());
        let headers: Vec<_> = otlp.headers.keys().map(|name| format!("{name}=REDACTED")).collect();
        if !headers.is_empty() {
            row("headers", "HEADERS", headers.join(","));
        }
        let compression = otlp.compression.map_or("none", |compression| compression.as_str());
        row("compression", "COMPRESSION", compression.to_owned());
        row("timeout", "TIMEOUT", otlp.timeout.as_millis().to_string());
        for (key, variable, file) in [
            ("tls.ca_file", "CERTIFICATE", &otlp.tls.authority),
            ("tls.cert_file", "CLIENT_CERTIFICATE", &otlp.tls.client_certificate),
            ("tls.key_file", "CLIENT_KEY", &otlp.tls.client_key),
        ] {
            if let Some(file) = file {
                row(key, variable, file.display().to_string());
            }
        }
        if otlp.header_provider.is_some() {
            let (name, value) = (format!("{path}.header_provider"), "a function".to_owned());
            self.settings.push(EffectiveSetting { name, value, source: SettingSource::Code });
        }
    }

    fn metrics(&mut self) {
        let config = self.config;
        for (index, to) in config.destinations.metrics.iter().enumerate() {
            let MetricDestination { exporter, interval, temporality } = to;
            let path = format!("meter_provider.readers[{index}].periodic");
            let name = "OTEL_METRIC_EXPORT_INTERVAL";
            self.add(&format!("{path}.interval"), interval.as_millis(), "interval", &[name]);
            self.exporter(&path, Signal::Metrics, exporter);
            if let ExporterConfig::Otlp(otlp) = exporter {
                let transport = if otlp.protocol == Protocol::Grpc { "otlp_grpc" } else { "otlp_http" };
                let path = format!("{path}.exporter.{transport}");
                let temporality = format!("{temporality:?}").to_ascii_lowercase();
                let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
                let key = "temporality_preference";
                self.add(&format!("{path}.{key}"), temporality, key, &[name]);
                let is_exponential = config.exponential_histograms;
                let value = if is_exponential {
                    "base2_exponential_bucket_histogram"
                } else {
                    "explicit_bucket_histogram"
                };
                let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
                let key = "default_histogram_aggregation";
                self.add(&format!("{path}.{key}"), value, key, &[name]);
            }
        }
        if let Some(prometheus) = &config.destinations.prometheus {
            let index = config.destinations.metrics.len();
            let path = format!("meter_provider.readers[{index}].pull.exporter.prometheus");
            self.add(&format!("{path}.host"), &prometheus.host, "", &["OTEL_EXPORTER_PROMETHEUS_HOST"]);
            self.add(&format!("{path}.port"), prometheus.port, "", &["OTEL_EXPORTER_PROMETHEUS_PORT"]);
        }
        if !config.views.is_empty() {
            self.add("meter_provider.views", config.views.len(), "", &[]);
        }
    }

    fn instrumentations(&mut self) {
        let Instrumentations { disabled, excluded_paths } = &self.config.instrumentations;
        let off = disabled.iter().map(|name| (name, "enabled", "false".to_owned()));
        let excluded = excluded_paths.iter().map(|(name, paths)| (name, "excluded_paths", paths.join(",")));
        for (name, key, value) in off.chain(excluded) {
            let variable = format!("OTEL_INSTRUMENTATION_{name}_{key}").to_ascii_uppercase();
            self.add(&format!("instrumentation.rust.{name}.{key}"), value, "", &[&variable]);
        }
    }

    /// What the schema has no keys for.
    fn own(&mut self) {
        let config = self.config;
        let path = |key: &str| format!("distribution.otel-init.{key}");
        let timeout = config.shutdown_timeout.as_millis();
        self.add(&path("shutdown_timeout"), timeout, "shutdown_timeout", &[]);
        self.add(&path("telemetry_level"), config.telemetry_level, "telemetry_level", &[]);
        self.add(&path("drop_rules"), config.safety.drop_rules.len(), "", &[]);
        let baggage = config.safety.baggage_attributes.join(",");
        if let Some(file) = &config.sampler.file {
            self.add(&path("sampler_file"), file.display(), "", &["OTEL_INIT_SAMPLER_FILE"]);
        }
        if config.sampler.sampling.debug_header().is_some() {
            self.add(&path("debug_key"), "REDACTED", "debug_key", &["OTEL_INIT_DEBUG_KEY"]);
        }
        if let Some(disk) = &config.disk {
            let (directory, size) = ("OTEL_INIT_DISK_BUFFER_DIRECTORY", "OTEL_INIT_DISK_BUFFER_MAX_SIZE");
            let key = path("disk_buffer.directory");
            self.add(&key, disk.folder.display(), "disk_buffer", &[directory]);
            self.add(&path("disk_buffer.max_size"), disk.max_size, "disk_buffer", &[size]);
        }
        self.add(
            &path("baggage_attributes"),
            if baggage.is_empty() { "none".into() } else { baggage },
            "",
            &[],
        );
    }
}

fn shown_limit(limit: Option<usize>) -> String {
    limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
}
