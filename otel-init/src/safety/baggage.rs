//! Baggage that may become attributes.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::{Context, KeyValue};

use super::glob::Globs;

/// Which entries of the baggage become attributes: none unless they are named, because baggage comes from callers.
#[derive(Debug)]
pub(super) struct BaggageAttributes(pub(super) Globs);

impl BaggageAttributes {
    pub(super) fn of(&self, context: &Context) -> Vec<KeyValue> {
        if self.0.is_empty() {
            return Vec::new();
        }
        context
            .baggage()
            .iter()
            .filter(|(key, _)| self.0.is_match(key.as_str()))
            .map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone()))
            .collect()
    }
}
