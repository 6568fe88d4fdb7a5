use super::Api;
use crate::content::{ContentPolicy, RequestContent};

/// What a request says, in the words of the conventions. Absent is `None` or empty, never a guess.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RequestFacts {
    /// `gen_ai.request.model`
    pub model: Option<String>,
    /// `gen_ai.request.stream`
    pub stream: bool,
    /// `gen_ai.request.max_tokens`
    pub max_tokens: Option<i64>,
    /// `gen_ai.request.temperature`
    pub temperature: Option<f64>,
    /// `gen_ai.request.top_p`
    pub top_p: Option<f64>,
    /// `gen_ai.request.top_k`; of a reranking, how many results are wanted
    pub top_k: Option<f64>,
    /// `gen_ai.request.frequency_penalty`
    pub frequency_penalty: Option<f64>,
    /// `gen_ai.request.presence_penalty`
    pub presence_penalty: Option<f64>,
    /// `gen_ai.request.stop_sequences`
    pub stop_sequences: Vec<String>,
    /// `gen_ai.request.seed`
    pub seed: Option<i64>,
    /// `gen_ai.request.choice.count`
    pub choice_count: Option<i64>,
    /// `gen_ai.request.encoding_formats`
    pub encoding_formats: Vec<String>,
    /// The size of embeddings that was asked for: `gen_ai.embeddings.dimension.count`
    pub dimensions: Option<i64>,
    /// `gen_ai.output.type`: `text`, `json`, `image`, `speech`
    pub output_type: Option<&'static str>,
    /// `openai.request.service_tier`
    pub service_tier: Option<String>,
    /// `gen_ai.conversation.id`, where the API has one
    pub conversation_id: Option<String>,
    /// `gen_ai.request.previous_response.id` (unreleased conventions)
    pub previous_response_id: Option<String>,
    /// `gen_ai.request.reasoning.level` (unreleased conventions)
    pub reasoning_level: Option<String>,
    /// How many tools the model was offered.
    pub tools: usize,
    /// Messages, instructions and tool definitions; empty unless they are captured.
    pub content: RequestContent,
}

/// Reads a request body as it passes.
#[derive(Debug)]
pub struct RequestReader {
    facts: RequestFacts,
}

impl RequestReader {
    /// A reader for one request.
    #[must_use]
    pub fn new(api: Api) -> Self {
        let _ = api;
        Self { facts: RequestFacts::default() }
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

    /// What is known by now.
    #[must_use]
    pub fn finish(self) -> RequestFacts {
        self.facts
    }
}
