//! `resource:`.

use opentelemetry::{Array, Key, StringValue, Value as Attribute};

use super::error::FileError;
use super::fields::{Fields, Value};
use super::{FileConfig, Reader};
use crate::config::detection::{self, Filter};
use crate::config::percent;

impl Reader<'_> {
    /// "Entries have higher priority than entries from .resource.attributes_list."
    pub(super) fn resource(&self, mut fields: Fields, file: &mut FileConfig) -> Result<(), FileError> {
        if let Some(value) = fields.optional("attributes_list") {
            let unread =
                |place| value.error(format!("expected {}, which its entry {place} is not", percent::PAIRS));
            let pairs = percent::decode_pairs(&value.text()?).map_err(unread)?;
            for (key, text) in pairs {
                file.resource_lines.insert(key.clone(), value.line());
                file.resource.push((Key::from(key), Attribute::from(text)));
            }
        }
        if let Some(value) = fields.optional("attributes") {
            for item in value.list()? {
                let line = item.line();
                if let Some((key, value)) = attribute(item)? {
                    file.resource_lines.insert(key.to_string(), line);
                    file.resource.push((key, value));
                }
            }
        }
        file.schema_url = fields.text("schema_url")?;
        if let Some(detection) = fields.fields("detection")? {
            self.detection(detection, file)?;
        }
        fields.end()
    }

    fn detection(&self, mut fields: Fields, file: &mut FileConfig) -> Result<(), FileError> {
        if let Some(mut attributes) = fields.fields("attributes")? {
            file.detected = include_exclude(&mut attributes)?;
            attributes.end()?;
        }
        if let Some(detectors) = fields.optional("detectors") {
            for item in detectors.list()? {
                let (name, value) = item.fields()?.only()?;
                let name = name.to_ascii_lowercase();
                if !detection::is_known(&name, &self.settings.registry) {
                    let hint = detection::missing_feature(&name)
                        .unwrap_or_else(|| detection::names(&self.settings.registry).join(", "));
                    return Err(value.error(format!("no detector has this name: {hint}")));
                }
                value.nothing()?;
                file.config.detectors.push(name);
            }
        }
        fields.end()
    }
}

/// Two lists of patterns.
pub(super) fn include_exclude(fields: &mut Fields) -> Result<Filter, FileError> {
    let included = fields.optional("included").map(Value::texts).transpose()?;
    let excluded = fields.optional("excluded").map(Value::texts).transpose()?;
    Ok(Filter { included, excluded: excluded.unwrap_or_default() })
}

/// A name, a value, and a type that is a text unless it says otherwise. A null is no attribute.
fn attribute(item: Value) -> Result<Option<(Key, Attribute)>, FileError> {
    let mut fields = item.fields()?;
    let name = fields.required("name")?;
    let kind = fields.optional("type");
    let Some(value) = fields.optional("value") else {
        fields.end()?;
        return Ok(None);
    };
    // "The attribute key, which MUST be a non-null and non-empty string."
    let name = name.choice("a name", |name| (!name.is_empty()).then(|| name.to_owned()))?;
    let (value, text) = (value.of(&name), kind.as_ref().map(Value::text).transpose()?);
    let attribute = match text.as_deref().unwrap_or("string") {
        "string" => value.text()?.into(),
        "bool" => value.boolean()?.into(),
        "int" => value.integer()?.into(),
        "double" => value.number()?.into(),
        "string_array" => {
            let texts: Vec<StringValue> = value.texts()?.into_iter().map(StringValue::from).collect();
            Attribute::Array(Array::String(texts))
        }
        "bool_array" => Attribute::Array(Array::Bool(each(value, Value::boolean)?)),
        "int_array" => Attribute::Array(Array::I64(each(value, Value::integer)?)),
        "double_array" => Attribute::Array(Array::F64(each(value, Value::number)?)),
        _ => {
            let expected = "string, bool, int, double, or one of them with _array";
            return Err(kind.unwrap_or(value).expected(expected));
        }
    };
    fields.end()?;
    Ok(Some((name.into(), attribute)))
}

fn each<T>(value: Value, read: impl Fn(&Value) -> Result<T, FileError>) -> Result<Vec<T>, FileError> {
    value.list()?.iter().map(read).collect()
}
