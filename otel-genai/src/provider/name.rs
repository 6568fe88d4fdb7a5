use std::borrow::Cow;
use std::fmt;

/// Who serves the model: the value of `gen_ai.provider.name`.
///
/// It names the flavour of the telemetry, not the owner of the machine: a proxy that speaks OpenAI's API is
/// [`Provider::OpenAi`] unless it is known to be another one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Provider {
    /// `openai`
    OpenAi,
    /// `azure.ai.openai`
    AzureOpenAi,
    /// `azure.ai.inference`
    AzureInference,
    /// `anthropic`
    Anthropic,
    /// `gcp.gemini`: the Gemini API of AI Studio.
    GcpGemini,
    /// `gcp.vertex_ai`
    GcpVertexAi,
    /// `gcp.gen_ai`: one of Google's, unknown which.
    GcpGenAi,
    /// `aws.bedrock`
    AwsBedrock,
    /// `cohere`
    Cohere,
    /// `mistral_ai`
    MistralAi,
    /// `groq`
    Groq,
    /// `deepseek`
    DeepSeek,
    /// `perplexity`
    Perplexity,
    /// `x_ai`
    XAi,
    /// `ibm.watsonx.ai`
    IbmWatsonxAi,
    /// `moonshot_ai` (a value of the later conventions).
    MoonshotAi,
    /// `ollama`: not in the registry's list, which allows others.
    Ollama,
    /// Another one, by its name.
    Other(Cow<'static, str>),
}

impl Provider {
    /// The value of `gen_ai.provider.name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.known().unwrap_or_else(|own| own)
    }

    /// The name as an attribute's value: nothing is allocated for a known provider.
    #[must_use]
    pub fn to_cow(&self) -> Cow<'static, str> {
        self.known().map_or_else(Cow::clone, Cow::Borrowed)
    }

    const fn known(&self) -> Result<&'static str, &Cow<'static, str>> {
        Ok(match self {
            Self::OpenAi => "openai",
            Self::AzureOpenAi => "azure.ai.openai",
            Self::AzureInference => "azure.ai.inference",
            Self::Anthropic => "anthropic",
            Self::GcpGemini => "gcp.gemini",
            Self::GcpVertexAi => "gcp.vertex_ai",
            Self::GcpGenAi => "gcp.gen_ai",
            Self::AwsBedrock => "aws.bedrock",
            Self::Cohere => "cohere",
            Self::MistralAi => "mistral_ai",
            Self::Groq => "groq",
            Self::DeepSeek => "deepseek",
            Self::Perplexity => "perplexity",
            Self::XAi => "x_ai",
            Self::IbmWatsonxAi => "ibm.watsonx.ai",
            Self::MoonshotAi => "moonshot_ai",
            Self::Ollama => "ollama",
            Self::Other(name) => return Err(name),
        })
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
