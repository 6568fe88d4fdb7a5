//! Amazon Bedrock: Converse, and InvokeModel, whose bodies are those of the model.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>

use super::field::{RequestField, ResponseField, ResponseScope, Tokens};
use super::key::Key::{self, *};
use super::{anthropic, openai};

pub(super) fn converse(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        // Nova's own streams name the event in the body.
        [MessageStart | ContentBlockStart | ContentBlockDelta | MessageStop | Metadata, rest @ ..]
            if !rest.is_empty() =>
        {
            return converse(rest);
        }
        [StopReason] => F::FinishReason,
        [Output, Message, Content, Item, ToolUse, ToolUseId] | [Start, ToolUse, ToolUseId] => F::ToolId,
        [Output, Message, Content, Item, ToolUse, Name] | [Start, ToolUse, Name] => F::ToolName,
        [Delta, Text] | [Delta, ToolUse, Input] | [Delta, ReasoningContent, Text] => F::Output,
        [Usage, counted] => F::Tokens(match counted {
            InputTokens => Tokens::UncachedInput,
            OutputTokens => Tokens::Output,
            CacheReadInputTokens | CacheReadInputTokenCount => Tokens::CacheRead,
            CacheWriteInputTokens | CacheWriteInputTokenCount => Tokens::CacheWrite,
            _ => return None,
        }),
        [Trace, PromptRouter, InvokedModelId] => F::Model,
        [Message] => F::ErrorMessage,
        [Type] => F::RootErrorKind,
        _ => return None,
    })
}

pub(super) fn converse_scope(path: &[Key]) -> Option<ResponseScope> {
    matches!(
        path,
        [Output, Message, Content, Item, ToolUse] | [Start, ToolUse] | [ContentBlockStart, Start, ToolUse]
    )
    .then_some(ResponseScope::ToolCall)
}

/// The body does not say whose it is, but the families share no names that mean different things.
pub(super) fn invoke_model(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        // Titan. A stream of it has the fields of a result at its root.
        [InputTextTokenCount] => F::Tokens(Tokens::Input),
        [Results, Item, TokenCount] | [TotalOutputTextTokenCount] => F::Tokens(Tokens::Output),
        [Results, Item, CompletionReason] | [CompletionReason] => F::FinishReason,
        // Llama.
        [PromptTokenCount] => F::Tokens(Tokens::Input),
        [GenerationTokenCount] => F::Tokens(Tokens::Output),
        // Mistral, Cohere.
        [Outputs, Item, StopReason] | [Generations, Item, FinishReason] | [FinishReason] => F::FinishReason,
        [ResponseId] => F::Id,
        [OutputText | Generation | Text] | [Outputs, Item, Text] | [Generations, Item, Text] => F::Output,
        // The last event of any stream. What the model itself says counts more.
        [AmazonBedrockInvocationMetrics, counted] => F::Tokens(match counted {
            InputTokenCount => Tokens::FallbackInput,
            OutputTokenCount => Tokens::FallbackOutput,
            _ => return None,
        }),
        _ => return anthropic::response(path).or_else(|| converse(path)).or_else(|| openai::response(path)),
    })
}

pub(super) fn invoke_model_scope(path: &[Key]) -> Option<ResponseScope> {
    match path {
        [Embedding] => Some(ResponseScope::Embedding("float")),
        _ => anthropic::scope(path).or_else(|| converse_scope(path)).or_else(|| openai::scope(path)),
    }
}

pub(super) fn request(path: &[Key]) -> Option<RequestField> {
    use RequestField as F;
    Some(match path {
        [InferenceConfig | TextGenerationConfig, rest @ ..] => match rest {
            [MaxTokens | MaxNewTokens | MaxTokenCount] => F::MaxTokens,
            [Temperature] => F::Temperature,
            [TopP] => F::TopP,
            [TopK] => F::TopK,
            [StopSequences, Item] => F::StopSequence,
            _ => return None,
        },
        [MaxGenLen] => F::MaxTokens,
        // Cohere's.
        [P] => F::TopP,
        [K] => F::TopK,
        _ => return anthropic::request(path).or_else(|| openai::request(path)),
    })
}
