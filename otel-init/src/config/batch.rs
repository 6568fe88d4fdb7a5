//! `OTEL_BSP_*`, `OTEL_BLRP_*`, `OTEL_METRIC_EXPORT_INTERVAL` and the temporality of metrics.
//!
//! The SDK reads most of them itself, but from the process only and without a word about bad values, so each is read
//! here and handed over.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;

use super::Settings;
use super::environment::Environment;
use crate::Queue;
use crate::metrics::ExemplarFilter;
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

/// Which measurements may become exemplars.
pub(crate) fn exemplar_filter(settings: &Settings, environment: &Environment<'_>) -> ExemplarFilter {
    let (name, default) = ("OTEL_METRICS_EXEMPLAR_FILTER", ExemplarFilter::default());
    let said =
        || environment.choice(&[name], ExemplarFilter::EXPECTED, default.name(), ExemplarFilter::parse);
    settings.exemplar_filter.or_else(said).unwrap_or(default)
}

/// Whether histograms without a view of their own have exponential buckets.
pub(crate) fn exponential_histograms(settings: &Settings, environment: &Environment<'_>) -> bool {
    if settings.exponential_histograms {
        return true;
    }
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    environment.choice(&[name], HISTOGRAMS, "explicit_bucket_histogram", is_exponential).unwrap_or(false)
}

pub(super) const HISTOGRAMS: &str = "explicit_bucket_histogram or base2_exponential_bucket_histogram";

pub(super) fn is_exponential(histogram: &str) -> Option<bool> {
    match histogram {
        "explicit_bucket_histogram" => Some(false),
        "base2_exponential_bucket_histogram" => Some(true),
        _ => None,
    }
}
