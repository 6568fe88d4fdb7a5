//! Content of tools, retrievals and memories: what the policy for messages says of the same as parts of messages.

use opentelemetry::KeyValue;
use serde_json::Value;

use super::guard::Guard;
use crate::content::{ContentPolicy, Message, OutputMessage, Part, RequestContent};
use otel_core::call_hook;

/// What a content is, so that the policy hides and masks it like the message that carries the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Captured {
    /// What somebody looks for.
    Input,
    /// What was found: a model is going to read it.
    Output,
    /// A model has written them.
    ToolArguments,
    /// A model is going to read it.
    ToolResult,
}

impl Guard {
    pub(crate) fn capture_text(&mut self, key: &'static str, kind: Captured, text: &str) {
        if self.captures_content() {
            self.capture_json(key, kind, &Value::from(text));
        }
    }

    /// Records what the policy leaves of it, as JSON text, or as the text that it is.
    pub(crate) fn capture_json(&mut self, key: &'static str, kind: Captured, content: &Value) {
        if !self.captures_content() {
            return;
        }
        let policy = self.genai().content_policy();
        let text = match call_hook(|| filtered(policy, kind, content), None) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => return,
        };
        self.say(KeyValue::new(key, text));
    }

    fn captures_content(&mut self) -> bool {
        self.genai().content_policy().captures() && self.is_recorded()
    }
}

/// What the policy lets into a span of what a tool says of its failure.
pub(crate) fn captured_message(policy: &ContentPolicy, message: &str) -> Option<String> {
    let captured = call_hook(|| filtered(policy, Captured::ToolResult, &Value::from(message)), None)?;
    captured.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What the policy leaves; `None` if that is nothing, or does not go into spans.
fn filtered(policy: &ContentPolicy, kind: Captured, content: &Value) -> Option<Value> {
    let policy = policy.for_spans()?;
    let (role, part) = match (kind, content) {
        (Captured::Input, Value::String(text)) => ("user", Part::Text(text.clone())),
        (Captured::ToolArguments, _) => {
            let arguments = Some(content.clone());
            ("assistant", Part::ToolCall { id: None, name: String::new(), arguments })
        }
        _ => ("tool", Part::ToolCallResponse { id: None, response: content.clone() }),
    };
    let message = Message { role: role.to_owned(), parts: vec![part], name: None };
    let is_output = kind == Captured::ToolArguments;
    let captured = if is_output {
        let finish_reason = "tool_call".to_owned();
        policy.apply(RequestContent::default(), vec![OutputMessage { message, finish_reason }])
    } else {
        let request = RequestContent { input_messages: vec![message], ..RequestContent::default() };
        policy.apply(request, Vec::new())
    };
    let key = if is_output { "gen_ai.output.messages" } else { "gen_ai.input.messages" };
    let json = captured.span_attributes.into_iter().find(|pair| pair.key.as_str() == key)?;
    let mut messages: Value = serde_json::from_str(&json.value.as_str()).ok()?;
    let part = messages.get_mut(0)?.get_mut("parts")?.get_mut(0)?;
    ["content", "arguments", "response"].into_iter().find_map(|field| part.get_mut(field).map(Value::take))
}
