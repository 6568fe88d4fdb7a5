//! Words of providers in values.

use super::field::Tokens;

/// Events that end a stream.
pub(super) fn is_last(event: &str) -> bool {
    matches!(
        event,
        "message_stop" | "message-end" | "response.completed" | "response.incomplete" | "response.failed"
    )
}

/// Responses have no reason to finish, but a status.
pub(super) fn finish_reason_of(status: &str) -> Option<&str> {
    match status {
        "completed" => Some("stop"),
        "failed" | "cancelled" => Some(status),
        _ => None,
    }
}

/// Reasons to finish that mean that a filter did.
pub(super) fn is_filter(reason: &str) -> bool {
    matches!(
        reason,
        "content_filter"
            | "content_filtered"
            | "guardrail_intervened"
            | "refusal"
            | "SAFETY"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "ERROR_TOXIC"
    )
}

/// By its name, or its number in Vertex AI's older binding: tokens of the input, and of the output.
pub(super) fn modality(name: &str) -> Option<(Tokens, Tokens)> {
    match name {
        "TEXT" | "1" => Some((Tokens::TextInput, Tokens::TextOutput)),
        "IMAGE" | "2" => Some((Tokens::ImageInput, Tokens::ImageOutput)),
        "AUDIO" | "4" => Some((Tokens::AudioInput, Tokens::AudioOutput)),
        _ => None,
    }
}
