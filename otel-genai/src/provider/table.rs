//! Which table is that of an API.

use super::field::{RequestField, ResponseField, ResponseScope};
use super::key::Key;
use super::{Api, anthropic, bedrock, cohere, gemini, ollama, openai};

pub(super) fn response(api: Api, path: &[Key]) -> Option<ResponseField> {
    match api {
        Api::OpenAiChat | Api::OpenAiCompletions | Api::OpenAiEmbeddings => openai::response(path),
        Api::OpenAiResponses => openai::responses(path),
        Api::AnthropicMessages | Api::AnthropicCompletions => anthropic::response(path),
        Api::GeminiGenerateContent | Api::GeminiEmbedContent => gemini::response(path),
        Api::BedrockConverse => bedrock::converse(path),
        Api::BedrockInvokeModel | Api::BedrockEmbeddings => bedrock::invoke_model(path),
        Api::OllamaChat | Api::OllamaGenerate | Api::OllamaEmbed => ollama::response(path),
        Api::CohereChat | Api::CohereEmbed | Api::CohereRerank => cohere::response(path),
    }
}

pub(super) fn response_scope(api: Api, path: &[Key]) -> Option<ResponseScope> {
    match api {
        Api::OpenAiChat | Api::OpenAiCompletions | Api::OpenAiEmbeddings => openai::scope(path),
        Api::OpenAiResponses => openai::responses_scope(path),
        Api::AnthropicMessages | Api::AnthropicCompletions => anthropic::scope(path),
        Api::GeminiGenerateContent | Api::GeminiEmbedContent => gemini::scope(path),
        Api::BedrockConverse => bedrock::converse_scope(path),
        Api::BedrockInvokeModel => bedrock::invoke_model_scope(path),
        Api::BedrockEmbeddings => bedrock::invoke_model_scope(path).or_else(|| cohere::scope(path)),
        Api::OllamaChat | Api::OllamaGenerate | Api::OllamaEmbed => ollama::scope(path),
        Api::CohereChat | Api::CohereEmbed | Api::CohereRerank => cohere::scope(path),
    }
}

pub(super) fn request(api: Api, path: &[Key]) -> Option<RequestField> {
    match api {
        Api::OpenAiChat | Api::OpenAiResponses | Api::OpenAiCompletions | Api::OpenAiEmbeddings => {
            openai::request(path)
        }
        Api::AnthropicMessages | Api::AnthropicCompletions => anthropic::request(path),
        Api::GeminiGenerateContent | Api::GeminiEmbedContent => gemini::request(path),
        Api::BedrockConverse | Api::BedrockInvokeModel => bedrock::request(path),
        Api::BedrockEmbeddings => bedrock::request(path).or_else(|| cohere::request(path)),
        Api::OllamaChat | Api::OllamaGenerate | Api::OllamaEmbed => ollama::request(path),
        Api::CohereChat | Api::CohereEmbed | Api::CohereRerank => cohere::request(path),
    }
}
