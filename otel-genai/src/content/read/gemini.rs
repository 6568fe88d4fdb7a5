//! Gemini. Both spellings of names are in use: `inlineData` and `inline_data`.

use serde_json::Value;

use super::{list, message_of, modality_of, other, provided_tool, string, tool, tool_call, tool_result};
use crate::content::message::{Message, Part, RequestContent, ToolDefinition};
use crate::content::output::{Block, Output};

pub(super) fn request(body: &Value) -> RequestContent {
    let instructions = either(body, "systemInstruction", "system_instruction");
    RequestContent {
        system_instructions: many(&instructions["parts"]).filter_map(part).collect(),
        input_messages: many(&body["contents"]).map(message).collect(),
        tool_definitions: many(&body["tools"]).flat_map(definitions).collect(),
        truncated: false,
    }
}

fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> &'a Value {
    if value[camel].is_null() { &value[snake] } else { &value[camel] }
}

/// Of a list with one element the element alone will do.
fn many(value: &Value) -> impl Iterator<Item = &Value> {
    list(value).chain(Some(value).filter(|value| value.is_object()))
}

fn message(value: &Value) -> Message {
    message_of(&value["role"], many(&value["parts"]).filter_map(part).collect())
}

fn part(value: &Value) -> Option<Part> {
    if let Some(text) = string(&value["text"]) {
        let is_thought = value["thought"].as_bool().unwrap_or(false);
        return Some(if is_thought { Part::Reasoning(text) } else { Part::Text(text) });
    }
    let call = either(value, "functionCall", "function_call");
    if call.is_object() {
        return tool_call(&call["id"], &call["name"], &call["args"]);
    }
    let result = either(value, "functionResponse", "function_response");
    if result.is_object() {
        return Some(tool_result(&result["id"], &result["response"]));
    }
    let data = either(value, "inlineData", "inline_data");
    if data.is_object() {
        let mime_type = string(either(data, "mimeType", "mime_type"));
        let modality = modality_of(mime_type.as_deref().unwrap_or_default());
        return Some(Part::Blob { mime_type, modality, content: string(&data["data"])? });
    }
    let file = either(value, "fileData", "file_data");
    if file.is_object() {
        let mime_type = string(either(file, "mimeType", "mime_type"));
        let modality = modality_of(mime_type.as_deref().unwrap_or_default());
        return Some(Part::Uri { mime_type, modality, uri: string(either(file, "fileUri", "file_uri"))? });
    }
    let (kind, _) = value.as_object()?.iter().find(|(_, field)| field.is_object())?;
    Some(other(kind, &value[kind]))
}

fn definitions(tools: &Value) -> Vec<ToolDefinition> {
    let functions = either(tools, "functionDeclarations", "function_declarations");
    let function = |value: &Value| {
        let schema = either(value, "parameters", "parametersJsonSchema");
        tool("function", &value["name"], &value["description"], schema)
    };
    let mut definitions: Vec<_> = many(functions).filter_map(function).collect();
    // Tools that the provider runs: `{"googleSearch": {}}`.
    let is_other = |(kind, value): &(&String, &Value)| value.is_object() && !kind.starts_with("function");
    let others = tools.as_object().into_iter().flatten().filter(is_other);
    definitions.extend(others.map(|(kind, _)| provided_tool(kind)));
    definitions
}

pub(super) fn event(event: &Value, output: &mut Output) {
    for (position, candidate) in list(&event["candidates"]).enumerate() {
        let index = candidate["index"].as_u64().unwrap_or(position as u64);
        output.role(index, &candidate["content"]["role"]);
        for part in list(&candidate["content"]["parts"]).filter_map(part) {
            match part {
                Part::Text(text) => output.piece(index, Block::Text(0), &Value::String(text)),
                Part::Reasoning(text) => output.piece(index, Block::Reasoning(0), &Value::String(text)),
                whole => output.parts(index, vec![whole]),
            }
        }
        let reason = &candidate["finishReason"];
        let number = reason.as_u64().map(|number| number.to_string());
        let named = number.and_then(|number| crate::provider::gemini_finish_reason(&number));
        output.finish_reason(index, &named.map_or_else(|| reason.clone(), Value::from));
    }
}
