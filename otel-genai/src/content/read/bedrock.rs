//! Amazon Bedrock: Converse, and the bodies of models behind InvokeModel.

use serde_json::Value;

use super::{anthropic, chat, list, message_of, other, string, text_message, tool, tool_call, tool_result};
use crate::content::message::{Message, Part, RequestContent, ToolDefinition};
use crate::content::output::{Block, Output};

pub(super) fn request(body: &Value) -> RequestContent {
    RequestContent {
        system_instructions: list(&body["system"]).filter_map(part).collect(),
        input_messages: list(&body["messages"]).map(message).collect(),
        tool_definitions: list(&body["toolConfig"]["tools"]).filter_map(definition).collect(),
        truncated: false,
    }
}

fn message(value: &Value) -> Message {
    message_of(&value["role"], list(&value["content"]).filter_map(part).collect())
}

fn part(value: &Value) -> Option<Part> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "text" => Part::Text(string(inner)?),
        "toolUse" => tool_call(&inner["toolUseId"], &inner["name"], &inner["input"])?,
        "toolResult" => tool_result(&inner["toolUseId"], &inner["content"]),
        "reasoningContent" => match string(&inner["reasoningText"]["text"]) {
            Some(text) => Part::Reasoning(text),
            None => other(kind, inner),
        },
        "image" | "document" | "video" | "audio" => media(kind, inner).unwrap_or_else(|| other(kind, inner)),
        _ => other(kind, inner),
    })
}

fn media(kind: &str, value: &Value) -> Option<Part> {
    let modality = kind.to_owned();
    let mime_type =
        value["format"].as_str().map(|format| format!("{kind}/{format}")).filter(|_| kind != "document");
    let source = &value["source"];
    if let Some(content) = string(&source["bytes"]) {
        return Some(Part::Blob { mime_type, modality, content });
    }
    Some(Part::Uri { mime_type, modality, uri: string(&source["s3Location"]["uri"])? })
}

fn definition(value: &Value) -> Option<ToolDefinition> {
    let spec = &value["toolSpec"];
    tool("function", &spec["name"], &spec["description"], &spec["inputSchema"]["json"])
}

/// The body is the model's own, and says whose by its fields.
pub(super) fn invoke_model_request(body: &Value) -> RequestContent {
    let first = &body["messages"][0]["content"][0];
    if !body["anthropic_version"].is_null() || first["type"].is_string() {
        return anthropic::request(body);
    }
    if first.is_object() {
        return request(body);
    }
    let mut content = chat::request(body);
    for prompt in [&body["prompt"], &body["inputText"]] {
        content.input_messages.extend(text_message("user", prompt));
    }
    content
}

/// An answer of Converse, or an event of its stream; Nova's own streams name the event.
pub(super) fn event(event: &Value, output: &mut Output) {
    for name in ["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop"] {
        if event[name].is_object() {
            self::event(&event[name], output);
        }
    }
    let number = event["contentBlockIndex"].as_u64().unwrap_or(0);
    let message = &event["output"]["message"];
    output.role(0, &message["role"]);
    output.role(0, &event["role"]);
    output.parts(0, list(&message["content"]).filter_map(part).collect());
    let start = &event["start"]["toolUse"];
    if start.is_object() {
        output.tool(0, Block::Tool(number), &start["toolUseId"], &start["name"]);
    }
    let delta = &event["delta"];
    output.piece(0, Block::Text(number), &delta["text"]);
    output.piece(0, Block::Reasoning(number), &delta["reasoningContent"]["text"]);
    output.piece(0, Block::Tool(number), &delta["toolUse"]["input"]);
    output.finish_reason(0, &event["stopReason"]);
}

pub(super) fn invoke_model_event(event: &Value, output: &mut Output) {
    let is_anthropic = event["type"].is_string();
    if is_anthropic {
        return anthropic::event(event, output);
    }
    chat::choices(event, output);
    self::event(event, output);
    // Titan, Llama, Cohere, Mistral.
    for text in ["outputText", "generation", "text"] {
        output.piece(0, Block::Text(0), &event[text]);
    }
    for field in ["completionReason", "stop_reason", "finish_reason"] {
        output.finish_reason(0, &event[field]);
    }
    for field in ["results", "outputs", "generations"] {
        for (index, result) in (0..).zip(list(&event[field])) {
            output.piece(index, Block::Text(0), &result["text"]);
            output.piece(index, Block::Text(0), &result["outputText"]);
            for reason in ["completionReason", "stop_reason", "finish_reason"] {
                output.finish_reason(index, &result[reason]);
            }
        }
    }
}
