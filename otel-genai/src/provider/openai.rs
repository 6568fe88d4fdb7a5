//! OpenAI's APIs, and those that are compatible with them.
//!
//! <https://platform.openai.com/docs/api-reference>, Azure's additions:
//! <https://learn.microsoft.com/azure/ai-foundry/openai/reference>.

use super::field::{RequestField, ResponseField, ResponseScope, Tokens};
use super::key::Key::{self, *};

/// Chat completions, text completions and embeddings.
pub(super) fn response(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Id] => F::Id,
        [Model] => F::Model,
        [ServiceTier] => F::ServiceTier,
        [SystemFingerprint] => F::SystemFingerprint,
        [Choices, Item, rest @ ..] => return choice(rest),
        [Usage, rest @ ..] | [XGroq, Usage, rest @ ..] => return usage(rest).map(F::Tokens),
        // Why a stream was stopped early.
        [XGroq, Error] => F::ErrorMessage,
        [Data, Item, Embedding] => F::EncodedEmbedding,
        [PromptFilterResults | PromptAnnotations, Item, ContentFilterResults, _, Filtered]
        | [Error, Innererror, ContentFilterResult | ContentFilterResults, _, Filtered] => F::PromptFiltered,
        _ => return error(path),
    })
}

fn choice(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        // Moonshot's streams.
        [Usage, rest @ ..] => return usage(rest).map(F::Tokens),
        [Index] => F::ChoiceIndex,
        [FinishReason] => F::ChoiceFinishReason,
        [StopReason] => F::ChoiceStopReason,
        [Text] => F::Output,
        [ContentFilterResults, _, Filtered] => F::OutputFiltered,
        [Delta, Content | ReasoningContent | Reasoning | Refusal]
        // Mistral's reasoning models send parts.
        | [Delta, Content, Item, Text]
        | [Delta, Content, Item, Thinking, Item, Text]
        | [Delta, Audio, Data | Transcript]
        | [Delta, FunctionCall, Arguments]
        | [Delta, ToolCalls, Item, Function, Arguments]
        | [Delta, ToolCalls, Item, Custom, Input] => F::Output,
        [Delta | Message, ToolCalls, Item, Id] => F::ToolId,
        [Delta | Message, ToolCalls, Item, Function | Custom, Name] | [Delta | Message, FunctionCall, Name] => F::ToolName,
        _ => return None,
    })
}

fn usage(path: &[Key]) -> Option<Tokens> {
    Some(match path {
        [PromptTokens] => Tokens::Input,
        [CompletionTokens] => Tokens::Output,
        [TotalTokens] => Tokens::Total,
        // Perplexity's.
        [ReasoningTokens] => Tokens::SeparateReasoning,
        [PromptTokensDetails | InputTokensDetails, detail] => match detail {
            CachedTokens => Tokens::CacheRead,
            // OpenRouter's.
            CacheWriteTokens => Tokens::CacheWrite,
            TextTokens => Tokens::TextInput,
            ImageTokens => Tokens::ImageInput,
            AudioTokens => Tokens::AudioInput,
            _ => return None,
        },
        [CompletionTokensDetails | OutputTokensDetails, detail] => match detail {
            ReasoningTokens => Tokens::Reasoning,
            TextTokens => Tokens::TextOutput,
            ImageTokens => Tokens::ImageOutput,
            AudioTokens => Tokens::AudioOutput,
            _ => return None,
        },
        // DeepSeek, Mistral and Moonshot.
        [PromptCacheHitTokens | NumCachedTokens | CachedTokens] => Tokens::CacheRead,
        _ => return None,
    })
}

pub(super) fn scope(path: &[Key]) -> Option<ResponseScope> {
    Some(match path {
        [Choices, Item] => ResponseScope::Choice,
        [Choices, Item, Delta | Message, ToolCalls, Item]
        | [Choices, Item, Delta | Message, FunctionCall] => ResponseScope::ToolCall,
        [Data, Item, Embedding] => ResponseScope::Embedding("float"),
        _ => return None,
    })
}

/// Responses. A stream wraps the response, and repeats it.
pub(super) fn responses(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Type] => F::Event,
        [Delta] => F::Output,
        [OutputItem, CallId] | [Output, Item, CallId] | [Response, Output, Item, CallId] => F::ToolId,
        [OutputItem, Id] | [Output, Item, Id] | [Response, Output, Item, Id] => F::ItemId,
        [OutputItem, Name] | [Output, Item, Name] | [Response, Output, Item, Name] => F::ToolName,
        [Message] => F::ErrorMessage,
        [Code] => F::RootErrorCode,
        [Response, rest @ ..] => return responses_body(rest),
        _ => return responses_body(path),
    })
}

fn responses_body(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Id] => F::Id,
        [Model] => F::Model,
        [Status] => F::Status,
        [ServiceTier] => F::ServiceTier,
        [Conversation, Id] | [Conversation] => F::ConversationId,
        [IncompleteDetails, Reason] => F::FinishReason,
        [Output, Item, Type] => F::OutputItem,
        [Usage, InputTokens] => F::Tokens(Tokens::Input),
        [Usage, OutputTokens] => F::Tokens(Tokens::Output),
        [Usage, rest @ ..] => return usage(rest).map(F::Tokens),
        _ => return error(path),
    })
}

pub(super) fn responses_scope(path: &[Key]) -> Option<ResponseScope> {
    Some(match path {
        [Output] | [Response, Output] => ResponseScope::OutputItems,
        [OutputItem] | [Output, Item] | [Response, Output, Item] => ResponseScope::ToolCall,
        _ => return None,
    })
}

/// `{"error": {..}}`, `{"error": ".."}`, and what compatible servers put at the root. Google's has a list around it.
pub(super) fn error(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Item, rest @ ..] => return error(rest),
        [Error, Type | Status] => F::ErrorKind,
        [Error, Code] => F::ErrorCode,
        [Error, Message] | [Error] => F::ErrorMessage,
        [Message] | [Detail] => F::RootErrorMessage,
        [Type] => F::RootErrorKind,
        [Code] => F::RootErrorCode,
        _ => return None,
    })
}

pub(super) fn request(path: &[Key]) -> Option<RequestField> {
    use RequestField as F;
    Some(match path {
        [Model] => F::Model,
        [Stream] => F::Stream,
        [MaxTokens | MaxCompletionTokens | MaxOutputTokens] => F::MaxTokens,
        [Temperature] => F::Temperature,
        [TopP] => F::TopP,
        // Not OpenAI's, but of compatible servers.
        [TopK] => F::TopK,
        [FrequencyPenalty] => F::FrequencyPenalty,
        [PresencePenalty] => F::PresencePenalty,
        [Stop] | [Stop, Item] => F::StopSequence,
        [Seed | RandomSeed] => F::Seed,
        [N] => F::ChoiceCount,
        [EncodingFormat] => F::EncodingFormat,
        [Dimensions | OutputDimension] => F::Dimensions,
        [ResponseFormat, Type] | [Text, Format, Type] | [Modalities, Item] => F::OutputType,
        [ServiceTier] => F::ServiceTier,
        [Conversation] | [Conversation, Id] => F::ConversationId,
        [PreviousResponseId] => F::PreviousResponseId,
        [ReasoningEffort] | [Reasoning, Effort] => F::ReasoningLevel,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groq_stream_reports_usage_in_a_field_of_its_own() {
        assert_eq!(response(&[XGroq, Usage, PromptTokens]), Some(ResponseField::Tokens(Tokens::Input)));
    }
}
