//! Attribute values with their types, and the list of attributes that points, logs and received data carry.

use std::fmt;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, KeyValue, Value};

/// A value of an attribute or of a log body. The type that was sent is kept: `1` and `"1"` are different values.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// No value: the sender gave the key alone.
    #[default]
    Empty,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list of values.
    Array(Vec<AttributeValue>),
    /// A map, in the order in which it was sent.
    Map(Vec<(String, AttributeValue)>),
}

impl AttributeValue {
    /// The text, when this is a [`AttributeValue::String`].
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when this is an [`AttributeValue::Int`].
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, when this is an [`AttributeValue::Double`].
    #[must_use]
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, when this is an [`AttributeValue::Bool`].
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

/// Texts are quoted, so that `"1"` and `1` look different in a failure message.
impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number:?}"),
            Self::String(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Array(values) => {
                f.write_str("[")?;
                for (position, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => write_entries(f, entries),
        }
    }
}

/// Attributes in the order in which they were set. A key set twice is there twice, because it is exported twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(String, AttributeValue)>);

impl Attributes {
    /// The value of `key`. Of a key that is there twice, the value that was set last.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether `key` has this value, of this type.
    ///
    /// ```
    /// let attributes: otel_testing::Attributes = [("http.response.status_code", 200)].into_iter().collect();
    /// assert!(attributes.has("http.response.status_code", 200));
    /// assert!(!attributes.has("http.response.status_code", "200"));
    /// ```
    #[must_use]
    pub fn has(&self, key: &str, value: impl Into<AttributeValue>) -> bool {
        self.get(key) == Some(&value.into())
    }

    /// Whether there is any value for `key`.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The keys, sorted; a key that is there twice is listed twice.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.0.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys
    }

    /// Keys and values in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The same, sorted by key: the SDK keeps the attributes of a point in no order.
    pub(crate) fn sorted(&self) -> Self {
        let mut entries = self.0.clone();
        entries.sort_by(|left, right| left.0.cmp(&right.0));
        Self(entries)
    }

    /// Whether these are the same, in whatever order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && (self == other || self.sorted() == other.sorted())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_entries(f, &self.0)
    }
}

impl<K: Into<String>, V: Into<AttributeValue>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<'a> FromIterator<&'a KeyValue> for Attributes {
    fn from_iter<I: IntoIterator<Item = &'a KeyValue>>(entries: I) -> Self {
        entries.into_iter().map(|entry| (entry.key.as_str(), entry.value.clone())).collect()
    }
}

fn write_entries(f: &mut fmt::Formatter<'_>, entries: &[(String, AttributeValue)]) -> fmt::Result {
    f.write_str("{")?;
    for (position, (key, value)) in entries.iter().enumerate() {
        write!(f, "{}{key}={value}", if position == 0 { "" } else { ", " })?;
    }
    f.write_str("}")
}

macro_rules! conversions {
    ($($from:ty => |$value:ident| $into:expr;)*) => {$(
        impl From<$from> for AttributeValue {
            fn from($value: $from) -> Self {
                $into
            }
        }
    )*};
}

conversions! {
    bool => |value| Self::Bool(value);
    i32 => |value| Self::Int(value.into());
    u16 => |value| Self::Int(value.into());
    u32 => |value| Self::Int(value.into());
    i64 => |value| Self::Int(value);
    f64 => |value| Self::Double(value);
    &str => |value| Self::String(value.to_owned());
    String => |value| Self::String(value);
    Vec<u8> => |value| Self::Bytes(value);
    Vec<&str> => |value| Self::Array(value.into_iter().map(Self::from).collect());
    Vec<String> => |value| Self::Array(value.into_iter().map(Self::from).collect());
    Vec<i64> => |value| Self::Array(value.into_iter().map(Self::from).collect());
    Value => |value| match value {
        Value::Bool(value) => Self::Bool(value),
        Value::I64(number) => Self::Int(number),
        Value::F64(number) => Self::Double(number),
        Value::String(text) => Self::String(text.into()),
        Value::Array(array) => from_array(array),
        // The enum may grow: what we do not know yet is shown as text rather than lost.
        other => Self::String(other.to_string()),
    };
    AnyValue => |value| match value {
        AnyValue::Int(number) => Self::Int(number),
        AnyValue::Double(number) => Self::Double(number),
        AnyValue::String(text) => Self::String(text.into()),
        AnyValue::Boolean(value) => Self::Bool(value),
        AnyValue::Bytes(bytes) => Self::Bytes(*bytes),
        AnyValue::ListAny(values) => Self::Array(values.into_iter().map(Self::from).collect()),
        AnyValue::Map(entries) => {
            // A hash map has no order of its own; sorted keys compare and print the same every time.
            let mut entries: Vec<(String, Self)> =
                entries.into_iter().map(|(key, value)| (key.to_string(), value.into())).collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Self::Map(entries)
        }
        other => Self::String(format!("{other:?}")),
    };
}

fn from_array(array: Array) -> AttributeValue {
    match array {
        Array::Bool(values) => AttributeValue::Array(values.into_iter().map(AttributeValue::from).collect()),
        Array::I64(values) => values.into(),
        Array::F64(values) => AttributeValue::Array(values.into_iter().map(AttributeValue::from).collect()),
        Array::String(values) => AttributeValue::Array(
            values.into_iter().map(|text| AttributeValue::String(text.into())).collect(),
        ),
        other => AttributeValue::String(other.to_string()),
    }
}

macro_rules! comparisons {
    ($($with:ty => |$value:ident| $as:expr;)*) => {$(
        impl PartialEq<$with> for AttributeValue {
            fn eq(&self, $value: &$with) -> bool {
                *self == $as
            }
        }
    )*};
}

comparisons! {
    &str => |value| Self::String((*value).to_owned());
    String => |value| Self::String(value.clone());
    bool => |value| Self::Bool(*value);
    i64 => |value| Self::Int(*value);
    f64 => |value| Self::Double(*value);
}
