use super::Api;
use crate::content::{ContentPolicy, OutputMessage};

/// What a response says, in the words of the conventions. Absent is `None` or empty, never a guess.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ResponseFacts {
    /// `gen_ai.response.id`
    pub id: Option<String>,
    /// `gen_ai.response.model`
    pub model: Option<String>,
    /// `gen_ai.response.finish_reasons`: one for each choice, in the provider's words
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
    /// Events of a stream that carried output.
    pub output_chunks: u64,
    /// The output; empty unless it is captured.
    pub output_messages: Vec<OutputMessage>,
    /// Some of the output was not captured because it was larger than the policy allows.
    pub content_truncated: bool,
}

/// Tokens of one response.
///
/// Totals are totals: `input_tokens` has the cached ones in it and `output_tokens` the reasoning, also for providers
/// that report them apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// `gen_ai.usage.input_tokens`
    pub input_tokens: Option<i64>,
    /// `gen_ai.usage.output_tokens`
    pub output_tokens: Option<i64>,
    /// `gen_ai.usage.cache_read.input_tokens`
    pub cache_read_input_tokens: Option<i64>,
    /// `gen_ai.usage.cache_creation.input_tokens`, in the unreleased conventions `gen_ai.usage.cache_write.input_tokens`
    pub cache_write_input_tokens: Option<i64>,
    /// `gen_ai.usage.reasoning.output_tokens`
    pub reasoning_output_tokens: Option<i64>,
    /// Of the input, text (unreleased conventions: `gen_ai.usage.text.input_tokens`)
    pub text_input_tokens: Option<i64>,
    /// Of the input, images
    pub image_input_tokens: Option<i64>,
    /// Of the input, audio
    pub audio_input_tokens: Option<i64>,
    /// Of the output, text
    pub text_output_tokens: Option<i64>,
    /// Of the output, images
    pub image_output_tokens: Option<i64>,
    /// Of the output, audio
    pub audio_output_tokens: Option<i64>,
    /// Input tokens on the bill, where the provider says both (Cohere)
    pub billed_input_tokens: Option<i64>,
    /// Output tokens on the bill, where the provider says both (Cohere)
    pub billed_output_tokens: Option<i64>,
    /// Searches on the bill (Cohere's reranking)
    pub billed_search_units: Option<i64>,
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
    /// The value of `error.type`: the code if there is one that is not just the HTTP status, or else the class.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.code.as_deref().or(self.kind.as_deref())
    }
}

/// Reads a response body as it passes: whole, or a stream, with chunks that end anywhere.
///
/// Memory is bounded whatever comes, and nothing is allocated for content that is not captured.
#[derive(Debug)]
pub struct ResponseReader {
    facts: ResponseFacts,
}

impl ResponseReader {
    /// A reader for one response.
    #[must_use]
    pub fn new(api: Api, streaming: bool) -> Self {
        let _ = (api, streaming);
        Self { facts: ResponseFacts::default() }
    }

    /// The `content-type` of the response decides how the body is framed, whatever was asked for: the answer to a
    /// request for a stream may be an error in plain JSON.
    #[must_use]
    pub fn with_content_type(self, content_type: &str) -> Self {
        let _ = content_type;
        self
    }

    /// Also captures what the policy asks for. By default nothing is.
    #[must_use]
    pub fn with_capture(self, policy: &ContentPolicy) -> Self {
        let _ = policy;
        self
    }

    /// Reads the next bytes of the body.
    pub fn read(&mut self, chunk: &[u8]) {
        let _ = chunk;
    }

    /// Events of a stream that carried output so far (text, reasoning, parts of tool calls); compare it before and after
    /// `read` to time the first one and those after it. Pings, comments, and events that only open or close something
    /// do not count.
    #[must_use]
    pub const fn output_chunks(&self) -> u64 {
        self.facts.output_chunks
    }

    /// The response came to its own end. False after a stream that was cut.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.facts.complete
    }

    /// What is known by now; of a body that was cut, the part before the cut.
    #[must_use]
    pub fn finish(self) -> ResponseFacts {
        self.facts
    }
}
