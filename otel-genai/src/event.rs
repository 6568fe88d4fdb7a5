//! Attributes of events.

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, Value};

pub(crate) type EventAttributes = Vec<(Key, AnyValue)>;

/// The values of attributes are values of events.
pub(crate) fn any_value(value: Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::Boolean(value),
        Value::I64(value) => AnyValue::Int(value),
        Value::F64(value) => AnyValue::Double(value),
        Value::String(value) => AnyValue::String(value),
        Value::Array(opentelemetry::Array::Bool(values)) => values.into_iter().collect(),
        Value::Array(opentelemetry::Array::I64(values)) => values.into_iter().collect(),
        Value::Array(opentelemetry::Array::F64(values)) => values.into_iter().collect(),
        Value::Array(opentelemetry::Array::String(values)) => values.into_iter().collect(),
        // Both enumerations may grow.
        other => AnyValue::String(other.to_string().into()),
    }
}
