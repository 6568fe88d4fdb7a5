//! From protobuf to the types that tests read.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::ReceivedResource;
use crate::{AttributeValue, Attributes, Scope};

pub(super) fn attributes(entries: Vec<KeyValue>) -> Attributes {
    entries.into_iter().map(|entry| (entry.key, value(entry.value))).collect()
}

pub(super) fn value(any: Option<AnyValue>) -> AttributeValue {
    match any.and_then(|any| any.value) {
        None => AttributeValue::Empty,
        Some(Value::StringValue(text)) => AttributeValue::String(text),
        Some(Value::BoolValue(value)) => AttributeValue::Bool(value),
        Some(Value::IntValue(number)) => AttributeValue::Int(number),
        Some(Value::DoubleValue(number)) => AttributeValue::Double(number),
        Some(Value::BytesValue(bytes)) => AttributeValue::Bytes(bytes),
        Some(Value::ArrayValue(array)) => {
            AttributeValue::Array(array.values.into_iter().map(|element| value(Some(element))).collect())
        }
        Some(Value::KvlistValue(list)) => AttributeValue::Map(
            list.values.into_iter().map(|entry| (entry.key, value(entry.value))).collect(),
        ),
        // An index into the string table of the profiles signal: without that table it means nothing.
        Some(Value::StringValueStrindex(_)) => AttributeValue::Empty,
    }
}

pub(super) fn resource(resource: Option<Resource>, schema_url: String) -> Arc<ReceivedResource> {
    let attributes = attributes(resource.map(|resource| resource.attributes).unwrap_or_default());
    Arc::new(ReceivedResource { attributes, schema_url })
}

pub(super) fn scope(scope: Option<InstrumentationScope>, schema_url: String) -> Arc<Scope> {
    let scope = scope.unwrap_or_default();
    Arc::new(Scope {
        name: scope.name,
        version: scope.version,
        schema_url,
        attributes: attributes(scope.attributes),
    })
}

/// Ids as the specifications write them: lower-case hex. Empty for an absent id.
pub(super) fn hex(id: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    id.iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// `None` for an absent id, which is sent as nothing or as zeros.
pub(super) fn hex_if_valid(id: &[u8]) -> Option<String> {
    id.iter().any(|byte| *byte != 0).then(|| hex(id))
}
