//! Questions to a span of the SDK.

use std::collections::BTreeMap;

use opentelemetry::trace::SpanId;
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// What a test asks a finished span.
pub trait SpanDataExt {
    /// The value of the attribute `key`. Of a key that is there twice, the value that was set last.
    fn attribute(&self, key: &str) -> Option<&Value>;

    /// Whether the attribute `key` has this value, of this type.
    fn has(&self, key: &str, value: impl Into<Value>) -> bool;

    /// The attributes by key. A key that was set twice is there once, with the value that was set last.
    fn attribute_map(&self) -> BTreeMap<&str, &Value>;

    /// Whether it has no parent, here or elsewhere.
    fn is_root(&self) -> bool;

    /// Whether `parent` is its parent, in the same trace.
    fn is_child_of(&self, parent: &SpanData) -> bool;
}

impl SpanDataExt for SpanData {
    fn attribute(&self, key: &str) -> Option<&Value> {
        find(&self.attributes, key)
    }

    fn has(&self, key: &str, value: impl Into<Value>) -> bool {
        self.attribute(key) == Some(&value.into())
    }

    fn attribute_map(&self) -> BTreeMap<&str, &Value> {
        self.attributes.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect()
    }

    fn is_root(&self) -> bool {
        self.parent_span_id == SpanId::INVALID
    }

    fn is_child_of(&self, parent: &SpanData) -> bool {
        self.parent_span_id == parent.span_context.span_id()
            && self.span_context.trace_id() == parent.span_context.trace_id()
    }
}

fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().rev().find(|entry| entry.key.as_str() == key).map(|entry| &entry.value)
}
