//! Calls of models.

use super::facts::{Family, OperationFacts};
use super::guard::Guard;
use super::methods::{guard_methods, server_methods, start_methods};
use crate::GenAi;
use crate::provider::{Api, Provider, RequestFacts, ResponseFacts};

impl GenAi {
    /// A chat completion: `chat`.
    pub fn chat(&self, provider: Provider, model: impl Into<String>) -> GenAiInferenceBuilder {
        self.inference("chat", Family::Inference, provider, model.into())
    }

    /// Multimodal generation, as Gemini calls it: `generate_content`.
    pub fn generate_content(&self, provider: Provider, model: impl Into<String>) -> GenAiInferenceBuilder {
        self.inference("generate_content", Family::Inference, provider, model.into())
    }

    /// A completion of a text, the older kind: `text_completion`.
    pub fn text_completion(&self, provider: Provider, model: impl Into<String>) -> GenAiInferenceBuilder {
        self.inference("text_completion", Family::Inference, provider, model.into())
    }

    /// Embeddings: `embeddings`.
    pub fn embeddings(&self, provider: Provider, model: impl Into<String>) -> GenAiInferenceBuilder {
        self.inference("embeddings", Family::Embeddings, provider, model.into())
    }

    /// A call of an API that this crate can read, with what was read of its request.
    pub fn call_of(&self, api: Api, provider: Provider, request: RequestFacts) -> GenAiInferenceBuilder {
        let facts = OperationFacts { request, ..OperationFacts::of_api(api, provider) };
        GenAiInferenceBuilder { genai: self.clone(), facts: Box::new(facts) }
    }

    fn inference(
        &self,
        name: &'static str,
        family: Family,
        provider: Provider,
        model: String,
    ) -> GenAiInferenceBuilder {
        let mut facts = OperationFacts { provider: Some(provider), ..OperationFacts::new(name, family) };
        facts.request.model = Some(model).filter(|model| !model.is_empty());
        GenAiInferenceBuilder { genai: self.clone(), facts: Box::new(facts) }
    }
}

/// A call of a model that has not started. What is not set is not recorded.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct GenAiInferenceBuilder {
    pub(crate) genai: GenAi,
    pub(crate) facts: Box<OperationFacts>,
}

impl GenAiInferenceBuilder {
    start_methods!(GenAiInference);
    server_methods!();

    /// Everything that is known of the request, in place of what was set before.
    pub fn with_request(mut self, request: RequestFacts) -> Self {
        self.facts.request = request;
        self
    }

    /// The answer is a stream.
    pub fn with_stream(mut self, stream: bool) -> Self {
        self.facts.request.stream = stream;
        self
    }

    /// `gen_ai.request.temperature`
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.facts.request.temperature = Some(temperature);
        self
    }

    /// `gen_ai.request.max_tokens`
    pub fn with_max_tokens(mut self, max_tokens: i64) -> Self {
        self.facts.request.max_tokens = Some(max_tokens);
        self
    }

    /// `gen_ai.request.top_p`
    pub fn with_top_p(mut self, top_p: f64) -> Self {
        self.facts.request.top_p = Some(top_p);
        self
    }

    /// `gen_ai.request.seed`
    pub fn with_seed(mut self, seed: i64) -> Self {
        self.facts.request.seed = Some(seed);
        self
    }

    /// `gen_ai.request.choice.count`
    pub fn with_choice_count(mut self, count: i64) -> Self {
        self.facts.request.choice_count = Some(count);
        self
    }

    /// `gen_ai.request.stop_sequences`
    pub fn with_stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.facts.request.stop_sequences = sequences.into_iter().map(Into::into).collect();
        self
    }

    /// `gen_ai.output.type`: `text`, `json`, `image` or `speech`.
    pub fn with_output_type(mut self, output_type: &'static str) -> Self {
        self.facts.request.output_type = Some(output_type);
        self
    }

    /// `gen_ai.conversation.id`, if the application has one. Default: that of the agent or workflow around.
    pub fn with_conversation_id(mut self, id: impl Into<String>) -> Self {
        self.facts.request.conversation_id = Some(id.into());
        self
    }

    /// The template that the prompt was made from; recorded with [`GenAiConventions::Latest`](crate::GenAiConventions).
    pub fn with_prompt(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        (self.facts.prompt_name, self.facts.prompt_version) = (Some(name.into()), Some(version.into()));
        self
    }

    /// The API that is spoken, for `openai.api.type`.
    pub fn with_api(mut self, api: Api) -> Self {
        self.facts.api = Some(api);
        self
    }

    /// Whether the model runs in this process: its span is then `INTERNAL` and not `CLIENT`.
    pub fn in_process(mut self, in_process: bool) -> Self {
        use opentelemetry::trace::SpanKind;
        self.facts.kind = if in_process { SpanKind::Internal } else { SpanKind::Client };
        self
    }
}

/// A call of a model that runs. Dropping it ends it as cancelled, with what is known by then.
#[derive(Debug)]
#[must_use = "dropping the operation ends it as cancelled"]
pub struct GenAiInference {
    pub(crate) guard: Guard,
}

impl GenAiInference {
    guard_methods!();

    /// What is known of the response; written to span and metrics when the operation ends, on every way out.
    pub fn response(&mut self) -> &mut ResponseFacts {
        &mut self.guard.response
    }

    /// So many chunks of output have come since the last call, now: the first one is the time to first chunk.
    pub fn chunks(&mut self, count: u64) {
        self.guard.chunks(count);
    }
}
