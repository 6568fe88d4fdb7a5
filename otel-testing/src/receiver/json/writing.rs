//! OTLP/JSON as Protobuf's JSON mapping wants it to be written: a double that is no number "will be … one of the special string
//! values "NaN", "Infinity", and "-Infinity"" (<https://protobuf.dev/programming-guides/json/>). `serde_json` writes `null`,
//! which stands for no value at all.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

/// `otel-init` (`src/export/json.rs`) and `otel-testing` (`src/receiver/json/writing.rs`) have the same file, because neither
/// depends on the other; CI compares them.
pub(crate) fn to_vec(message: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut json = Vec::new();
    message.serialize(Doubles(&mut serde_json::Serializer::new(&mut json)))?;
    Ok(json)
}

/// A serializer, or what it made for a list or an object, around which doubles are seen.
struct Doubles<S>(S);

/// A value inside of another one, on its way to the serializer that is wrapped.
struct Inside<'v, T: ?Sized>(&'v T);

impl<T: Serialize + ?Sized> Serialize for Inside<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Doubles(serializer))
    }
}

macro_rules! scalars {
    ($($method:ident: $value:ty),*) => {$(
        fn $method(self, value: $value) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        }
    )*};
}

macro_rules! compounds {
    ($($method:ident($($name:ident: $argument:ty),*) -> $compound:ident;)*) => {$(
        type $compound = Doubles<S::$compound>;

        fn $method(self, $($name: $argument),*) -> Result<Self::$compound, S::Error> {
            self.0.$method($($name),*).map(Doubles)
        }
    )*};
}

impl<S: Serializer> Serializer for Doubles<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        match value {
            _ if value.is_nan() => self.0.serialize_str("NaN"),
            f64::INFINITY => self.0.serialize_str("Infinity"),
            f64::NEG_INFINITY => self.0.serialize_str("-Infinity"),
            _ => self.0.serialize_f64(value),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Inside(value))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Inside(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_variant(name, index, variant, &Inside(value))
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }

    scalars! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_char: char, serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str
    }

    compounds! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant;
    }
}

macro_rules! parts {
    ($($compound:ident::$method:ident($($key:ident)?);)*) => {$(
        impl<S: $compound> $compound for Doubles<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), S::Error> {
                self.0.$method($($key,)? &Inside(value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.0.end()
            }
        }
    )*};
}

parts! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(key);
    SerializeStructVariant::serialize_field(key);
}

impl<S: SerializeMap> SerializeMap for Doubles<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    /// A key is a text.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.0.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_value(&Inside(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}
