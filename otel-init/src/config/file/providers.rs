//! `tracer_provider:` and `logger_provider:`.

use std::time::Duration;

use opentelemetry_sdk::trace::SpanLimits;

use super::error::FileError;
use super::exporter::milliseconds;
use super::fields::{Fields, Value};
use super::{Config, Reader};
use crate::config::BatchConfig;
use crate::config::batch::BATCH;
use crate::config::destination::Destination;
use crate::config::environment::Environment;
use crate::config::limits::{COUNT, of_attributes, of_counts};
use crate::{Queue, Signal};

/// `attribute_limits:`, which the limits of spans and of log records override.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GeneralLimits {
    count: Option<u32>,
    length: Option<u32>,
}

impl GeneralLimits {
    pub(super) fn read(fields: Option<Fields>) -> Result<Self, FileError> {
        let Some(mut fields) = fields else {
            return Ok(Self::default());
        };
        let limits = Self {
            count: fields.count("attribute_count_limit")?,
            length: fields.count("attribute_value_length_limit")?,
        };
        fields.end()?;
        Ok(limits)
    }

    /// These, or else the general ones.
    fn or(self, general: Self) -> (u32, Option<u32>) {
        (self.count.or(general.count).unwrap_or(COUNT), self.length.or(general.length))
    }
}

impl Reader<'_> {
    pub(super) fn tracer_provider(
        &self,
        fields: Option<Fields>,
        general: GeneralLimits,
        config: &mut Config,
    ) -> Result<(), FileError> {
        let mut provider = fields;
        let limits = provider.as_mut().map(|fields| fields.fields("limits")).transpose()?.flatten();
        span_limits(limits, general, config)?;
        let Some(mut fields) = provider else {
            return Ok(());
        };
        let processors = fields.required("processors")?.some()?;
        if let Some(sampler) = fields.optional("sampler") {
            config.sampler.sampling = self.sampler(sampler)?;
        }
        let preset = self.preset(config);
        let unsaid = BatchConfig::spans(self.settings.queue, &Environment::new(&preset));
        for processor in processors {
            config.destinations.traces.push(self.processor(Signal::Traces, processor, unsaid)?);
        }
        fields.unsupported("tracer_configurator", "drop rules and the sampler choose among spans")?;
        fields.unsupported("id_generator", "")?;
        fields.end()
    }

    pub(super) fn logger_provider(
        &self,
        fields: Option<Fields>,
        general: GeneralLimits,
        config: &mut Config,
    ) -> Result<(), FileError> {
        let mut provider = fields;
        let limits = provider.as_mut().map(|fields| fields.fields("limits")).transpose()?.flatten();
        let (count, length) = GeneralLimits::read(limits)?.or(general);
        config.limits.log = of_attributes(count, length);
        let Some(mut fields) = provider else {
            return Ok(());
        };
        for processor in fields.required("processors")?.some()? {
            let unsaid = BatchConfig::logs(self.settings.queue, &Environment::new(&|_| None));
            config.destinations.logs.push(self.processor(Signal::Logs, processor, unsaid)?);
        }
        fields.unsupported(
            "logger_configurator",
            "RUST_LOG and the telemetry level choose among log records",
        )?;
        fields.end()
    }

    /// What a preset says, if one samples, where the file says nothing.
    pub(super) fn preset(&self, config: &Config) -> impl Fn(&str) -> Option<String> + use<> {
        self.settings.sampling.as_ref().unwrap_or(&config.sampler.sampling).variables()
    }

    fn processor(
        &self,
        signal: Signal,
        processor: Value,
        mut batch: BatchConfig,
    ) -> Result<Destination, FileError> {
        let (name, value) = processor.fields()?.only()?;
        let unknown = value.error("no processor has this name: batch, simple");
        let mut fields = value.fields()?;
        match name.as_str() {
            "batch" => {
                if let Some(delay) = fields.count("schedule_delay")? {
                    batch.schedule_delay = Duration::from_millis(u64::from(delay.max(1)));
                }
                batch.export_timeout = milliseconds(&mut fields, "export_timeout")?.or(batch.export_timeout);
                if let Some(size) = fields.optional("max_queue_size") {
                    batch.max_queue_size = size_of(&size)?;
                    batch.is_queue_size_given = true;
                }
                match fields.optional("max_export_batch_size") {
                    Some(size) => {
                        batch.max_export_batch_size = size_of(&size)?;
                        batch.is_batch_size_given = true;
                        // What is bounded by its size alone holds any number.
                        let is_counted = self.settings.queue == Queue::Sdk || batch.is_queue_size_given;
                        if is_counted && batch.max_export_batch_size > batch.max_queue_size {
                            return Err(size.error("a batch is not larger than the queue, max_queue_size"));
                        }
                    }
                    None => batch.max_export_batch_size = BATCH.min(batch.max_queue_size),
                }
            }
            // Each by itself and at once, but on the thread of the export: nothing here blocks the application.
            "simple" => (batch.max_export_batch_size, batch.is_batch_size_given) = (1, true),
            _ => return Err(unknown),
        }
        let exporter = self.exporter(signal, fields.required("exporter")?, None)?;
        fields.end()?;
        Ok(Destination { exporter, batch })
    }
}

/// The SDK allocates a whole queue at once, so there is an upper bound.
fn size_of(value: &Value) -> Result<usize, FileError> {
    let size = usize::try_from(value.count()?).ok().filter(|size| (1..=1_000_000).contains(size));
    size.ok_or_else(|| value.expected("a whole number from 1 to 1000000"))
}

fn span_limits(fields: Option<Fields>, general: GeneralLimits, config: &mut Config) -> Result<(), FileError> {
    let (mut own, mut counts) = (GeneralLimits::default(), [COUNT; 4]);
    if let Some(mut fields) = fields {
        own.count = fields.count("attribute_count_limit")?;
        own.length = fields.count("attribute_value_length_limit")?;
        let keys = [
            "event_count_limit",
            "link_count_limit",
            "event_attribute_count_limit",
            "link_attribute_count_limit",
        ];
        for (count, key) in counts.iter_mut().zip(keys) {
            *count = fields.count(key)?.unwrap_or(COUNT);
        }
        fields.end()?;
    }
    let [events, links, event_attributes, link_attributes] = counts;
    let (count, length) = own.or(general);
    config.span_limits = SpanLimits {
        max_attributes_per_span: count,
        max_events_per_span: events,
        max_links_per_span: links,
        max_attributes_per_event: event_attributes,
        max_attributes_per_link: link_attributes,
    };
    config.limits = of_counts(&config.span_limits, length, config.limits.log);
    Ok(())
}
