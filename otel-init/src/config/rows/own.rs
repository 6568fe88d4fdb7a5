//! What the schema has no keys for.

use super::{Rows, shown};
use crate::config::list::listed;
use crate::config::origins::Said;
use crate::config::{CAPTURED, Instrumentations};
use crate::{ConsoleLogs, Queue, SettingSource};

impl Rows<'_> {
    pub(super) fn instrumentations(&mut self) {
        let Instrumentations { disabled, excluded_paths, captured_headers } = &self.config.instrumentations;
        let off = disabled.iter().map(|name| (name, "enabled", "false".to_owned()));
        let excluded = excluded_paths.iter().map(|(name, paths)| (name, "excluded_paths", paths.join(",")));
        for (name, key, value) in off.chain(excluded) {
            let variable = format!("OTEL_INSTRUMENTATION_{name}_{key}").to_ascii_uppercase();
            self.add(&format!("instrumentation.rust.{name}.{key}"), value, Said::by(&[&variable]));
        }
        let keys = [
            "server.request_captured_headers",
            "server.response_captured_headers",
            "client.request_captured_headers",
            "client.response_captured_headers",
        ];
        for ((key, (_, variable)), names) in keys.iter().zip(CAPTURED).zip(captured_headers) {
            if !names.is_empty() {
                let key = format!("instrumentation.general.http.{key}");
                self.add(&key, names.join(","), Said::by(&[variable]));
            }
        }
    }

    pub(super) fn own(&mut self) {
        let config = self.config;
        let safety = &config.safety;
        let queue = match config.queue {
            Queue::Encoded { max_bytes } => format!("encoded, {max_bytes} bytes"),
            Queue::Sdk => "of the SDK".to_owned(),
        };
        let open_spans = safety.open_spans.map_or("off".to_owned(), |after| after.as_millis().to_string());
        let bound = |bound: Option<u64>| shown(bound.and_then(|bound| usize::try_from(bound).ok()));
        for (key, value) in [
            ("shutdown_timeout", config.shutdown_timeout.as_millis().to_string()),
            ("queue", queue),
            ("redaction", safety.redaction.summary()),
            ("drop_rules", safety.drop_rules.len().to_string()),
            ("baggage_attributes", listed(&safety.baggage_attributes)),
            ("max_spans_per_trace", bound(safety.max_spans_per_trace)),
            ("max_span_depth", bound(safety.max_span_depth.map(u64::from))),
            ("open_spans", open_spans),
            ("audit_hooks", safety.audits.len().to_string()),
            ("span_fields_on_logs", config.has_span_fields.to_string()),
            ("code_locations", config.has_code_locations.to_string()),
            ("process_metrics", config.metrics.process_metrics.to_string()),
            ("tokio_metrics", config.metrics.tokio_metrics.is_some().to_string()),
            ("panic_hook", config.panic_hook.to_string()),
        ] {
            self.add(&path(key), value, Said::default().in_code(key));
        }
        let said = Said::by(&["OTEL_INIT_TELEMETRY_LEVEL"]).in_code("telemetry_level");
        self.add(&path("telemetry_level"), &config.telemetry_levels, said);
        self.console();
        if let Some(file) = &config.sampler.file {
            self.add(&path("sampler_file"), file.display(), Said::by(&["OTEL_INIT_SAMPLER_FILE"]));
        }
        if config.sampler.sampling.debug_header().is_some() {
            let said = Said::by(&["OTEL_INIT_DEBUG_KEY"]).in_code("debug_key");
            self.add(&path("debug_key"), "REDACTED", said);
        }
        if let Some(disk) = &config.disk {
            let said = Said::by(&["OTEL_INIT_DISK_BUFFER_DIRECTORY"]).in_code("disk_buffer");
            self.add(&path("disk_buffer.directory"), disk.folder.display(), said);
            let said = Said::by(&["OTEL_INIT_DISK_BUFFER_MAX_SIZE"]).in_code("disk_buffer");
            self.add(&path("disk_buffer.max_size"), disk.max_size, said);
        }
    }

    fn console(&mut self) {
        let Some(subscriber) = &self.config.subscriber else {
            self.push(&path("console_logs"), "left to the service".to_owned(), SettingSource::Code);
            return;
        };
        let kind = match subscriber.console {
            ConsoleLogs::Compact => "compact",
            ConsoleLogs::Pretty => "pretty",
            ConsoleLogs::Json => "json",
            ConsoleLogs::Logfmt => "logfmt",
            ConsoleLogs::Off => "off",
        };
        let said = Said::by(&["OTEL_INIT_CONSOLE_LOGS"]).in_code("console_logs");
        self.add(&path("console_logs"), kind, said);
        let stream = if subscriber.console_on_stdout { "standard output" } else { "standard error" };
        self.add(&path("console_stream"), stream, Said::default().in_code("console_stream"));
        if let Some(filter) = &subscriber.console_filter {
            // With a configuration file as well.
            self.push(
                &path("console_filter"),
                filter.clone(),
                SettingSource::Variable("RUST_LOG".to_owned()),
            );
        }
    }
}

fn path(key: &str) -> String {
    format!("distribution.otel-init.{key}")
}
