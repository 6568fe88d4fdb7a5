//! Anthropic's messages.

use serde_json::Value;

use super::{
    arguments, list, message_of, modality_of, other, server_tool_call, server_tool_call_response, string,
    tool, tool_call, tool_result,
};
use crate::content::message::{Message, Part, RequestContent, ToolDefinition};
use crate::content::output::{Block, Output};

pub(super) fn request(body: &Value) -> RequestContent {
    RequestContent {
        system_instructions: parts(&body["system"]),
        input_messages: list(&body["messages"]).map(message).collect(),
        tool_definitions: list(&body["tools"]).filter_map(definition).collect(),
        truncated: false,
    }
}

fn message(value: &Value) -> Message {
    message_of(&value["role"], parts(&value["content"]))
}

fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::Text(text.clone())],
        _ => list(content).filter_map(part).collect(),
    }
}

fn part(value: &Value) -> Option<Part> {
    let kind = value["type"].as_str()?;
    Some(match kind {
        "text" => Part::Text(string(&value["text"])?),
        "thinking" => Part::Reasoning(string(&value["thinking"])?),
        "tool_use" => tool_call(&value["id"], &value["name"], &value["input"])?,
        "tool_result" => tool_result(&value["tool_use_id"], &value["content"]),
        "server_tool_use" | "mcp_tool_use" => server_tool_call(
            string(&value["id"]),
            string(&value["name"])?,
            arguments(&value["input"]).as_ref(),
        ),
        _ if kind.ends_with("_tool_result") => {
            server_tool_call_response(string(&value["tool_use_id"]), kind, &value["content"])
        }
        "image" | "document" => source(kind, &value["source"]).unwrap_or_else(|| other(kind, value)),
        _ => other(kind, value),
    })
}

fn source(kind: &str, source: &Value) -> Option<Part> {
    let mime_type = string(&source["media_type"]);
    let modality = mime_type.as_deref().map_or_else(|| kind.to_owned(), modality_of);
    Some(match source["type"].as_str()? {
        "base64" => Part::Blob { mime_type, modality, content: string(&source["data"])? },
        "text" => Part::Text(string(&source["data"])?),
        "url" => Part::Uri { mime_type, modality, uri: string(&source["url"])? },
        "file" => Part::File { mime_type, modality, file_id: string(&source["file_id"])? },
        _ => return None,
    })
}

fn definition(value: &Value) -> Option<ToolDefinition> {
    let kind = value["type"].as_str().filter(|kind| *kind != "custom").unwrap_or("function");
    tool(kind, &value["name"], &value["description"], &value["input_schema"])
}

/// A message, or an event of its stream.
pub(super) fn event(event: &Value, output: &mut Output) {
    let number = event["index"].as_u64().unwrap_or(0);
    match event["type"].as_str() {
        Some("content_block_start") => start(number, &event["content_block"], output),
        Some("content_block_delta") => {
            let delta = &event["delta"];
            output.piece(0, Block::Text(number), &delta["text"]);
            output.piece(0, Block::Reasoning(number), &delta["thinking"]);
            let tool = Block::Tool(number);
            let tool = if output.has(0, tool) { tool } else { Block::ServerTool(number) };
            output.piece(0, tool, &delta["partial_json"]);
        }
        Some("message_delta") => output.finish_reason(0, &event["delta"]["stop_reason"]),
        Some("message_start") => output.role(0, &event["message"]["role"]),
        _ => {
            output.role(0, &event["role"]);
            output.piece(0, Block::Text(0), &event["completion"]);
            output.parts(0, parts(&event["content"]));
            output.finish_reason(0, &event["stop_reason"]);
        }
    }
}

/// Blocks that have no pieces come whole when they start.
fn start(number: u64, block: &Value, output: &mut Output) {
    match block["type"].as_str() {
        Some("text") => output.piece(0, Block::Text(number), &block["text"]),
        Some("thinking") => output.piece(0, Block::Reasoning(number), &block["thinking"]),
        Some("tool_use") => output.tool(0, Block::Tool(number), &block["id"], &block["name"]),
        Some("server_tool_use" | "mcp_tool_use") => {
            output.tool(0, Block::ServerTool(number), &block["id"], &block["name"]);
        }
        _ => output.parts(0, part(block).into_iter().collect()),
    }
}
