//! Where each setting came from: the code, a file, a variable, or the default.

use std::collections::{BTreeMap, BTreeSet};

use super::{Settings, percent, resource};
use crate::metrics::CardinalityLimits;
use crate::{Queue, Redaction, SettingSource, Signal};

/// What is remembered while the configuration is put together.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// The settings that the code made, by their names in the file.
    code: BTreeSet<&'static str>,
    /// The keys of resource attributes that the code gave.
    code_attributes: BTreeSet<String>,
    /// The variables that were read and understood.
    variables: BTreeSet<String>,
    /// The keys of `OTEL_RESOURCE_ATTRIBUTES`.
    attributes: BTreeSet<String>,
    pub(super) file: Option<OriginFile>,
}

/// What a file said, and where.
#[derive(Debug)]
pub(crate) struct OriginFile {
    pub(super) path: String,
    /// Who named the file.
    pub(super) source: SettingSource,
    /// The line of each key.
    pub(super) lines: BTreeMap<String, usize>,
    /// The line of each resource attribute.
    pub(super) attributes: BTreeMap<String, usize>,
}

/// Where a setting may have been made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said<'a> {
    variables: &'a [&'a str],
    in_code: &'a str,
    in_file: &'a str,
}

impl<'a> Said<'a> {
    /// By the first of these variables that was understood.
    pub(super) fn by(variables: &'a [&'a str]) -> Self {
        Self { variables, ..Self::default() }
    }

    /// By the code, by this name.
    pub(super) fn in_code(self, name: &'a str) -> Self {
        Self { in_code: name, ..self }
    }

    /// In a file, also by this key.
    pub(super) fn at(self, in_file: &'a str) -> Self {
        Self { in_file, ..self }
    }
}

impl Origins {
    pub(super) fn of_environment(
        settings: &Settings,
        variables: BTreeSet<String>,
        list: Option<&str>,
    ) -> Self {
        let pairs = list.and_then(|list| percent::decode_pairs(list).ok()).unwrap_or_default();
        let named = pairs.into_iter().filter(|(key, value)| !resource::is_nameless(key, value));
        let attributes = named.map(|(key, _)| key).collect();
        let mut origins = Self { variables, attributes, ..Self::of_code(settings) };
        // The variable wins over a preset.
        if settings.sampling.as_ref().is_some_and(|sampling| sampling.is_preset())
            && origins.variables.contains("OTEL_TRACES_SAMPLER")
        {
            origins.code.remove("sampler");
        }
        origins
    }

    /// `variables` are those of the platform, which are read besides.
    pub(super) fn of_file(settings: &Settings, variables: BTreeSet<String>, file: OriginFile) -> Self {
        let without_suffix = |(key, line): (String, usize)| (key.replace("/development", ""), line);
        let file = OriginFile { lines: file.lines.into_iter().map(without_suffix).collect(), ..file };
        Self { file: Some(file), variables, ..Self::of_code(settings) }
    }

    /// What says that nothing is recorded.
    pub(super) fn disabled_by(&self) -> &str {
        self.file.as_ref().map_or("OTEL_SDK_DISABLED", |file| &file.path)
    }

    fn of_code(settings: &Settings) -> Self {
        let has_debug_key =
            settings.sampling.as_ref().is_some_and(|sampling| sampling.debug_header().is_some());
        let safety = &settings.safety;
        let exports = |signal| settings.exporters.contains_key(&signal);
        let code = [
            ("endpoint", settings.endpoint.is_some()),
            ("protocol", settings.protocol.is_some()),
            ("interval", settings.metric_export_interval.is_some()),
            ("temporality_preference", settings.temporality.is_some()),
            ("default_histogram_aggregation", settings.metrics.exponential_histograms),
            ("sampler", settings.sampling.is_some()),
            ("shutdown_timeout", settings.shutdown_timeout.is_some()),
            ("telemetry_level", !settings.telemetry_levels.is_empty()),
            ("disk_buffer", settings.disk.is_some()),
            ("debug_key", has_debug_key),
            ("detectors", settings.detectors.is_some() || !settings.without_detectors.is_empty()),
            ("traces", exports(Signal::Traces)),
            ("metrics", exports(Signal::Metrics)),
            ("logs", exports(Signal::Logs)),
            ("views", !settings.metrics.views.is_empty()),
            ("exemplar_filter", settings.metrics.exemplar_filter.is_some()),
            ("cardinality_limit", settings.metrics.cardinality != CardinalityLimits::default()),
            ("queue", settings.queue != Queue::default()),
            ("redaction", safety.redaction.summary() != Redaction::new().summary()),
            ("drop_rules", !safety.drop_rules.is_empty()),
            ("baggage_attributes", !safety.baggage_attributes.is_empty()),
            ("max_spans_per_trace", safety.max_spans_per_trace.is_some()),
            ("max_span_depth", safety.max_span_depth.is_some()),
            ("open_spans", safety.open_spans.is_some()),
            ("audit_hooks", !safety.audits.is_empty()),
            ("span_fields_on_logs", settings.without_span_fields),
            ("code_locations", settings.code_locations),
            ("process_metrics", settings.metrics.process_metrics),
            ("tokio_metrics", settings.metrics.tokio_metrics.is_some()),
            ("panic_hook", settings.panic_hook),
            ("console_logs", settings.console_logs.is_some()),
            ("console_stream", settings.console_on_stdout),
        ];
        Self {
            code: code.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect(),
            code_attributes: Self::attributes_of_code(settings),
            ..Self::default()
        }
    }

    /// The keys of resource attributes that the code gave a value.
    fn attributes_of_code(settings: &Settings) -> BTreeSet<String> {
        let said = |(key, value): (&str, &str)| (!resource::is_nameless(key, value)).then(|| key.to_owned());
        let given = settings.resource_attributes.iter();
        let mut attributes: BTreeSet<String> =
            given.filter_map(|kv| said((kv.key.as_str(), &kv.value.as_str()))).collect();
        let name = settings.service_name.as_deref();
        attributes.extend(name.and_then(|name| said(("service.name", name))));
        attributes.extend(settings.service_version.as_ref().map(|_| "service.version".to_owned()));
        attributes
    }

    /// The code; the line of `path`, or of the other key, in the file; or the first of the variables that was understood.
    pub(super) fn source(&self, path: &str, said: Said<'_>) -> SettingSource {
        if self.code.contains(said.in_code) {
            return SettingSource::Code;
        }
        if let Some(file) = &self.file {
            let line = [path, said.in_file].iter().find_map(|key| file.lines.get(*key));
            return line.map_or(SettingSource::Default, |line| SettingSource::File { line: *line });
        }
        match said.variables.iter().find(|name| self.variables.contains(**name)) {
            Some(name) => SettingSource::Variable((*name).to_owned()),
            None => SettingSource::Default,
        }
    }

    /// Whether the file has this key.
    pub(super) fn has_line(&self, path: &str) -> bool {
        self.file.as_ref().is_some_and(|file| file.lines.contains_key(path))
    }

    pub(super) fn of_attribute(&self, key: &str) -> SettingSource {
        if self.code_attributes.contains(key) {
            return SettingSource::Code;
        }
        if let Some(line) = self.file.as_ref().and_then(|file| file.attributes.get(key)) {
            return SettingSource::File { line: *line };
        }
        if key == "service.name" && self.variables.contains("OTEL_SERVICE_NAME") {
            return SettingSource::Variable("OTEL_SERVICE_NAME".to_owned());
        }
        if self.attributes.contains(key) {
            return SettingSource::Variable("OTEL_RESOURCE_ATTRIBUTES".to_owned());
        }
        let is_own = key == "service.name" || key.starts_with("telemetry.");
        if is_own { SettingSource::Default } else { SettingSource::Detected }
    }
}
