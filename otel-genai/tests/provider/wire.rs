//! Facts that are legal on the wire and rare.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, ResponseFacts, ResponseReader};
use serde_json::{Value, json};

pub(crate) fn sse(api: Api, policy: &ContentPolicy, events: &[Value]) -> ResponseFacts {
    let mut reader =
        ResponseReader::new(api, true).with_content_type("text/event-stream").with_capture(policy);
    events.iter().for_each(|event| reader.read(format!("data: {event}\n\n").as_bytes()));
    reader.finish()
}

#[test]
fn a_tool_that_the_provider_runs_is_called_once() {
    let item =
        json!({"type": "mcp_call", "id": "mcp_1", "name": "search", "arguments": "{}", "server_label": "s"});
    let facts = sse(
        Api::OpenAiResponses,
        &ContentPolicy::none(),
        &[
            json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item]}}),
        ],
    );
    assert_eq!(facts.tool_calls.len(), 1, "{:?}", facts.tool_calls);
}

#[test]
fn an_error_that_ends_a_stream() {
    let facts = sse(
        Api::CohereChat,
        &ContentPolicy::none(),
        &[json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "out of memory"}})],
    );
    assert!(facts.error.is_some(), "{facts:?}");
    let facts = sse(
        Api::OpenAiChat,
        &ContentPolicy::none(),
        &[json!({"id": "c", "choices": [], "x_groq": {"id": "req_1", "error": "stopped early"}})],
    );
    assert!(facts.error.is_some(), "{facts:?}");
}

/// The program that a model has written is no code of an error.
#[test]
fn a_code_of_another_event_is_none_of_the_error() {
    let facts = sse(
        Api::OpenAiResponses,
        &ContentPolicy::none(),
        &[
            json!({"type": "response.code_interpreter_call_code.done", "output_index": 0, "code": "canary"}),
            json!({"type": "error", "code": null, "message": "The server had an error", "param": null}),
        ],
    );
    let error = facts.error.unwrap();
    assert_eq!(error.code, None);
    assert_eq!(error.error_type(), None);
}

#[test]
fn the_first_version_of_cohere_says_when_it_is_finished() {
    let mut reader = ResponseReader::new(Api::CohereChat, true).with_content_type("application/stream+json");
    reader.read(b"{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"Hi\"}\n");
    assert!(!reader.is_complete());
    reader.read(b"{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\",\"response\":{\"text\":\"Hi\"}}\n");
    assert!(reader.is_complete());
}
