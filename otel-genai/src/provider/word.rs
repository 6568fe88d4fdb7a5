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

/// The conventions' word for a reason to finish; one that has none stays.
pub(crate) fn standard_finish_reason(reason: &str) -> &str {
    match reason {
        "stop" | "end_turn" | "stop_sequence" | "completed" | "pause_turn" | "STOP" | "STOP_SEQUENCE"
        | "COMPLETE" | "FINISH" | "FINISHED" | "STOP_CRITERIA_MET" => "stop",
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "model_context_window_exceeded"
        | "model_length"
        | "MAX_TOKENS"
        | "LENGTH" => "length",
        "content_filter"
        | "content_filtered"
        | "guardrail_intervened"
        | "refusal"
        | "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "ERROR_TOXIC"
        | "CONTENT_FILTERED" => "content_filter",
        "tool_calls" | "tool_use" | "tool_call" | "function_call" | "TOOL_CALL" => "tool_call",
        "error"
        | "failed"
        | "ERROR"
        | "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "malformed_model_output"
        | "malformed_tool_use" => "error",
        other => other,
    }
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
