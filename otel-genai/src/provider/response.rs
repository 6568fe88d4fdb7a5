use super::Usage;
use crate::content::OutputMessage;

/// What a response says, in the words of the conventions. Absent is `None` or empty, never a guess.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ResponseFacts {
    /// `gen_ai.response.id`
    pub id: Option<String>,
    /// `gen_ai.response.model`
    pub model: Option<String>,
    /// `gen_ai.response.finish_reasons`: one for each choice, in the provider's words. The Responses
    /// API has none: `stop` if it completed, or else its status, or why it is incomplete
    pub finish_reasons: Vec<String>,
    /// Tokens, counted as the conventions count them.
    pub usage: Usage,
    /// `openai.response.service_tier`
    pub service_tier: Option<String>,
    /// `openai.response.system_fingerprint`
    pub system_fingerprint: Option<String>,
    /// `gen_ai.conversation.id`, where the API has one
    pub conversation_id: Option<String>,
    /// The provider's own state of the response (`completed`, `incomplete`, `failed`), where it has one
    pub status: Option<String>,
    /// How many choices (candidates) came.
    pub choices: u64,
    /// The tools that the model wants called, without their arguments. At most 128 are kept.
    pub tool_calls: Vec<ToolCall>,
    /// What a content filter did.
    pub content_filter: ContentFilter,
    /// What went wrong, in a body with an error status or in the middle of a stream.
    pub error: Option<ProviderError>,
    /// How many embeddings came.
    pub embeddings: u64,
    /// `gen_ai.embeddings.dimension.count`, counted
    pub dimensions: Option<i64>,
    /// The encoding of the embeddings that came: `float`, `base64`, ...
    pub encoding_format: Option<&'static str>,
    /// The response came to its own end: the stream's last event or the body's last brace.
    pub complete: bool,
    /// Events of a stream.
    pub events: u64,
    /// Of these, those that carried output: text, reasoning, parts of tool calls.
    pub output_chunks: u64,
    /// The kinds of the output's items in the provider's words (`message`, `function_call`), where it has them
    pub output_items: Vec<String>,
    /// The output; empty unless it is captured.
    pub output_messages: Vec<OutputMessage>,
    /// Some of the output was not captured because it was larger than the policy allows.
    pub content_truncated: bool,
}

/// A tool that the model wants called.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ToolCall {
    /// `gen_ai.tool.call.id`
    pub id: Option<String>,
    /// `gen_ai.tool.name`
    pub name: Option<String>,
}

/// What a content filter did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ContentFilter {
    /// The prompt was refused or cut.
    pub prompt_filtered: bool,
    /// The output was withheld or cut.
    pub output_filtered: bool,
}

/// An error in the provider's words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProviderError {
    /// The class: `invalid_request_error`, `overloaded_error`, `ThrottlingException`, `INVALID_ARGUMENT`
    pub kind: Option<String>,
    /// The code: `model_not_found`, `content_filter`, `429`
    pub code: Option<String>,
    /// The text. It may repeat parts of the prompt or of a key: not for telemetry unless content is captured.
    pub message: Option<String>,
}

impl ProviderError {
    /// The value of `error.type`: the code if it is a name, or else the class, or else the code, which is a number.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        let named = self.code.as_deref().filter(|code| !code.bytes().all(|byte| byte.is_ascii_digit()));
        named.or(self.kind.as_deref()).or(self.code.as_deref())
    }
}
