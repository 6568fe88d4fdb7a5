//! Who said what.

use std::collections::{BTreeMap, BTreeSet};

use super::{Settings, percent};
use crate::SettingSource;

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
    pub(super) file: Option<(String, BTreeMap<String, usize>)>,
}

impl Origins {
    pub(super) fn of_environment(
        settings: &Settings,
        variables: BTreeSet<String>,
        list: Option<&str>,
    ) -> Self {
        let pairs = list.and_then(percent::decode_pairs).unwrap_or_default();
        let attributes = pairs.into_iter().map(|(key, _)| key).collect();
        Self { variables, attributes, ..Self::of_code(settings) }
    }

    pub(super) fn of_file(settings: &Settings, path: String, lines: BTreeMap<String, usize>) -> Self {
        let lines = lines.into_iter().map(|(key, line)| (key.replace("/development", ""), line)).collect();
        Self { file: Some((path, lines)), ..Self::of_code(settings) }
    }

    /// What says that nothing is recorded.
    pub(super) fn disabled_by(&self) -> &str {
        self.file.as_ref().map_or("OTEL_SDK_DISABLED", |(path, _)| path)
    }

    fn of_code(settings: &Settings) -> Self {
        let has_debug_key =
            settings.sampling.as_ref().is_some_and(|sampling| sampling.debug_header().is_some());
        let code = [
            ("endpoint", settings.endpoint.is_some()),
            ("protocol", settings.protocol.is_some()),
            ("interval", settings.metric_export_interval.is_some()),
            ("temporality_preference", settings.temporality.is_some()),
            ("default_histogram_aggregation", settings.exponential_histograms),
            ("sampler", settings.sampling.is_some()),
            ("shutdown_timeout", settings.shutdown_timeout.is_some()),
            ("telemetry_level", settings.telemetry_level.is_some()),
            ("disk_buffer", settings.disk.is_some()),
            ("debug_key", has_debug_key),
        ];
        let mut attributes: BTreeSet<String> =
            settings.resource_attributes.iter().map(|kv| kv.key.to_string()).collect();
        attributes.extend(settings.service_name.as_ref().map(|_| "service.name".to_owned()));
        attributes.extend(settings.service_version.as_ref().map(|_| "service.version".to_owned()));
        Self {
            code: code.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect(),
            code_attributes: attributes,
            ..Self::default()
        }
    }

    /// The code, if it sets `in_code`; the line of `path` in the file; or the first of the variables that was understood.
    pub(super) fn source(&self, path: &str, in_code: &str, variables: &[String]) -> SettingSource {
        if self.code.contains(in_code) {
            return SettingSource::Code;
        }
        if let Some((_, lines)) = &self.file {
            return lines
                .get(path)
                .map_or(SettingSource::Default, |line| SettingSource::File { line: *line });
        }
        match variables.iter().find(|name| self.variables.contains(*name)) {
            Some(name) => SettingSource::Variable(name.clone()),
            None => SettingSource::Default,
        }
    }

    pub(super) fn of_attribute(&self, key: &str) -> SettingSource {
        if self.code_attributes.contains(key) {
            return SettingSource::Code;
        }
        if let Some((_, lines)) = &self.file {
            let line =
                ["resource.attributes", "resource.attributes_list"].iter().find_map(|key| lines.get(*key));
            let is_detected = !matches!(key, "service.name") || line.is_none();
            return match line {
                Some(line) if !is_detected => SettingSource::File { line: *line },
                _ => self.detected(key),
            };
        }
        if key == "service.name" && self.variables.contains("OTEL_SERVICE_NAME") {
            return SettingSource::Variable("OTEL_SERVICE_NAME".to_owned());
        }
        if self.attributes.contains(key) {
            return SettingSource::Variable("OTEL_RESOURCE_ATTRIBUTES".to_owned());
        }
        self.detected(key)
    }

    fn detected(&self, key: &str) -> SettingSource {
        let is_own = key == "service.name" || key.starts_with("telemetry.");
        if is_own { SettingSource::Default } else { SettingSource::Detected }
    }
}
