//! Anthropic's messages, and text completions.
//!
//! <https://docs.claude.com/en/api/messages>

use super::field::{RequestField, ResponseField, ResponseScope, Tokens};
use super::key::Key::{self, *};

pub(super) fn response(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Type] => F::Event,
        [ContentBlock, Id] => F::ToolId,
        [ContentBlock, Name] => F::ToolName,
        // Some blocks come whole.
        [ContentBlock, Text | Thinking] | [Delta, Text | Thinking | PartialJson] | [Completion] => F::Output,
        [Delta, StopReason] => F::FinishReason,
        [Error, Type] => F::ErrorKind,
        [Error, Message] | [Message] => F::ErrorMessage,
        [Message, rest @ ..] => return message(rest),
        _ => return message(path),
    })
}

/// A stream opens with the message as it is then: without content, with the usage so far.
fn message(path: &[Key]) -> Option<ResponseField> {
    use ResponseField as F;
    Some(match path {
        [Id] => F::Id,
        [Model] => F::Model,
        [StopReason] => F::FinishReason,
        [Content, Item, Id] => F::ToolId,
        [Content, Item, Name] => F::ToolName,
        [Usage, counted] => F::Tokens(match counted {
            InputTokens => Tokens::UncachedInput,
            OutputTokens => Tokens::Output,
            CacheReadInputTokens => Tokens::CacheRead,
            CacheCreationInputTokens => Tokens::CacheWrite,
            _ => return None,
        }),
        _ => return None,
    })
}

pub(super) fn scope(path: &[Key]) -> Option<ResponseScope> {
    matches!(path, [ContentBlock] | [Content, Item] | [Message, Content, Item])
        .then_some(ResponseScope::ToolCall)
}

pub(super) fn request(path: &[Key]) -> Option<RequestField> {
    use RequestField as F;
    Some(match path {
        [Model] => F::Model,
        [Stream] => F::Stream,
        [MaxTokens | MaxTokensToSample] => F::MaxTokens,
        [Temperature] => F::Temperature,
        [TopP] => F::TopP,
        [TopK] => F::TopK,
        [StopSequences, Item] => F::StopSequence,
        [OutputFormat, Type] | [OutputConfig, Format, Type] => F::OutputType,
        [OutputConfig, Effort] => F::ReasoningLevel,
        _ => return None,
    })
}
