//! Attributes and bodies: `KeyValue` and `AnyValue` of `common.proto`.

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, KeyValue, Value};

use super::protobuf::{message, present_bytes, present_fixed64, present_uint, varint_len};

// Fields of AnyValue.
const STRING: u32 = 1;
const BOOL: u32 = 2;
const INT: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const MAP: u32 = 6;
const BYTES: u32 = 7;
/// The key of `KeyValue.value`.
const VALUE: u8 = 2 << 3 | 2;
/// The field of `ArrayValue` and `KeyValueList`.
const VALUES: u32 = 1;

pub(super) fn attributes(out: &mut Vec<u8>, field: u32, attributes: &[KeyValue]) {
    for attribute in attributes {
        let key = attribute.key.as_str();
        let is_written = match &attribute.value {
            Value::String(text) => short_text(out, field, key, text.as_str()),
            Value::I64(number) => short_integer(out, field, key, *number),
            _ => false,
        };
        if !is_written {
            key_value(out, field, key, |out| value(out, &attribute.value));
        }
    }
}

/// Most attributes are so short that each length is one byte, and known before. Whether this was one.
fn short_text(out: &mut Vec<u8>, field: u32, key: &str, text: &str) -> bool {
    let is_short = short_head(out, field, key, 2 + text.len());
    if is_short {
        out.extend_from_slice(&[VALUE, 2 + text.len() as u8, (STRING << 3 | 2) as u8, text.len() as u8]);
        out.extend_from_slice(text.as_bytes());
    }
    is_short
}

/// Numbers are short, if their key is.
fn short_integer(out: &mut Vec<u8>, field: u32, key: &str, number: i64) -> bool {
    let any_len = 1 + varint_len(number as u64);
    let is_short = short_head(out, field, key, any_len);
    if is_short {
        out.extend_from_slice(&[VALUE, any_len as u8]);
        integer(out, number);
    }
    is_short
}

/// The key, and everything before it, of an attribute whose `AnyValue` is `any_len` long; or nothing, if the whole is not short.
fn short_head(out: &mut Vec<u8>, field: u32, key: &str, any_len: usize) -> bool {
    let len = 2 + key.len() + 2 + any_len;
    if len >= 0x80 || field >= 16 || key.is_empty() {
        return false;
    }
    out.reserve(2 + len);
    out.extend_from_slice(&[(field << 3 | 2) as u8, len as u8, 0x0a, key.len() as u8]);
    out.extend_from_slice(key.as_bytes());
    true
}

pub(super) fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    message(out, field, |out| {
        super::protobuf::bytes(out, 1, key.as_bytes());
        message(out, 2, value);
    });
}

/// The content of an `AnyValue`. Variants that the API may get one day are written as no value.
fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(value) => boolean(out, *value),
        Value::I64(number) => integer(out, *number),
        Value::F64(number) => double(out, *number),
        Value::String(text) => string(out, text.as_str()),
        Value::Array(array) => message(out, ARRAY, |out| match array {
            Array::Bool(values) => elements(out, values, |out, value| boolean(out, *value)),
            Array::I64(values) => elements(out, values, |out, number| integer(out, *number)),
            Array::F64(values) => elements(out, values, |out, number| double(out, *number)),
            Array::String(values) => elements(out, values, |out, text| string(out, text.as_str())),
            _ => {}
        }),
        _ => {}
    }
}

/// The content of an `AnyValue` of the logs API.
pub(super) fn any_value(out: &mut Vec<u8>, value: &AnyValue) {
    match value {
        AnyValue::Boolean(value) => boolean(out, *value),
        AnyValue::Int(number) => integer(out, *number),
        AnyValue::Double(number) => double(out, *number),
        AnyValue::String(text) => string(out, text.as_str()),
        AnyValue::Bytes(content) => present_bytes(out, BYTES, content),
        AnyValue::ListAny(values) => message(out, ARRAY, |out| elements(out, values, any_value)),
        AnyValue::Map(entries) => message(out, MAP, |out| {
            for (key, value) in entries.iter() {
                key_value(out, VALUES, key.as_str(), |out| any_value(out, value));
            }
        }),
        _ => {}
    }
}

fn elements<T>(out: &mut Vec<u8>, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    for value in values {
        message(out, VALUES, |out| write(out, value));
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    present_bytes(out, STRING, text.as_bytes());
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    present_uint(out, BOOL, u64::from(value));
}

fn integer(out: &mut Vec<u8>, number: i64) {
    // int64 is the two's complement.
    present_uint(out, INT, number as u64);
}

fn double(out: &mut Vec<u8>, number: f64) {
    present_fixed64(out, DOUBLE, number.to_bits());
}
