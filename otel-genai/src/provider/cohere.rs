//! Cohere, version 2 and what version 1 has of its own.
//!
//! <https://docs.cohere.com/reference/chat>

use super::field::{self, RequestField, ResponseField, ResponseScope};
use super::key::Key::{self, *};

pub(super) fn response(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Id | GenerationId] => F::Id,
        [Type] => F::Event,
        [FinishReason] | [Delta, FinishReason] => F::FinishReason,
        [Delta, Message, Content, Text | Thinking]
        | [Delta, Message, ToolPlan]
        | [Delta, Message, ToolCalls, Function, Arguments]
        | [Text] => F::Output,
        [Message, ToolCalls, Item, Id] | [Delta, Message, ToolCalls, Id] => F::ToolId,
        [Message, ToolCalls, Item, Function, Name] | [Delta, Message, ToolCalls, Function, Name] => {
            F::ToolName
        }
        // Version 2 has `usage`, in streams within `delta`; version 1 and the other APIs have `meta`.
        [Usage | Meta, rest @ ..] | [Delta | Response, Usage | Meta, rest @ ..] => {
            return usage(rest).map(F::Tokens);
        }
        [IsFinished] => F::Done,
        [Message] | [Delta, Error] => F::ErrorMessage,
        _ => return None,
    })
}

fn usage(path: &[Key]) -> Option<field::Tokens> {
    Some(match path {
        [Tokens, InputTokens] => field::Tokens::Input,
        [Tokens, OutputTokens] => field::Tokens::Output,
        [CachedTokens] => field::Tokens::CacheRead,
        [BilledUnits, InputTokens] => field::Tokens::BilledInput,
        [BilledUnits, OutputTokens] => field::Tokens::BilledOutput,
        [BilledUnits, SearchUnits] => field::Tokens::BilledSearchUnits,
        _ => return None,
    })
}

pub(super) fn scope(path: &[Key]) -> Option<ResponseScope> {
    Some(match path {
        [Message, ToolCalls, Item] | [Delta, Message, ToolCalls] => ResponseScope::ToolCall,
        [Embeddings, Float, Item] | [Embeddings, Item] => ResponseScope::Embedding("float"),
        [Embeddings, Int8, Item] => ResponseScope::Embedding("int8"),
        [Embeddings, Uint8, Item] => ResponseScope::Embedding("uint8"),
        [Embeddings, Binary, Item] => ResponseScope::Embedding("binary"),
        [Embeddings, Ubinary, Item] => ResponseScope::Embedding("ubinary"),
        _ => return None,
    })
}

pub(super) fn request(path: &[Key]) -> Option<RequestField> {
    use RequestField as F;
    Some(match path {
        [Model] => F::Model,
        [Stream] => F::Stream,
        [MaxTokens] => F::MaxTokens,
        [Temperature] => F::Temperature,
        [P] => F::TopP,
        [K | TopN] => F::TopK,
        [FrequencyPenalty] => F::FrequencyPenalty,
        [PresencePenalty] => F::PresencePenalty,
        [StopSequences, Item] => F::StopSequence,
        [Seed] => F::Seed,
        [EmbeddingTypes, Item] => F::EncodingFormat,
        [OutputDimension] => F::Dimensions,
        [ResponseFormat, Type] => F::OutputType,
        _ => return None,
    })
}
