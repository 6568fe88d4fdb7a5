//! Gemini, by Google's AI Studio and by Vertex AI.
//!
//! <https://ai.google.dev/api/generate-content>, <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>

use super::field::{RequestField, ResponseField, ResponseScope, Tokens};
use super::key::Key::{self, *};

pub(super) fn response(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [ResponseId] => F::Id,
        [ModelVersion] => F::Model,
        [Candidates, Item, rest @ ..] => return candidate(rest),
        [UsageMetadata, counted] => F::Tokens(match counted {
            PromptTokenCount => Tokens::Input,
            ToolUsePromptTokenCount => Tokens::ToolInput,
            CandidatesTokenCount => Tokens::VisibleOutput,
            ThoughtsTokenCount => Tokens::Reasoning,
            CachedContentTokenCount => Tokens::CacheRead,
            _ => return None,
        }),
        [UsageMetadata, PromptTokensDetails | CandidatesTokensDetails, Item, Modality] => F::Modality,
        [UsageMetadata, PromptTokensDetails | CandidatesTokensDetails, Item, TokenCount] => F::ModalityTokens,
        [Predictions, Item, Embeddings, Statistics, TokenCount] => F::Tokens(Tokens::InputPart),
        [PromptFeedback, BlockReason] => F::PromptBlocked,
        [Error, Code] => F::ErrorCode,
        [Error, Status] => F::ErrorKind,
        [Error, Message] => F::ErrorMessage,
        _ => return None,
    })
}

fn candidate(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Index] => F::ChoiceIndex,
        [FinishReason] => F::ChoiceFinishReason,
        [SafetyRatings, Item, Blocked] => F::OutputFiltered,
        [Content, Parts, Item, Text | Data]
        | [Content, Parts, Item, InlineData, Data]
        | [Content, Parts, Item, ExecutableCode, Code] => F::Output,
        [Content, Parts, Item, FunctionCall, Id] => F::ToolId,
        [Content, Parts, Item, FunctionCall, Name] => F::ToolName,
        _ => return None,
    })
}

pub(super) fn scope(path: &[Key]) -> Option<ResponseScope> {
    Some(match path {
        [Candidates, Item] => ResponseScope::Choice,
        [Candidates, Item, Content, Parts, Item, FunctionCall] => ResponseScope::ToolCall,
        [UsageMetadata, PromptTokensDetails, Item] => ResponseScope::InputModality,
        [UsageMetadata, CandidatesTokensDetails, Item] => ResponseScope::OutputModality,
        [Embedding, Values] | [Embeddings, Item, Values] | [Predictions, Item, Embeddings, Values] => {
            ResponseScope::Embedding("float")
        }
        _ => return None,
    })
}

/// Vertex AI's REST writes names where its older binding writes the numbers of the enum.
pub(crate) fn finish_reason(number: &str) -> Option<&'static str> {
    Some(match number {
        "1" => "STOP",
        "2" => "MAX_TOKENS",
        "3" => "SAFETY",
        "4" => "RECITATION",
        "5" => "OTHER",
        "6" => "BLOCKLIST",
        "7" => "PROHIBITED_CONTENT",
        "8" => "SPII",
        "9" => "MALFORMED_FUNCTION_CALL",
        "10" => "MODEL_ARMOR",
        _ => return None,
    })
}

pub(super) fn request(path: &[Key]) -> Option<RequestField> {
    use RequestField as F;
    Some(match path {
        [Model] => F::Model,
        [GenerationConfig, rest @ ..] => match rest {
            [MaxOutputTokens] => F::MaxTokens,
            [Temperature] => F::Temperature,
            [TopP] => F::TopP,
            [TopK] => F::TopK,
            [FrequencyPenalty] => F::FrequencyPenalty,
            [PresencePenalty] => F::PresencePenalty,
            [StopSequences, Item] => F::StopSequence,
            [Seed] => F::Seed,
            [CandidateCount] => F::ChoiceCount,
            [ResponseMimeType] | [ResponseModalities, Item] => F::OutputType,
            [ThinkingConfig, ThinkingLevel] => F::ReasoningLevel,
            _ => return None,
        },
        [OutputDimensionality] => F::Dimensions,
        _ => return None,
    })
}
