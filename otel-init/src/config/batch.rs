//! `OTEL_BSP_*`, `OTEL_BLRP_*`, `OTEL_METRIC_EXPORT_INTERVAL` and the temporality of metrics.
//!
//! The SDK reads most of them itself, but from the process only and without a word about bad values, so each is read
//! here and handed over.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;

use super::Settings;
use super::environment::Environment;
use crate::Queue;
use crate::metrics::{ExemplarFilter, MetricSettings};
use crate::pipeline::BATCH_BYTES;

const QUEUE: usize = 2048;
pub(crate) const BATCH: usize = 512;
const SPAN_DELAY: Duration = Duration::from_secs(5);
const LOG_DELAY: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(60);
/// What holds without a bound on it, in words.
pub(super) const EXPORT_TIMEOUT: &str = "the timeout of the exporter";

/// How finished spans or log records wait for their export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchConfig {
    pub(crate) max_queue_size: usize,
    /// Whether anybody said it.
    pub(crate) is_queue_size_given: bool,
    pub(crate) max_export_batch_size: usize,
    /// Whether anybody said it.
    pub(crate) is_batch_size_given: bool,
    pub(crate) schedule_delay: Duration,
    /// A bound on the timeout of the exporter.
    pub(crate) export_timeout: Option<Duration>,
}

impl BatchConfig {
    pub(crate) fn spans(queue: Queue, environment: &Environment<'_>) -> Self {
        Self::resolve("OTEL_BSP", SPAN_DELAY, queue, environment)
    }

    pub(crate) fn logs(queue: Queue, environment: &Environment<'_>) -> Self {
        Self::resolve("OTEL_BLRP", LOG_DELAY, queue, environment)
    }

    /// `prefix` is `OTEL_BSP` or `OTEL_BLRP`.
    fn resolve(prefix: &str, default_delay: Duration, queue: Queue, environment: &Environment<'_>) -> Self {
        let default = |bytes: usize, entries: usize| match queue {
            Queue::Encoded { .. } => format!("{bytes} bytes, or {entries} entries in a queue of the SDK,"),
            Queue::Sdk => entries.to_string(),
        };
        let most_bytes = if let Queue::Encoded { max_bytes } = queue { max_bytes } else { 0 };
        let size = format!("{prefix}_MAX_QUEUE_SIZE");
        let given = environment.size(&size, default(most_bytes, QUEUE));
        let max_queue_size = given.unwrap_or(QUEUE);
        let batch = format!("{prefix}_MAX_EXPORT_BATCH_SIZE");
        let given_batch = environment.size(&batch, default(BATCH_BYTES, BATCH));
        let mut max_export_batch_size = given_batch.unwrap_or(BATCH);
        // What is bounded by its size alone holds any number.
        let is_counted = queue == Queue::Sdk || given.is_some();
        if is_counted && max_export_batch_size > max_queue_size {
            if given_batch.is_some() {
                environment.warn(format!(
                    "{batch} is \"{max_export_batch_size}\", expected no more than the queue holds; {max_queue_size} is used"
                ));
            }
            max_export_batch_size = max_queue_size;
        }
        Self {
            max_queue_size,
            is_queue_size_given: given.is_some(),
            max_export_batch_size,
            is_batch_size_given: given_batch.is_some(),
            schedule_delay: environment
                .delay(&format!("{prefix}_SCHEDULE_DELAY"), default_delay.as_millis())
                .unwrap_or(default_delay),
            export_timeout: environment.timeout(&[&format!("{prefix}_EXPORT_TIMEOUT")], EXPORT_TIMEOUT),
        }
    }
}

pub(crate) fn metric_interval(settings: &Settings, environment: &Environment<'_>) -> Duration {
    let otherwise = settings.metric_export_interval.unwrap_or(INTERVAL);
    let interval = environment.delay("OTEL_METRIC_EXPORT_INTERVAL", otherwise.as_millis());
    settings.metric_export_interval.or(interval).unwrap_or(INTERVAL)
}

pub(crate) fn temporality(settings: &Settings, environment: &Environment<'_>) -> Temporality {
    if let Some(temporality) = settings.temporality {
        return temporality;
    }
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    environment
        .choice(&[name], "cumulative, delta or lowmemory", "cumulative", temporality_named)
        .unwrap_or(Temporality::Cumulative)
}

/// The variable and the file spell it differently.
pub(super) fn temporality_named(name: &str) -> Option<Temporality> {
    match name {
        "cumulative" => Some(Temporality::Cumulative),
        "delta" => Some(Temporality::Delta),
        "lowmemory" | "low_memory" => Some(Temporality::LowMemory),
        _ => None,
    }
}

/// What the code said of metrics, or else the variables.
pub(crate) fn metrics(code: &MetricSettings, environment: &Environment<'_>) -> MetricSettings {
    let (name, default) =
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram");
    let is_exponential = || environment.choice(&[name], HISTOGRAMS, default, is_exponential).unwrap_or(false);
    let exponential_histograms = code.exponential_histograms || is_exponential();
    let (name, default) = ("OTEL_METRICS_EXEMPLAR_FILTER", ExemplarFilter::default().name());
    let filter = || environment.choice(&[name], ExemplarFilter::EXPECTED, default, ExemplarFilter::parse);
    let exemplar_filter = code.exemplar_filter.or_else(filter);
    MetricSettings { exponential_histograms, exemplar_filter, ..code.clone() }
}

pub(super) const HISTOGRAMS: &str = "explicit_bucket_histogram or base2_exponential_bucket_histogram";

pub(super) fn is_exponential(histogram: &str) -> Option<bool> {
    match histogram {
        "explicit_bucket_histogram" => Some(false),
        "base2_exponential_bucket_histogram" => Some(true),
        _ => None,
    }
}
