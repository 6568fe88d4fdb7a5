//! From [`Config`] to the rows of [`EffectiveConfig`], each with its source.

mod exporters;
mod own;

use opentelemetry::Value;

use super::Config;
use super::list::listed;
use super::origins::Said;
use crate::{EffectiveConfig, EffectiveSetting, SettingSource, Signal};

/// Rows, as they come.
struct Rows<'a> {
    config: &'a Config,
    settings: Vec<EffectiveSetting>,
}

impl Config {
    /// What is in force. Credentials are left out where they are known to stand; the resource is as it is exported.
    pub(crate) fn effective(&self) -> EffectiveConfig {
        let mut rows = Rows { config: self, settings: Vec::new() };
        if let Some(file) = &self.origins.file {
            rows.push("config_file", file.path.clone(), file.source.clone());
        }
        rows.add("disabled", self.is_disabled, Said::by(&["OTEL_SDK_DISABLED"]));
        if let Some(level) = self.subscriber.as_ref().and_then(|subscriber| subscriber.own_level) {
            rows.add("log_level", level, Said::by(&["OTEL_LOG_LEVEL"]));
        }
        rows.resource();
        let names = listed(&self.propagators.names);
        let said = Said::by(&["OTEL_PROPAGATORS"]).at("propagator.composite_list");
        rows.add("propagator.composite", names, said);
        rows.traces();
        rows.metrics();
        rows.logs();
        rows.instrumentations();
        rows.own();
        EffectiveConfig {
            file: self.origins.file.as_ref().map(|file| file.path.clone()),
            settings: rows.settings,
            warnings: self.warnings.clone(),
        }
    }
}

impl Rows<'_> {
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over temporaries")]
    fn add(&mut self, name: &str, value: impl ToString, said: Said<'_>) {
        let source = self.config.origins.source(name, said);
        self.push(name, value.to_string(), source);
    }

    fn push(&mut self, name: &str, value: String, source: SettingSource) {
        self.settings.push(EffectiveSetting { name: name.to_owned(), value, source });
    }

    fn resource(&mut self) {
        let config = self.config;
        let said = Said::by(&["OTEL_INIT_RESOURCE_DETECTORS"]).in_code("detectors");
        self.add("resource.detection.detectors", listed(&config.detectors), said);
        let mut attributes: Vec<(String, &Value)> =
            config.resource.iter().map(|(key, value)| (key.to_string(), value)).collect();
        attributes.sort_by(|one, other| one.0.cmp(&other.0));
        for (key, value) in attributes {
            let source = config.origins.of_attribute(&key);
            self.push(&format!("resource.attributes.{key}"), value.to_string(), source);
        }
        if let Some(url) = config.resource.schema_url() {
            self.add("resource.schema_url", url, Said::default());
        }
    }

    fn traces(&mut self) {
        let config = self.config;
        for (index, to) in config.destinations.traces.iter().enumerate() {
            self.queued("tracer_provider", "OTEL_BSP", index, Signal::Traces, to);
        }
        let limits = &config.span_limits;
        self.limit(
            "tracer_provider",
            "attribute_count_limit",
            "SPAN",
            limits.max_attributes_per_span.to_string(),
        );
        for (key, value, variable) in [
            ("event_count_limit", limits.max_events_per_span, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
            ("link_count_limit", limits.max_links_per_span, "OTEL_SPAN_LINK_COUNT_LIMIT"),
            (
                "event_attribute_count_limit",
                limits.max_attributes_per_event,
                "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            ),
            ("link_attribute_count_limit", limits.max_attributes_per_link, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
        ] {
            self.add(&format!("tracer_provider.limits.{key}"), value, Said::by(&[variable]));
        }
        let length = shown(config.limits.span.value_length);
        self.limit("tracer_provider", "attribute_value_length_limit", "SPAN", length);
        let sampler = Said::by(&["OTEL_TRACES_SAMPLER"]).in_code("sampler");
        self.add("tracer_provider.sampler", &config.sampler, sampler);
        if let Some(argument) = &config.sampler.argument {
            let said = Said::by(&["OTEL_TRACES_SAMPLER_ARG"]);
            self.add("tracer_provider.sampler.argument", argument, said);
        }
    }

    fn logs(&mut self) {
        let config = self.config;
        for (index, to) in config.destinations.logs.iter().enumerate() {
            self.queued("logger_provider", "OTEL_BLRP", index, Signal::Logs, to);
        }
        let limits = config.limits.log;
        self.limit("logger_provider", "attribute_count_limit", "LOGRECORD", limits.count.to_string());
        let length = shown(limits.value_length);
        self.limit("logger_provider", "attribute_value_length_limit", "LOGRECORD", length);
    }

    /// A limit that the general one stands in for.
    fn limit(&mut self, provider: &str, key: &str, model: &str, value: String) {
        let own = format!("OTEL_{model}_{}", key.to_ascii_uppercase());
        let general = format!("OTEL_{}", key.to_ascii_uppercase());
        let in_file = format!("attribute_limits.{key}");
        let variables = [own.as_str(), general.as_str()];
        let said = Said::by(&variables).at(&in_file);
        self.add(&format!("{provider}.limits.{key}"), value, said);
    }
}

fn shown(limit: Option<usize>) -> String {
    limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
}
