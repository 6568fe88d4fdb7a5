//! Messages of the conventions from bodies of providers.

mod anthropic;
mod bedrock;
mod chat;
mod gemini;
mod responses;

use serde_json::{Map, Value, json};

use super::message::{Message, Part, RequestContent, ToolDefinition};
use super::output::Output;
use crate::provider::Api;

/// More messages or tools are not kept: the first ones are the old ones, but the tools of a request are few.
const LIST_LENGTH: usize = 4096;

/// The content of a request's body.
pub(crate) fn request(api: Api, body: &Value) -> RequestContent {
    match api {
        Api::OpenAiChat | Api::OllamaChat | Api::CohereChat => chat::request(body),
        Api::OpenAiCompletions | Api::AnthropicCompletions | Api::OllamaGenerate => chat::prompt(body),
        Api::OpenAiResponses => responses::request(body),
        Api::AnthropicMessages => anthropic::request(body),
        Api::GeminiGenerateContent => gemini::request(body),
        Api::BedrockConverse => bedrock::request(body),
        Api::BedrockInvokeModel => bedrock::invoke_model_request(body),
        // The conventions have no content for these.
        Api::OpenAiEmbeddings
        | Api::GeminiEmbedContent
        | Api::BedrockEmbeddings
        | Api::OllamaEmbed
        | Api::CohereEmbed
        | Api::CohereRerank => RequestContent::default(),
    }
}

/// The content of a response's body, or of the next event of a stream.
pub(crate) fn event(api: Api, event: &Value, output: &mut Output) {
    match api {
        Api::OpenAiChat | Api::OpenAiCompletions => chat::choices(event, output),
        Api::OpenAiResponses => responses::event(event, output),
        Api::AnthropicMessages | Api::AnthropicCompletions => anthropic::event(event, output),
        Api::GeminiGenerateContent => gemini::event(event, output),
        Api::BedrockConverse => bedrock::event(event, output),
        Api::BedrockInvokeModel => bedrock::invoke_model_event(event, output),
        Api::OllamaChat | Api::OllamaGenerate => chat::ollama(event, output),
        Api::CohereChat => chat::cohere(event, output),
        Api::OpenAiEmbeddings
        | Api::GeminiEmbedContent
        | Api::BedrockEmbeddings
        | Api::OllamaEmbed
        | Api::CohereEmbed
        | Api::CohereRerank => {}
    }
}

/// The conventions' word for a role.
pub(super) fn role(role: &str) -> String {
    match role {
        "model" | "CHATBOT" | "bot" => "assistant",
        "USER" => "user",
        "SYSTEM" => "system",
        "function" | "TOOL" => "tool",
        other => other,
    }
    .to_owned()
}

/// Arguments as they are meant, if they are valid JSON; a part of them stays a text.
pub(super) fn arguments_text(text: String) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn arguments(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => arguments_text(text.clone()),
        other => Some(other.clone()),
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten().take(LIST_LENGTH)
}

/// Results of tools come as messages of the user; the conventions' role for them is `tool`.
fn message_of(sender: &Value, parts: Vec<Part>) -> Message {
    let is_result = |part: &Part| matches!(part, Part::ToolCallResponse { .. });
    let role = if !parts.is_empty() && parts.iter().all(is_result) {
        "tool".to_owned()
    } else {
        role(sender.as_str().unwrap_or("user"))
    };
    Message { role, parts, name: None }
}

fn text_message(who: &str, text: &Value) -> Option<Message> {
    let parts = vec![Part::Text(string(text)?)];
    Some(Message { role: role(who), parts, name: None })
}

/// An URL, which may hold the data itself.
fn media(modality: &str, url: &str) -> Part {
    let modality = modality.to_owned();
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match data {
        Some((mime, content)) => {
            let mime_type = mime.split(';').next().filter(|mime| !mime.is_empty()).map(str::to_owned);
            Part::Blob { mime_type, modality, content: content.to_owned() }
        }
        None => Part::Uri { mime_type: None, modality, uri: url.to_owned() },
    }
}

fn modality_of(mime_type: &str) -> String {
    let kind = mime_type.split('/').next().filter(|kind| matches!(*kind, "image" | "video" | "audio"));
    kind.unwrap_or("document").to_owned()
}

/// A part of a kind that the conventions do not have: `type` and all that the provider says.
fn other(kind: &str, value: &Value) -> Part {
    let mut fields: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
    fields.remove("type");
    Part::Other { kind: kind.to_owned(), fields }
}

/// A call of a tool that the provider runs itself.
pub(super) fn server_tool_call(id: Option<String>, name: String, arguments: Option<&Value>) -> Part {
    let call = json!({"type": name, "arguments": arguments});
    server_part("server_tool_call", id, Some(name), call)
}

fn server_tool_call_response(id: Option<String>, kind: &str, content: &Value) -> Part {
    server_part("server_tool_call_response", id, None, json!({"type": kind, "content": content}))
}

fn server_part(kind: &str, id: Option<String>, name: Option<String>, inner: Value) -> Part {
    let mut fields = Map::new();
    let texts = [("id", id), ("name", name)];
    fields.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::String(text?)))));
    fields.insert(kind.to_owned(), inner);
    Part::Other { kind: kind.to_owned(), fields }
}

fn tool_call(id: &Value, name: &Value, arguments: &Value) -> Option<Part> {
    Some(Part::ToolCall { id: string(id), name: string(name)?, arguments: self::arguments(arguments) })
}

fn tool_result(id: &Value, response: &Value) -> Part {
    Part::ToolCallResponse { id: string(id), response: response.clone() }
}

/// A tool that the provider runs has no other name than its kind.
fn provided_tool(kind: &str) -> ToolDefinition {
    ToolDefinition { kind: kind.to_owned(), name: kind.to_owned(), ..ToolDefinition::default() }
}

fn tool(kind: &str, name: &Value, description: &Value, parameters: &Value) -> Option<ToolDefinition> {
    Some(ToolDefinition {
        kind: kind.to_owned(),
        name: string(name)?,
        description: string(description),
        parameters: Some(parameters.clone()).filter(|parameters| !parameters.is_null()),
    })
}
