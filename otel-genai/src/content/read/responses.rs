//! OpenAI's Responses.

use serde_json::Value;

use super::{chat, list, other, role, string, text_message, tool_result};
use crate::content::message::{Message, Part, RequestContent};
use crate::content::output::{Block, Output};

pub(super) fn request(body: &Value) -> RequestContent {
    let mut content = RequestContent::default();
    content.system_instructions.extend(string(&body["instructions"]).map(Part::Text));
    content.input_messages.extend(text_message("user", &body["input"]));
    content.input_messages.extend(list(&body["input"]).map(message));
    content.tool_definitions = list(&body["tools"]).map(chat::definition).collect();
    content
}

fn message(item: &Value) -> Message {
    let mut parts = Vec::new();
    let who = match item["type"].as_str() {
        None | Some("message") => {
            chat::parts(&item["content"], &mut parts);
            role(item["role"].as_str().unwrap_or("user"))
        }
        Some(kind) if kind.ends_with("_output") => {
            parts.push(tool_result(&item["call_id"], &item["output"]));
            "tool".to_owned()
        }
        Some(_) => {
            item_parts(item, &mut parts);
            "assistant".to_owned()
        }
    };
    Message { role: who, parts, name: None }
}

fn item_parts(item: &Value, parts: &mut Vec<Part>) {
    match item["type"].as_str().unwrap_or("message") {
        "message" => chat::parts(&item["content"], parts),
        "function_call" | "custom_tool_call" => {
            parts.push(chat::named_call(string(&item["call_id"]), item));
        }
        "reasoning" => {
            let texts = list(&item["summary"]).chain(list(&item["content"]));
            parts.extend(texts.filter_map(|part| string(&part["text"])).map(Part::Reasoning));
        }
        kind => parts.push(other(kind, item)),
    }
}

/// A response, or an event of a stream. The last event has the whole response once more, and counts.
pub(super) fn event(event: &Value, output: &mut Output) {
    let number = |field: &str| event[field].as_u64().unwrap_or(0);
    // Blocks of one message have one number each: 256 parts an item are more than there are.
    let item = number("output_index").saturating_mul(256);
    let part = number("content_index").saturating_add(number("summary_index")).min(255);
    let block = item.saturating_add(part);
    match event["type"].as_str().unwrap_or_default() {
        "response.output_text.delta" | "response.refusal.delta" => {
            output.piece(0, Block::Text(block), &event["delta"]);
        }
        "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
            output.piece(0, Block::Reasoning(block), &event["delta"]);
        }
        "response.output_item.added" if event["item"]["name"].is_string() => {
            output.tool(0, Block::Tool(item), &event["item"]["call_id"], &event["item"]["name"]);
        }
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            output.piece(0, Block::Tool(block), &event["delta"]);
        }
        _ => {
            let response = if event["response"].is_object() { &event["response"] } else { event };
            if list(&response["output"]).next().is_some() {
                whole(response, output);
            }
            finish(response, output);
        }
    }
}

fn whole(response: &Value, output: &mut Output) {
    output.clear();
    let mut parts = Vec::new();
    for item in list(&response["output"]) {
        item_parts(item, &mut parts);
    }
    output.parts(0, parts);
}

/// There is no reason to finish but the status, and of an incomplete response its detail.
fn finish(response: &Value, output: &mut Output) {
    let has_calls = list(&response["output"]).any(|item| item["name"].is_string());
    match response["status"].as_str() {
        Some("completed") if has_calls => output.finish_reason(0, &Value::from("tool_call")),
        Some("completed") => output.finish_reason(0, &Value::from("stop")),
        Some("incomplete") => output.finish_reason(0, &response["incomplete_details"]["reason"]),
        Some("failed" | "cancelled") => output.finish_reason(0, &response["status"]),
        _ => {}
    }
}
