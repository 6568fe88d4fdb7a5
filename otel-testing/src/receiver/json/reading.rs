//! OTLP/JSON as Protobuf's JSON mapping allows it to be written, and as the generated types do not read it: a double "can be
//! one of the special string values "NaN", "Infinity", and "-Infinity"; either numbers or strings are accepted"
//! (<https://protobuf.dev/programming-guides/json/>).

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Number, Value};

use super::path::{Located, Step};

/// The fields of type double in the messages of the three signals. Those of this name that are none hold objects.
const DOUBLES: &[&str] =
    &["doubleValue", "asDouble", "sum", "min", "max", "zeroThreshold", "explicitBounds", "quantile", "value"];

/// The integer fields of these messages. Enumerations are none: a string would be a name there.
const INTEGERS: &[&str] = &[
    "intValue",
    "asInt",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "timeUnixNano",
    "observedTimeUnixNano",
    "count",
    "zeroCount",
    "bucketCounts",
    "flags",
    "droppedAttributesCount",
    "droppedEventsCount",
    "droppedLinksCount",
    "scale",
    "offset",
];

pub(in crate::receiver) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    from_value(serde_json::from_slice(json)?)
}

pub(super) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Field { is_double: false, step: None, value }).map_err(Error::from)
}

/// A value, with what the name of its field says of it.
struct Field {
    is_double: bool,
    /// How it is reached from what it is in; nothing for the document.
    step: Option<Step>,
    value: Value,
}

impl Field {
    /// "null is an accepted value for all field types and treated as the default value", so it is as good as absent.
    fn entries(object: serde_json::Map<String, Value>) -> impl Iterator<Item = (String, Self)> {
        object.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, mut value)| {
            let is_double = DOUBLES.contains(&key.as_str());
            complete(&key, &mut value);
            let step = Some(Step::Field(key.clone()));
            (key, Self { is_double, step, value })
        })
    }

    fn visit<'de, V: Visitor<'de>>(is_double: bool, value: Value, visitor: V) -> Result<V::Value, Located> {
        match value {
            Value::String(text) if is_double => visitor.visit_f64(double(&text)?),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(elements) => {
                let elements = elements.into_iter().enumerate().map(|(index, value)| Self {
                    is_double,
                    step: Some(Step::Element(index)),
                    value,
                });
                visitor.visit_seq(SeqDeserializer::new(elements))
            }
            Value::Object(object) => visitor.visit_map(MapDeserializer::new(Self::entries(object))),
            other => Ok(other.deserialize_any(visitor)?),
        }
    }
}

impl<'de> Deserializer<'de> for Field {
    type Error = Located;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Located> {
        let read = Self::visit(self.is_double, self.value, visitor);
        read.map_err(|error| error.within(self.step))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Located> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Located> {
        let read = match self.value {
            Value::Object(object) => {
                let entries = MapDeserializer::new(Self::entries(object));
                visitor.visit_enum(MapAccessDeserializer::new(entries))
            }
            other => other.deserialize_enum(name, variants, visitor).map_err(Located::from),
        };
        read.map_err(|error| error.within(self.step))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Located> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Located> for Field {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Of some messages the generated types want every field, and Protobuf's JSON leaves out those that are empty. Integers and
/// bytes they take in one form only.
fn complete(field: &str, value: &mut Value) {
    let (list, text) = (Value::Array(Vec::new()), Value::from(""));
    match field {
        "arrayValue" => fill(value, &[("values", &list)]),
        "kvlistValue" => {
            fill(value, &[("values", &list)]);
            if let Some(values) = value.get_mut("values") {
                each(values, &[("key", &text)]);
            }
        }
        "attributes" | "filteredAttributes" | "metadata" => each(value, &[("key", &text)]),
        "entityRefs" => each(
            value,
            &[("schemaUrl", &text), ("type", &text), ("idKeys", &list), ("descriptionKeys", &list)],
        ),
        _ if INTEGERS.contains(&field) => as_integers(value),
        "bytesValue" => {
            if let Value::String(text) = value {
                *text = standard_base64(text);
            }
        }
        _ => {}
    }
}

/// "Either standard or URL-safe base64 encoding with/without paddings are accepted."
fn standard_base64(text: &str) -> String {
    let mut standard = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    while standard.len() % 4 > 1 {
        standard.push('=');
    }
    standard
}

/// As the generated types take them, alone or in a list; what is no integer stays, and they refuse it.
fn as_integers(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(as_integers),
        Value::String(text) => {
            if let Some(number) = serde_json::from_str(text).ok().as_ref().and_then(integer) {
                *value = number.into();
            }
        }
        Value::Number(number) => {
            if let Some(integer) = integer(number) {
                *number = integer;
            }
        }
        _ => {}
    }
}

/// "5.0" and "1e2" are integers too, which languages without a type for those write; nothing is rounded.
fn integer(number: &Number) -> Option<Number> {
    const END_OF_I64: f64 = (1_u64 << 63) as f64;
    if !number.is_f64() {
        return Some(number.clone());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    if (-END_OF_I64..END_OF_I64).contains(&float) {
        return Some((float as i64).into());
    }
    (END_OF_I64..2.0 * END_OF_I64).contains(&float).then(|| (float as u64).into())
}

fn each(messages: &mut Value, fields: &[(&str, &Value)]) {
    messages.as_array_mut().into_iter().flatten().for_each(|message| fill(message, fields));
}

fn fill(message: &mut Value, fields: &[(&str, &Value)]) {
    let Value::Object(message) = message else { return };
    for (name, empty) in fields {
        let field = message.entry(*name).or_insert(Value::Null);
        if field.is_null() {
            field.clone_from(empty);
        }
    }
}

fn double(text: &str) -> Result<f64, Error> {
    match text {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        // As in JSON: Rust reads "inf", "nan" and the like besides.
        _ => serde_json::from_str(text)
            .map_err(|_| Error::custom(format!("invalid value: {text:?} where a number is expected"))),
    }
}
