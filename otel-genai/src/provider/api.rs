use super::endpoint::{self, Endpoint};

/// The shape of requests and responses: which API is spoken, whoever serves it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Api {
    /// OpenAI's chat completions; also Azure OpenAI, Mistral, Groq, DeepSeek, xAI, vLLM and many others.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// OpenAI's text completions.
    OpenAiCompletions,
    /// OpenAI's embeddings.
    OpenAiEmbeddings,
    /// Anthropic's messages.
    AnthropicMessages,
    /// Anthropic's text completions (retired by the provider, still served by proxies).
    AnthropicCompletions,
    /// `generateContent` and `streamGenerateContent` of Gemini and Vertex AI.
    GeminiGenerateContent,
    /// `embedContent` and `batchEmbedContents` of Gemini, and `predict` of Vertex AI with a model of embeddings.
    GeminiEmbedContent,
    /// `Converse` and `ConverseStream` of Amazon Bedrock.
    BedrockConverse,
    /// `InvokeModel` and `InvokeModelWithResponseStream` of Amazon Bedrock: the body is the model's own.
    BedrockInvokeModel,
    /// `InvokeModel` of Amazon Bedrock with a model that makes embeddings.
    BedrockEmbeddings,
    /// `/api/chat` of Ollama.
    OllamaChat,
    /// `/api/generate` of Ollama.
    OllamaGenerate,
    /// `/api/embed` and `/api/embeddings` of Ollama.
    OllamaEmbed,
    /// `/v2/chat` (and `/v1/chat`) of Cohere.
    CohereChat,
    /// `/v2/embed` of Cohere.
    CohereEmbed,
    /// `/v2/rerank` of Cohere, and `InvokeModel` of Amazon Bedrock with a model that reranks.
    CohereRerank,
}

impl Api {
    /// Recognises an API by the host (with or without a port) and the path of a request.
    ///
    /// `None` for everything that is not certain: a server that merely ends in `/chat/completions` has to be told.
    #[must_use]
    pub fn recognise(host: &str, path: &str) -> Option<Endpoint> {
        endpoint::recognise(host, path)
    }

    pub(crate) const fn is_bedrock(self) -> bool {
        matches!(self, Self::BedrockConverse | Self::BedrockInvokeModel | Self::BedrockEmbeddings)
    }

    /// The value of `gen_ai.operation.name`.
    #[must_use]
    pub const fn operation_name(self) -> &'static str {
        match self {
            Self::OpenAiChat
            | Self::OpenAiResponses
            | Self::AnthropicMessages
            | Self::BedrockConverse
            | Self::BedrockInvokeModel
            | Self::OllamaChat
            | Self::CohereChat => "chat",
            Self::GeminiGenerateContent => "generate_content",
            Self::OpenAiCompletions | Self::AnthropicCompletions | Self::OllamaGenerate => "text_completion",
            Self::OpenAiEmbeddings
            | Self::GeminiEmbedContent
            | Self::BedrockEmbeddings
            | Self::OllamaEmbed
            | Self::CohereEmbed => "embeddings",
            Self::CohereRerank => "rerank",
        }
    }

    /// Whether the conventions have attributes for what is said in it. They have none for embeddings.
    pub(crate) const fn has_content(self) -> bool {
        !matches!(
            self,
            Self::OpenAiEmbeddings
                | Self::GeminiEmbedContent
                | Self::BedrockEmbeddings
                | Self::OllamaEmbed
                | Self::CohereEmbed
                | Self::CohereRerank
        )
    }

    /// The value of `openai.api.type`, for the two APIs that have one.
    #[must_use]
    pub const fn openai_api_type(self) -> Option<&'static str> {
        match self {
            Self::OpenAiChat => Some("chat_completions"),
            Self::OpenAiResponses => Some("responses"),
            _ => None,
        }
    }
}
