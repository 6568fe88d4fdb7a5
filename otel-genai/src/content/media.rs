//! Images and the like in what is no part of its own, such as answers of tools.

use serde_json::{Map, Value};

const KINDS: &[&str] = &["image", "audio", "video", "document"];
const TYPES: &[&str] = &[
    "image_url",
    "input_image",
    "input_audio",
    "input_file",
    "file",
    "resource_link",
    "computer_screenshot",
];
/// Where the data is, or what refers to it.
const SOURCES: &[&str] =
    &["source", "data", "file_data", "url", "image_url", "file_url", "uri", "file_id", "file", "input_audio"];

/// Leaves out whatever is media by its own word, data and references alike.
pub(super) fn drop_media_parts(value: &mut Value) {
    if is_media(value) {
        *value = Value::from("");
    }
    match value {
        Value::Array(items) => {
            items.retain(|item| !is_media(item));
            items.iter_mut().for_each(drop_media_parts);
        }
        Value::Object(fields) => fields.values_mut().for_each(drop_media_parts),
        _ => {}
    }
}

/// Data in what is not a part of its own, such as answers of tools.
pub(super) fn drop_data(response: &mut Value) {
    match response {
        Value::Array(items) => items.iter_mut().for_each(drop_data),
        Value::Object(fields) => {
            drop_media(fields);
            fields.values_mut().for_each(drop_data);
        }
        Value::String(text) if text.starts_with("data:") && text.contains(";base64,") => text.clear(),
        _ => {}
    }
}

/// `{"data": "<base64>"}` beside the type of it, whatever the provider calls the rest; Bedrock's is in a `source`.
pub(super) fn drop_media(fields: &mut Map<String, Value>) {
    // A resource of MCP, whose type may be left out.
    if fields.contains_key("uri") {
        fields.remove("blob");
    }
    let is_type = |key: &String| matches!(key.as_str(), "media_type" | "mime_type" | "mimeType" | "format");
    if !fields.keys().any(is_type) {
        return;
    }
    for key in ["data", "bytes"] {
        fields.remove(key);
        if let Some(Value::Object(source)) = fields.get_mut("source") {
            source.remove(key);
        }
    }
}

/// Bedrock says what it is by the name of the only field, others by a type beside the source.
fn is_media(value: &Value) -> bool {
    let Value::Object(fields) = value else { return false };
    let kind = fields.get("type").and_then(Value::as_str);
    let is_typed = kind.is_some_and(|kind| KINDS.contains(&kind) || TYPES.contains(&kind));
    (is_typed && has_source(fields)) || (fields.len() == 1 && KINDS.iter().any(|kind| is_named(fields, kind)))
}

fn has_source(fields: &Map<String, Value>) -> bool {
    SOURCES.iter().any(|source| fields.contains_key(*source))
}

fn is_named(fields: &Map<String, Value>, kind: &str) -> bool {
    fields.get(kind).is_some_and(|media| media.get("source").is_some())
}
