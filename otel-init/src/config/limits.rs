//! How many attributes, events and links are kept, and how long values may be.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#attribute-limits>

use std::fmt::Display;

use opentelemetry_sdk::trace::SpanLimits;

use super::environment::Environment;
use crate::safety::{AttributeLimits, Limits};

const COUNT: u32 = 128;

/// The counts, as the specification has them.
pub(crate) fn span_limits(environment: &Environment<'_>) -> SpanLimits {
    let count = |name| environment.count(&[name], COUNT).unwrap_or(COUNT);
    SpanLimits {
        max_attributes_per_span: own_or_general("SPAN", "COUNT", COUNT, environment).unwrap_or(COUNT),
        max_events_per_span: count("OTEL_SPAN_EVENT_COUNT_LIMIT"),
        max_links_per_span: count("OTEL_SPAN_LINK_COUNT_LIMIT"),
        max_attributes_per_event: count("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
        max_attributes_per_link: count("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
    }
}

/// The counts and lengths of attributes, which this crate enforces itself: the SDK has no lengths and no limits of log
/// records.
pub(crate) fn resolve(environment: &Environment<'_>) -> Limits {
    let counts = span_limits(environment);
    let length = |model| own_or_general(model, "VALUE_LENGTH", "no limit", environment).map(to_usize);
    let limits = |count, value_length| AttributeLimits { count: to_usize(count), value_length };
    let span_length = length("SPAN");
    Limits {
        span: limits(counts.max_attributes_per_span, span_length),
        event: limits(counts.max_attributes_per_event, span_length),
        link: limits(counts.max_attributes_per_link, span_length),
        log: limits(
            own_or_general("LOGRECORD", "COUNT", COUNT, environment).unwrap_or(COUNT),
            length("LOGRECORD"),
        ),
    }
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
