//! What was said, in the words of the conventions.

use rig_agent::completion::message::{self, AssistantContent, ToolResultContent, UserContent};
use rig_agent::completion::{CompletionRequest, CompletionResponse, FinishReason};
use rig_agent::tool::ToolOutput;
use serde_json::Value;

use crate::content::{Message, OutputMessage, Part, RequestContent, ToolDefinition};
use crate::provider::{ResponseFacts, ToolCall, Usage};

pub(super) fn of_request(request: &CompletionRequest) -> RequestContent {
    let mut content = RequestContent::default();
    // Later versions of rig share the messages and the tools.
    for message in &request.chat_history {
        content.input_messages.push(of_message(message));
    }
    for tool in &request.tools {
        content.tool_definitions.push(ToolDefinition {
            kind: "function".to_owned(),
            name: tool.name.to_string(),
            description: Some(tool.description.clone()),
            parameters: Some(tool.parameters.clone()),
        });
    }
    content
}

/// What the response says, and its content if that is wanted.
pub(super) fn read_response(response: &CompletionResponse, captures: bool, facts: &mut ResponseFacts) {
    let origin = &response.origin;
    facts.id.clone_from(&origin.response_id);
    facts.model.clone_from(&origin.response_model);
    facts.usage = usage(&response.usage);
    (facts.choices, facts.complete) = (1, true);
    let finish_reason = response.finish_reason();
    facts.finish_reasons.extend(finish_reason.as_ref().map(|reason| words(reason).to_owned()));
    facts.tool_calls = response
        .tool_calls()
        .map(|call| ToolCall {
            id: Some(call.id.wire().into_owned()),
            name: Some(call.function.name.to_string()),
        })
        .collect();
    if captures {
        let finish_reason = match &finish_reason {
            Some(FinishReason::ToolCalls) => "tool_call",
            Some(reason) => words(reason),
            None => "",
        };
        let message = assistant(&response.choice);
        facts.output_messages = vec![OutputMessage { message, finish_reason: finish_reason.to_owned() }];
    }
}

pub(super) fn of_output(output: &ToolOutput) -> Value {
    match (output.as_json(), output.as_text()) {
        (Some(json), _) => json.clone(),
        (None, Some(text)) => Value::from(text),
        (None, None) => Value::from(output.render()),
    }
}

fn usage(usage: &rig_agent::completion::Usage) -> Usage {
    let tokens = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
    Usage {
        input_tokens: tokens(usage.input_tokens),
        output_tokens: tokens(usage.output_tokens),
        cache_read_input_tokens: tokens(usage.cached_input_tokens),
        cache_write_input_tokens: tokens(usage.cache_creation_input_tokens),
        reasoning_output_tokens: tokens(usage.reasoning_tokens),
        ..Usage::default()
    }
}

fn words(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Other(reason) => reason,
        _ => "other",
    }
}

fn of_message(message: &message::Message) -> Message {
    match message {
        message::Message::System { content } => Message::text("system", content.as_str()),
        message::Message::User { content } => {
            let is_result = |part: &UserContent| matches!(part, UserContent::ToolResult(_));
            let role = if content.iter().any(is_result) { "tool" } else { "user" };
            Message { role: role.to_owned(), parts: content.iter().filter_map(user).collect(), name: None }
        }
        message::Message::Assistant(turn) => assistant(&turn.content),
    }
}

/// Images and other media are left out.
fn user(part: &UserContent) -> Option<Part> {
    match part {
        UserContent::Text(text) => Some(Part::Text(text.text.clone())),
        UserContent::ToolResult(result) => {
            let response = result.content.iter().filter_map(tool_result).collect::<Vec<_>>();
            let response = match <[Value; 1]>::try_from(response) {
                Ok([only]) => only,
                Err(all) => Value::from(all),
            };
            Some(Part::ToolCallResponse { id: Some(result.call.wire().into_owned()), response })
        }
        _ => None,
    }
}

fn tool_result(content: &ToolResultContent) -> Option<Value> {
    content.as_json().cloned().or_else(|| content.as_text().map(Value::from))
}

fn assistant(content: &[AssistantContent]) -> Message {
    let parts = content.iter().filter_map(|part| match part {
        AssistantContent::Text(text) => Some(Part::Text(text.text.clone())),
        AssistantContent::Reasoning(reasoning) => Some(Part::Reasoning(reasoning.text.clone())),
        AssistantContent::ToolCall(call) => Some(Part::ToolCall {
            id: Some(call.id.wire().into_owned()),
            name: call.function.name.to_string(),
            arguments: Some(call.function.arguments_value()),
        }),
        _ => None,
    });
    Message { role: "assistant".to_owned(), parts: parts.collect(), name: None }
}
