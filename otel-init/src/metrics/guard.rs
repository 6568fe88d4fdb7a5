//! What is wrong with the attributes of metrics: seen when they are collected, told once.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::diagnostics;
use crate::export::attributes_of_metric;

/// "otel.metric.overflow", true, marks the set of all that came after the limit.
pub(crate) const OVERFLOW: &str = "otel.metric.overflow";

/// No more names than this are kept.
const MOST: usize = 100;

/// Keeps the metrics that overflow, and the attributes that were warned about.
#[derive(Debug, Default)]
pub(crate) struct AttributeGuard(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    overflowing: BTreeSet<String>,
    identifying: BTreeSet<(String, String)>,
}

impl AttributeGuard {
    /// The metrics with more sets of attributes than their limit.
    pub(crate) fn overflowing(&self) -> Vec<String> {
        self.lock().overflowing.iter().cloned().collect()
    }

    /// Looks through what was collected.
    pub(crate) fn look(&self, request: &mut ExportMetricsServiceRequest) {
        let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
        for scope in scopes {
            let meter = scope.scope.as_ref().map(|scope| scope.name.clone()).unwrap_or_default();
            for metric in &mut scope.metrics {
                let name = metric.name.clone();
                for attributes in attributes_of_metric(metric) {
                    attributes.iter().for_each(|attribute| self.judge(&meter, &name, attribute));
                }
            }
        }
    }

    /// The same for a label of Prometheus, whose names have no dots.
    #[cfg(feature = "prometheus")]
    pub(crate) fn judge_label(&self, metric: &str, label: &str, value: &str) {
        if label == "otel_metric_overflow" {
            self.overflows("", metric);
        } else if !label.starts_with("otel_scope_") && metric != "target_info" && looks_like_an_id(value) {
            self.identifies("", metric, label);
        }
    }

    fn judge(&self, meter: &str, metric: &str, attribute: &KeyValue) {
        if attribute.key == OVERFLOW {
            return self.overflows(meter, metric);
        }
        let Some(AnyValue { value: Some(Value::StringValue(text)) }) = &attribute.value else {
            return;
        };
        if looks_like_an_id(text) {
            self.identifies(meter, metric, &attribute.key);
        }
    }

    fn overflows(&self, meter: &str, metric: &str) {
        let mut seen = self.lock();
        if seen.overflowing.len() < MOST && seen.overflowing.insert(metric.to_owned()) {
            drop(seen);
            diagnostics::warn(&format!(
                "the metric {metric}{} has more sets of attributes than its limit; what comes on top is counted \
                 together, with {OVERFLOW}: leave an attribute of many values out, or raise the limit \
                 (`with_cardinality_limit`)",
                of(meter)
            ));
        }
    }

    fn identifies(&self, meter: &str, metric: &str, attribute: &str) {
        let mut seen = self.lock();
        let key = (metric.to_owned(), attribute.to_owned());
        if seen.identifying.len() < MOST && seen.identifying.insert(key) {
            drop(seen);
            // The value may be personal, so it is left out.
            diagnostics::warn(&format!(
                "the attribute {attribute} of the metric {metric}{} has values that look like ids: each makes a time \
                 series of its own. Leave it out, or see `with_metric_attributes`",
                of(meter)
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(meter: &str) -> String {
    if meter.is_empty() { String::new() } else { format!(" of {meter:?}") }
}

/// UUIDs, and long runs of digits or of hexadecimal digits with both kinds in them. Dates, versions, addresses and words
/// are none.
fn looks_like_an_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_uuid = bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_number = bytes.len() >= 8 && digits == bytes.len();
    let is_hex =
        bytes.len() >= 16 && bytes.iter().all(u8::is_ascii_hexdigit) && digits > 0 && digits < bytes.len();
    is_uuid || is_number || is_hex
}

#[cfg(test)]
mod tests {
    use super::looks_like_an_id;

    #[test]
    fn ids_are_told_from_words() {
        for id in
            ["0f8fad5b-d9cd-469f-a165-70867728950e", "20260111093012", "4bf92f3577b34da6a3ce929d0e0e4736"]
        {
            assert!(looks_like_an_id(id), "{id}");
        }
        for word in [
            "GET",
            "/users/{id}",
            "200",
            "de-DE",
            "1.2.3",
            "deadbeefcafe",
            "eu-central-1",
            "",
            "10.0.0.1",
            "facade",
        ] {
            assert!(!looks_like_an_id(word), "{word}");
        }
    }
}
