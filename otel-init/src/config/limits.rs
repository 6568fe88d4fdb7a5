//! How many attributes, events and links are kept, and how long values may be.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#attribute-limits>

use std::fmt::Display;

use opentelemetry_sdk::trace::SpanLimits;

use super::environment::Environment;
use crate::safety::{AttributeLimits, Limits};

pub(super) const COUNT: u32 = 128;

/// The counts while a span runs, and what is enforced when it ends.
pub(super) fn resolve(environment: &Environment<'_>) -> (SpanLimits, Limits) {
    let count = |name| environment.count(&[name], COUNT).unwrap_or(COUNT);
    let counts = SpanLimits {
        max_attributes_per_span: own_or_general("SPAN", "COUNT", COUNT, environment).unwrap_or(COUNT),
        max_events_per_span: count("OTEL_SPAN_EVENT_COUNT_LIMIT"),
        max_links_per_span: count("OTEL_SPAN_LINK_COUNT_LIMIT"),
        max_attributes_per_event: count("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
        max_attributes_per_link: count("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
    };
    let length = |model| own_or_general(model, "VALUE_LENGTH", "no limit", environment);
    let log_count = own_or_general("LOGRECORD", "COUNT", COUNT, environment).unwrap_or(COUNT);
    let limits = of_counts(&counts, length("SPAN"), of_attributes(log_count, length("LOGRECORD")));
    (counts, limits)
}

/// Values of spans, their events and links have the same length.
pub(super) fn of_counts(counts: &SpanLimits, length: Option<u32>, log: AttributeLimits) -> Limits {
    Limits {
        span: of_attributes(counts.max_attributes_per_span, length),
        event: of_attributes(counts.max_attributes_per_event, length),
        link: of_attributes(counts.max_attributes_per_link, length),
        log,
    }
}

pub(super) fn of_attributes(count: u32, length: Option<u32>) -> AttributeLimits {
    AttributeLimits { count: to_usize(count), value_length: length.map(to_usize) }
}

/// "SHOULD first attempt to use the model-specific limit, if it isn't set, then the SDK SHOULD attempt to use the
/// general limit."
fn own_or_general(
    model: &str,
    what: &str,
    default: impl Display,
    environment: &Environment<'_>,
) -> Option<u32> {
    let names = [format!("OTEL_{model}_ATTRIBUTE_{what}_LIMIT"), format!("OTEL_ATTRIBUTE_{what}_LIMIT")];
    environment.count(&names.each_ref().map(String::as_str), default)
}

fn to_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
