//! Ollama's own API.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api.md>

use super::field::{RequestField, ResponseField, ResponseScope, Tokens};
use super::key::Key::{self, *};

pub(super) fn response(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Model] => F::Model,
        [Message, Content | Thinking] | [Response | Thinking] => F::Output,
        [Message, ToolCalls, Item, Id] => F::ToolId,
        [Message, ToolCalls, Item, Function, Name] => F::ToolName,
        [Done] => F::Done,
        [DoneReason] => F::FinishReason,
        [PromptEvalCount] => F::Tokens(Tokens::Input),
        [EvalCount] => F::Tokens(Tokens::Output),
        [Error] => F::ErrorMessage,
        _ => return None,
    })
}

pub(super) fn scope(path: &[Key]) -> Option<ResponseScope> {
    Some(match path {
        [Message, ToolCalls, Item] => ResponseScope::ToolCall,
        [Embedding] | [Embeddings, Item] => ResponseScope::Embedding("float"),
        _ => return None,
    })
}

pub(super) fn request(path: &[Key]) -> Option<RequestField> {
    use RequestField as F;
    Some(match path {
        [Model] => F::Model,
        [Stream] => F::Stream,
        [Format] | [Format, Type] => F::OutputType,
        [Dimensions] => F::Dimensions,
        [Options, rest @ ..] => match rest {
            [NumPredict] => F::MaxTokens,
            [Temperature] => F::Temperature,
            [TopP] => F::TopP,
            [TopK] => F::TopK,
            [FrequencyPenalty] => F::FrequencyPenalty,
            [PresencePenalty] => F::PresencePenalty,
            [Stop] | [Stop, Item] => F::StopSequence,
            [Seed] => F::Seed,
            _ => return None,
        },
        _ => return None,
    })
}
