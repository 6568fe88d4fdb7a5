//! The exact counts as metrics, by the names of the semantic conventions. The SDK has a few of them itself.
//!
//! <https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/>

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use crate::Signal;
use crate::export::Monitor;

/// The SDK's own scope.
const SCOPE: &str = "otel.sdk";

/// The words for the items of a signal: in names of metrics, and in units.
fn words(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Traces => ("span", "{span}"),
        Signal::Metrics => ("metric_data_point", "{data_point}"),
        Signal::Logs => ("log", "{log_record}"),
    }
}

/// Registers what is read from the counts of `monitor` whenever metrics are collected.
///
/// `index` tells the destinations of one signal apart.
pub(crate) fn observe(provider: &SdkMeterProvider, monitor: &Arc<Monitor>, index: usize) {
    let meter = provider.meter(SCOPE);
    exported(&meter, monitor, index);
    in_flight(&meter, monitor, index);
    if monitor.signal() != Signal::Metrics {
        queued(&meter, monitor, index);
    }
}

fn exported(meter: &Meter, monitor: &Arc<Monitor>, index: usize) {
    let (item, unit) = words(monitor.signal());
    let component = component(&exporter(monitor), index);
    let with_error = |error| [component.as_slice(), &[KeyValue::new("error.type", error)]].concat();
    let (rejected, failed) = (with_error("rejected"), with_error("_OTHER"));
    let monitor = Arc::clone(monitor);
    // Registered with the meter; the handle is of no use.
    let _ = meter
        .u64_observable_counter(format!("otel.sdk.exporter.{item}.exported"))
        .with_unit(unit)
        .with_description("Items for which the export has finished, either successful or failed.")
        .with_callback(move |observer| {
            let counts = monitor.tally.counts();
            observer.observe(counts.exported, &component);
            for (count, attributes) in [(counts.rejected, &rejected), (counts.failed, &failed)] {
                if count > 0 {
                    observer.observe(count, attributes);
                }
            }
        })
        .build();
}

fn queued(meter: &Meter, monitor: &Arc<Monitor>, index: usize) {
    let item = words(monitor.signal()).0;
    let queue = || component(processor(monitor.signal()), index);
    gauge(meter, monitor, format!("otel.sdk.processor.{item}.queue.size"), "Items in the queue.", queue(), {
        |monitor| {
            let counts = monitor.tally.counts();
            Some(counts.queued.saturating_sub(counts.in_flight))
        }
    });
    let capacity = "The most items that the queue holds, where they are counted and not their bytes alone.";
    let name = format!("otel.sdk.processor.{item}.queue.capacity");
    gauge(meter, monitor, name, capacity, queue(), |monitor| monitor.tally.most());
}

fn in_flight(meter: &Meter, monitor: &Arc<Monitor>, index: usize) {
    let item = words(monitor.signal()).0;
    let name = format!("otel.sdk.exporter.{item}.inflight");
    let description = "Items that were passed to the exporter, and whose export has not ended.";
    let component = component(&exporter(monitor), index);
    gauge(meter, monitor, name, description, component, |monitor| Some(monitor.tally.counts().in_flight));
}

/// What is read when metrics are collected, if there is something to say.
fn gauge(
    meter: &Meter,
    monitor: &Arc<Monitor>,
    name: String,
    description: &'static str,
    component: Vec<KeyValue>,
    read: fn(&Monitor) -> Option<u64>,
) {
    let (_, unit) = words(monitor.signal());
    let monitor = Arc::clone(monitor);
    // Registered with the meter; the handle is of no use.
    let _ = meter
        .i64_observable_up_down_counter(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(move |observer| {
            if let Some(value) = read(&monitor) {
                observer.observe(i64::try_from(value).unwrap_or(i64::MAX), &component);
            }
        })
        .build();
}

/// `otlp_grpc_span_exporter`, or `otel_init_span_exporter` for what the conventions have no word for.
fn exporter(monitor: &Monitor) -> String {
    let item = match monitor.signal() {
        Signal::Traces => "span",
        Signal::Metrics => "metric",
        Signal::Logs => "log",
    };
    format!("{}_{item}_exporter", monitor.kind())
}

/// Both kinds of queues are called as the SDK's.
fn processor(signal: Signal) -> &'static str {
    if signal == Signal::Traces { "batching_span_processor" } else { "batching_log_processor" }
}

fn component(kind: &str, index: usize) -> Vec<KeyValue> {
    vec![
        KeyValue::new("otel.component.type", kind.to_owned()),
        KeyValue::new("otel.component.name", format!("{kind}/{index}")),
    ]
}

/// Counts what left a queue, or did not fit in it. The SDK's own queues count what leaves them.
#[derive(Debug)]
pub(crate) struct Processed {
    processed: Counter<u64>,
    /// The first is that the queue was full.
    attributes: [KeyValue; 3],
    too_late: [KeyValue; 3],
}

impl Processed {
    pub(crate) fn new(provider: &SdkMeterProvider, signal: Signal, index: usize) -> Self {
        let (item, unit) = words(signal);
        let plural = if signal == Signal::Traces { "spans" } else { "log records" };
        let kind = processor(signal);
        let processed = provider
            .meter(SCOPE)
            .u64_counter(format!("otel.sdk.processor.{item}.processed"))
            .with_unit(unit)
            .with_description(format!(
                "The number of {plural} for which the processing has finished, either successful or failed."
            ))
            .build();
        let with_error = |error: &'static str| {
            [
                KeyValue::new("error.type", error),
                KeyValue::new("otel.component.type", kind),
                KeyValue::new("otel.component.name", format!("{kind}/{index}")),
            ]
        };
        Self { processed, attributes: with_error("queue_full"), too_late: with_error("already_shutdown") }
    }

    pub(crate) fn queue_full(&self) {
        self.processed.add(1, &self.attributes);
    }

    pub(crate) fn came_too_late(&self) {
        self.processed.add(1, &self.too_late);
    }

    pub(crate) fn taken(&self, count: u64) {
        self.processed.add(count, &self.attributes[1..]);
    }
}
