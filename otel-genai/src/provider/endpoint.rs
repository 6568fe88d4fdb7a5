use super::{Api, Provider};

/// What host and path say about a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    provider: Provider,
    api: Api,
    model: Option<String>,
    streaming: Option<bool>,
}

impl Endpoint {
    /// An endpoint that is known otherwise, such as an OpenAI-compatible server in one's own network.
    #[must_use]
    pub const fn new(provider: Provider, api: Api) -> Self {
        Self { provider, api, model: None, streaming: None }
    }

    /// With the model or deployment that the path names.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Who serves it.
    #[must_use]
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Which API it is.
    #[must_use]
    pub const fn api(&self) -> Api {
        self.api
    }

    /// The model or deployment that the path names, decoded.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the answer is a stream, if the path alone decides that.
    #[must_use]
    pub const fn streaming(&self) -> Option<bool> {
        self.streaming
    }
}

/// What an OpenAI-compatible host serves is told by the end of the path, whatever stands before it.
pub(crate) const OPENAI_PATHS: &[(&str, Api)] = &[
    ("/chat/completions", Api::OpenAiChat),
    // Mistral's agents.
    ("/agents/completions", Api::OpenAiChat),
    ("/responses", Api::OpenAiResponses),
    ("/completions", Api::OpenAiCompletions),
    ("/embeddings", Api::OpenAiEmbeddings),
];

/// Hosts that speak OpenAI's API.
const OPENAI_HOSTS: &[(&str, Provider)] = &[
    ("api.openai.com", Provider::OpenAi),
    ("api.mistral.ai", Provider::MistralAi),
    ("codestral.mistral.ai", Provider::MistralAi),
    ("api.groq.com", Provider::Groq),
    ("api.deepseek.com", Provider::DeepSeek),
    ("api.x.ai", Provider::XAi),
    ("api.perplexity.ai", Provider::Perplexity),
    ("api.moonshot.ai", Provider::MoonshotAi),
    ("api.moonshot.cn", Provider::MoonshotAi),
];

pub(super) fn recognise(host: &str, path: &str) -> Option<Endpoint> {
    let (name, port) = split_port(host);
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if let Some((_, provider)) = OPENAI_HOSTS.iter().find(|(known, _)| *known == name) {
        return openai(provider.clone(), path);
    }
    // Regions: `eu.api.openai.com`.
    if name.ends_with(".api.openai.com") {
        return openai(Provider::OpenAi, path);
    }
    if name.ends_with(".api.x.ai") {
        return openai(Provider::XAi, path);
    }
    if let Some(provider) = azure(&name) {
        return openai(provider, path).map(|endpoint| match azure_deployment(path) {
            Some(deployment) => endpoint.with_model(deployment),
            None => endpoint,
        });
    }
    match name.as_str() {
        "api.anthropic.com" => anthropic(path),
        "generativelanguage.googleapis.com" => {
            if path.ends_with("/openai/chat/completions") || path.ends_with("/openai/embeddings") {
                openai(Provider::GcpGemini, path)
            } else {
                google(Provider::GcpGemini, path)
            }
        }
        "api.cohere.com" | "api.cohere.ai" => cohere(path),
        _ if is_vertex(&name) => vertex(path),
        _ if is_bedrock(&name) => bedrock(path),
        // Ollama's own port: its paths alone are too common.
        _ if port == Some("11434") => ollama(path),
        _ => None,
    }
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

fn openai(provider: Provider, path: &str) -> Option<Endpoint> {
    // Some serve Anthropic's API beside it: Azure, DeepSeek, Moonshot.
    if path.ends_with("/anthropic/v1/messages") {
        return Some(Endpoint::new(provider, Api::AnthropicMessages));
    }
    let (_, api) = OPENAI_PATHS.iter().find(|(end, _)| path.ends_with(end))?;
    Some(Endpoint::new(provider, *api))
}

/// Also of the clouds for the government of the USA and for China.
fn azure(name: &str) -> Option<Provider> {
    let own_cloud = [".azure.us", ".azure.cn"].into_iter().find_map(|end| name.strip_suffix(end));
    if own_cloud.is_some_and(|rest| rest.ends_with(".openai") || rest.ends_with(".cognitiveservices")) {
        return Some(Provider::AzureOpenAi);
    }
    if name.ends_with(".openai.azure.com") || name.ends_with(".cognitiveservices.azure.com") {
        Some(Provider::AzureOpenAi)
    } else if name.ends_with(".services.ai.azure.com") || name.ends_with(".models.ai.azure.com") {
        Some(Provider::AzureInference)
    } else {
        None
    }
}

/// `/openai/deployments/{deployment}/chat/completions`
fn azure_deployment(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/deployments/")?;
    Some(decode(rest.split('/').next().unwrap_or_default())).filter(|deployment| !deployment.is_empty())
}

fn anthropic(path: &str) -> Option<Endpoint> {
    let api = match path {
        "/v1/messages" => Api::AnthropicMessages,
        "/v1/complete" => Api::AnthropicCompletions,
        _ => return None,
    };
    Some(Endpoint::new(Provider::Anthropic, api))
}

/// `/v1beta/models/{model}:generateContent`
fn google(provider: Provider, path: &str) -> Option<Endpoint> {
    let (before, method) = path.rsplit_once(':')?;
    let model = decode(before.rsplit('/').next()?);
    let (api, streaming) = match method {
        "generateContent" => (Api::GeminiGenerateContent, false),
        "streamGenerateContent" => (Api::GeminiGenerateContent, true),
        "embedContent" | "batchEmbedContents" => (Api::GeminiEmbedContent, false),
        // Of images and much else, too.
        "predict" if model.contains("embedding") => (Api::GeminiEmbedContent, false),
        _ => return None,
    };
    Some(Endpoint {
        provider,
        api,
        model: Some(model).filter(|model| !model.is_empty()),
        streaming: Some(streaming),
    })
}

/// `us-central1-aiplatform.googleapis.com`, and where requests stay in the region, `aiplatform.us-central1.rep.googleapis.com`.
fn is_vertex(name: &str) -> bool {
    name == "aiplatform.googleapis.com"
        || name.ends_with("-aiplatform.googleapis.com")
        || (name.starts_with("aiplatform.") && name.ends_with(".rep.googleapis.com"))
}

/// Vertex AI also serves Anthropic's messages, and other models behind OpenAI's API.
fn vertex(path: &str) -> Option<Endpoint> {
    if path.ends_with("/chat/completions") {
        return openai(Provider::GcpVertexAi, path);
    }
    if let Some((_, rest)) = path.split_once("/publishers/anthropic/models/") {
        let (model, method) = rest.rsplit_once(':')?;
        let streaming = match method {
            // Not a model: it counts the tokens of a request.
            _ if model == "count-tokens" => return None,
            "rawPredict" => false,
            "streamRawPredict" => true,
            _ => return None,
        };
        let mut endpoint =
            Endpoint::new(Provider::GcpVertexAi, Api::AnthropicMessages).with_model(decode(model));
        endpoint.streaming = Some(streaming);
        return Some(endpoint);
    }
    google(Provider::GcpVertexAi, path)
}

/// `bedrock-runtime.us-east-1.amazonaws.com`, also with `-fips`, within a VPC, and in China.
fn is_bedrock(name: &str) -> bool {
    let runtime = name.split('.').any(|label| label == "bedrock-runtime" || label == "bedrock-runtime-fips");
    runtime && [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| name.ends_with(end))
}

/// `/model/{model}/converse`, where the model may be an ARN with encoded slashes.
fn bedrock(path: &str) -> Option<Endpoint> {
    if path.starts_with("/openai/v1/") {
        return openai(Provider::AwsBedrock, path);
    }
    let (model, method) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    let model = decode(model);
    let (api, streaming) = match method {
        "converse" => (Api::BedrockConverse, false),
        "converse-stream" => (Api::BedrockConverse, true),
        "invoke" => (invoked(&model), false),
        "invoke-with-response-stream" => (Api::BedrockInvokeModel, true),
        _ => return None,
    };
    Some(Endpoint { provider: Provider::AwsBedrock, api, model: Some(model), streaming: Some(streaming) })
}

/// One path for all models: what one does is in its name, if anywhere.
fn invoked(model: &str) -> Api {
    match () {
        () if model.contains("embed") => Api::BedrockEmbeddings,
        () if model.contains("rerank") => Api::CohereRerank,
        () => Api::BedrockInvokeModel,
    }
}

fn cohere(path: &str) -> Option<Endpoint> {
    let api = match path {
        "/v1/chat" | "/v2/chat" => Api::CohereChat,
        "/v1/embed" | "/v2/embed" => Api::CohereEmbed,
        "/v1/rerank" | "/v2/rerank" => Api::CohereRerank,
        "/compatibility/v1/chat/completions" | "/compatibility/v1/embeddings" => {
            return openai(Provider::Cohere, path);
        }
        _ => return None,
    };
    Some(Endpoint::new(Provider::Cohere, api))
}

fn ollama(path: &str) -> Option<Endpoint> {
    let api = match path {
        "/api/chat" => Api::OllamaChat,
        "/api/generate" => Api::OllamaGenerate,
        "/api/embed" | "/api/embeddings" => Api::OllamaEmbed,
        "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings" | "/v1/responses" => {
            return openai(Provider::Ollama, path);
        }
        _ => return None,
    };
    Some(Endpoint::new(Provider::Ollama, api))
}

/// Percent-decodes. What is not UTF-8 then, or not encoded right, stays as it is.
fn decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        let digit = |index: usize| rest.get(index).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            decoded.push((high << 4 | low) as u8);
            bytes = rest.get(2..).unwrap_or_default();
        } else {
            decoded.push(byte);
            bytes = rest;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
