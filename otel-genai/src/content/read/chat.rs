//! OpenAI's chat completions, and what Mistral, Ollama and Cohere made of them.

use serde_json::Value;

use super::{arguments, list, media, other, provided_tool, role, string, text_message, tool, tool_result};
use crate::content::message::{Message, Part, RequestContent, ToolDefinition};
use crate::content::output::{Block, Output};

pub(super) fn request(body: &Value) -> RequestContent {
    let mut content = RequestContent {
        input_messages: list(&body["messages"]).map(message).collect(),
        tool_definitions: list(&body["tools"]).map(definition).collect(),
        ..RequestContent::default()
    };
    content.tool_definitions.extend(list(&body["functions"]).map(definition));
    cohere_version_1(body, &mut content);
    content
}

/// Cohere's first version: the history, then the message.
fn cohere_version_1(body: &Value, content: &mut RequestContent) {
    if let Some(preamble) = string(&body["preamble"]) {
        content.system_instructions.push(Part::Text(preamble));
    }
    let history = list(&body["chat_history"]);
    let said =
        history.filter_map(|turn| text_message(turn["role"].as_str().unwrap_or("user"), &turn["message"]));
    content.input_messages.extend(said);
    content.input_messages.extend(text_message("user", &body["message"]));
}

/// Text completions.
pub(super) fn prompt(body: &Value) -> RequestContent {
    let mut content = RequestContent::default();
    if let Some(system) = string(&body["system"]).filter(|system| !system.is_empty()) {
        content.system_instructions.push(Part::Text(system));
    }
    let prompt = &body["prompt"];
    content.input_messages.extend(text_message("user", prompt));
    content.input_messages.extend(list(prompt).filter_map(|prompt| text_message("user", prompt)));
    if let Some(message) = content.input_messages.last_mut() {
        message.parts.extend(images(&body["images"]));
    }
    content
}

fn message(value: &Value) -> Message {
    let who = role(value["role"].as_str().unwrap_or("user"));
    let mut parts = Vec::new();
    if who == "tool" {
        parts.push(tool_result(&value["tool_call_id"], &value["content"]));
    } else {
        parts.extend(
            ["reasoning_content", "thinking", "tool_plan"]
                .iter()
                .filter_map(|field| string(&value[*field]).map(Part::Reasoning)),
        );
        self::parts(&value["content"], &mut parts);
        parts.extend(string(&value["refusal"]).map(Part::Text));
        parts.extend(images(&value["images"]));
        parts.extend(list(&value["tool_calls"]).map(call));
        if value["function_call"].is_object() {
            parts.push(named_call(None, &value["function_call"]));
        }
    }
    Message { role: who, parts, name: string(&value["name"]) }
}

pub(super) fn parts(content: &Value, parts: &mut Vec<Part>) {
    match content {
        Value::String(text) if !text.is_empty() => parts.push(Part::Text(text.clone())),
        _ => parts.extend(list(content).filter_map(part)),
    }
}

/// A part of a message, also of Responses.
pub(super) fn part(value: &Value) -> Option<Part> {
    if let Some(text) = value.as_str() {
        return Some(Part::Text(text.to_owned()));
    }
    let kind = value["type"].as_str()?;
    Some(match kind {
        "text" | "input_text" | "output_text" | "summary_text" => Part::Text(string(&value["text"])?),
        "refusal" => Part::Text(string(&value["refusal"])?),
        "thinking" => Part::Reasoning(match &value["thinking"] {
            Value::String(text) => text.clone(),
            parts => list(parts).filter_map(|part| part["text"].as_str()).collect(),
        }),
        "image_url" | "video_url" => {
            let url = value[kind]["url"].as_str().or_else(|| value[kind].as_str())?;
            media(kind.trim_end_matches("_url"), url)
        }
        "input_image" => file("image", value, &value["image_url"])?,
        "input_audio" => {
            let audio = &value["input_audio"];
            let mime_type = audio["format"].as_str().map(|format| format!("audio/{format}"));
            Part::Blob { mime_type, modality: "audio".to_owned(), content: string(&audio["data"])? }
        }
        "input_file" => file("document", value, &value["file_url"])?,
        "file" => file("document", &value["file"], &Value::Null)?,
        _ => other(kind, value),
    })
}

fn file(modality: &str, value: &Value, url: &Value) -> Option<Part> {
    if let Some(url) = url.as_str() {
        return Some(media(modality, url));
    }
    if let Some(data) = value["file_data"].as_str() {
        return Some(match media(modality, data) {
            // Base64 without the beginning of a URL.
            Part::Uri { mime_type, modality, uri } => Part::Blob { mime_type, modality, content: uri },
            blob => blob,
        });
    }
    let file_id = string(&value["file_id"])?;
    Some(Part::File { mime_type: None, modality: modality.to_owned(), file_id })
}

fn images(images: &Value) -> impl Iterator<Item = Part> {
    let image = |content| Part::Blob { mime_type: None, modality: "image".to_owned(), content };
    list(images).filter_map(string).map(image)
}

fn call(value: &Value) -> Part {
    let function = if value["function"].is_object() { &value["function"] } else { &value["custom"] };
    named_call(string(&value["id"]), function)
}

pub(super) fn named_call(id: Option<String>, function: &Value) -> Part {
    let given = if function["arguments"].is_null() { &function["input"] } else { &function["arguments"] };
    Part::ToolCall { id, name: string(&function["name"]).unwrap_or_default(), arguments: arguments(given) }
}

/// What it is stands in a field of its own, or beside the kind, as in Responses.
pub(super) fn definition(value: &Value) -> ToolDefinition {
    let kind = value["type"].as_str().unwrap_or("function");
    let function = ["function", "custom"].iter().map(|field| &value[*field]).find(|field| field.is_object());
    let function = function.unwrap_or(value);
    let named = tool(kind, &function["name"], &function["description"], &function["parameters"]);
    named.unwrap_or_else(|| provided_tool(kind))
}

/// Choices of a chat or text completion, or of a chunk of one.
pub(super) fn choices(event: &Value, output: &mut Output) {
    for (position, choice) in list(&event["choices"]).enumerate() {
        let index = choice["index"].as_u64().unwrap_or(position as u64);
        output.piece(index, Block::Text(0), &choice["text"]);
        for message in [&choice["message"], &choice["delta"]] {
            if message.is_object() {
                delta(index, message, output);
            }
        }
        // vLLM says beside the reason what has stopped the model; some models of Bedrock have no other name for the reason.
        let reason = if choice["finish_reason"].is_string() { "finish_reason" } else { "stop_reason" };
        output.finish_reason(index, &choice[reason]);
    }
}

/// A message, or a part of one.
fn delta(index: u64, message: &Value, output: &mut Output) {
    output.role(index, &message["role"]);
    for field in ["reasoning_content", "reasoning", "thinking"] {
        output.piece(index, Block::Reasoning(0), &message[field]);
    }
    output.piece(index, Block::Text(0), &message["content"]);
    for part in list(&message["content"]) {
        match self::part(part) {
            Some(Part::Text(text)) => output.piece(index, Block::Text(0), &Value::String(text)),
            Some(Part::Reasoning(text)) => output.piece(index, Block::Reasoning(0), &Value::String(text)),
            whole => output.parts(index, whole.into_iter().collect()),
        }
    }
    output.piece(index, Block::Text(1), &message["refusal"]);
    output.piece(index, Block::Text(2), &message["audio"]["transcript"]);
    for (position, call) in list(&message["tool_calls"]).enumerate() {
        let number = call["index"].as_u64().unwrap_or(position as u64);
        tool_piece(index, number, call, output);
    }
    let function = &message["function_call"];
    if function.is_object() {
        output.tool(index, Block::Tool(0), &Value::Null, &function["name"]);
        output.piece(index, Block::Tool(0), &function["arguments"]);
    }
}

fn tool_piece(index: u64, number: u64, call: &Value, output: &mut Output) {
    let function = if call["function"].is_object() { &call["function"] } else { &call["custom"] };
    if function["arguments"].is_object() {
        // Ollama sends calls whole, each in an event of its own and without a number.
        output.parts(index, vec![self::call(call)]);
        return;
    }
    output.tool(index, Block::Tool(number), &call["id"], &function["name"]);
    output.piece(index, Block::Tool(number), &function["arguments"]);
    output.piece(index, Block::Tool(number), &function["input"]);
}

pub(super) fn ollama(event: &Value, output: &mut Output) {
    output.piece(0, Block::Reasoning(0), &event["thinking"]);
    output.piece(0, Block::Text(0), &event["response"]);
    if event["message"].is_object() {
        delta(0, &event["message"], output);
    }
    output.finish_reason(0, &event["done_reason"]);
}

/// A chat of Cohere's second version, an event of its stream, or a chat of the first.
pub(super) fn cohere(event: &Value, output: &mut Output) {
    let number = event["index"].as_u64().unwrap_or(0);
    let (message, is_piece) = match &event["delta"]["message"] {
        Value::Object(_) => (&event["delta"]["message"], true),
        _ => (&event["message"], false),
    };
    output.role(0, &message["role"]);
    output.piece(0, Block::Reasoning(0), &message["tool_plan"]);
    if is_piece {
        output.piece(0, Block::Text(number), &message["content"]["text"]);
        output.piece(0, Block::Reasoning(number), &message["content"]["thinking"]);
        if message["tool_calls"].is_object() {
            tool_piece(0, number, &message["tool_calls"], output);
        }
    } else {
        let mut whole = Vec::new();
        parts(&message["content"], &mut whole);
        whole.extend(list(&message["tool_calls"]).map(call));
        output.parts(0, whole);
        if !event["generation_id"].is_null() {
            output.piece(0, Block::Text(0), &event["text"]);
        }
    }
    output.finish_reason(0, &event["finish_reason"]);
    output.finish_reason(0, &event["delta"]["finish_reason"]);
}
