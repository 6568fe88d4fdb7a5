//! The counts of sampling as metrics.

use std::sync::Arc;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::control::{SamplingControl, SamplingHealth};

const SCOPE: &str = "otel-init";

/// Registers what is read from the counts whenever metrics are collected, as far as it is in use.
pub(crate) fn observe(provider: &SdkMeterProvider, control: &Arc<SamplingControl>) {
    let meter = provider.meter(SCOPE);
    if control.has_limits() {
        counter(&meter, control, "otel_init.sampling.rate_limited", "{trace}", RATE_LIMITED, |health| {
            health.rate_limited
        });
    }
    if control.keeps() {
        counter(&meter, control, "otel_init.sampling.kept", "{trace}", KEPT, |health| health.kept_traces);
        counter(&meter, control, "otel_init.sampling.dropped", "{span}", DROPPED, |health| {
            health.dropped_spans
        });
        waiting(&meter, control);
    }
}

const RATE_LIMITED: &str = "Traces that the head sampled and a rate limit refused.";
const KEPT: &str = "Local traces that were kept for an error, or because they were slow.";
const DROPPED: &str =
    "Spans that were not sampled and could not wait until it was known whether to keep them.";

fn counter(
    meter: &Meter,
    control: &Arc<SamplingControl>,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    read: fn(&SamplingHealth) -> u64,
) {
    let control = Arc::downgrade(control);
    // Registered with the meter; the handle is of no use.
    let _ = meter
        .u64_observable_counter(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(move |observer| {
            if let Some(control) = control.upgrade() {
                observer.observe(read(&control.health()), &[]);
            }
        })
        .build();
}

fn waiting(meter: &Meter, control: &Arc<SamplingControl>) {
    let control = Arc::downgrade(control);
    let _ = meter
        .i64_observable_up_down_counter("otel_init.sampling.waiting")
        .with_unit("{span}")
        .with_description("Spans that wait until it is known whether their trace is kept.")
        .with_callback(move |observer| {
            if let Some(control) = control.upgrade() {
                observer.observe(i64::try_from(control.health().waiting_spans).unwrap_or(i64::MAX), &[]);
            }
        })
        .build();
}
