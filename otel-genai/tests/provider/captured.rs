//! Content that is legal on the wire and rare.

use otel_genai::content::{ContentPolicy, ContentPolicyBuilder, Message, OutputMessage, Part};
use otel_genai::provider::{Api, RequestReader, ResponseFacts, ResponseReader};
use serde_json::{Value, json};

use crate::wire::sse;

fn spans() -> ContentPolicyBuilder {
    ContentPolicy::builder().with_span_attributes()
}

/// The parts of the first message.
fn parts(facts: &ResponseFacts) -> Value {
    let messages: Value = facts.output_messages.iter().map(OutputMessage::to_json).collect();
    messages[0]["parts"].clone()
}

#[test]
fn an_index_that_no_response_has() {
    for field in ["output_index", "content_index", "summary_index"] {
        let event =
            json!({"type": "response.output_text.delta", field: u64::MAX, "summary_index": 3, "delta": "a"});
        sse(Api::OpenAiResponses, &spans().build(), &[event]);
    }
}

/// Servers that send each call of a tool whole number them all 0.
#[test]
fn calls_of_one_number_are_told_by_their_ids() {
    let chunk = |id: &str, name: Value, arguments: &str| {
        let function = json!({"name": name, "arguments": arguments});
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": id, "function": function}]}}]})
    };
    let facts = sse(
        Api::OpenAiChat,
        &spans().build(),
        &[chunk("call_1", json!("first"), r#"{"a":1}"#), chunk("call_2", json!("second"), r#"{"b":2}"#)],
    );
    let expected = json!([
        {"type": "tool_call", "id": "call_1", "name": "first", "arguments": {"a": 1}},
        {"type": "tool_call", "id": "call_2", "name": "second", "arguments": {"b": 2}},
    ]);
    assert_eq!(parts(&facts), expected);
    assert_eq!(facts.tool_calls.len(), 2);

    // Others give each piece an id of its own, and the first alone a name.
    let facts = sse(
        Api::OpenAiChat,
        &spans().build(),
        &[chunk("x1", json!("first"), r#"{"a""#), chunk("x2", Value::Null, ":1}")],
    );
    assert_eq!(parts(&facts)[0]["arguments"], json!({"a": 1}));
    assert_eq!(parts(&facts).as_array().unwrap().len(), 1);
}

/// Data in base64 is kept only if that is asked for, wherever it is.
#[test]
fn data_stays_out_of_results_and_of_what_the_provider_ran() {
    let data = "Q2FuYXJ5".repeat(4);
    let converse = json!({"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [
        {"image": {"format": "png", "source": {"bytes": data}}},
        {"document": {"format": "pdf", "name": "d", "source": {"bytes": data}}},
    ]}}, {"guardContent": {"image": {"format": "png", "source": {"bytes": data}}}}]}]});
    let fetched = json!({"messages": [{"role": "assistant", "content": [{
        "type": "web_fetch_tool_result", "tool_use_id": "t", "content": {"type": "web_fetch_result", "content": {
            "type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data},
        }},
    }]}]});
    let drawn = json!({"input": [
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "output_format": "png", "result": data},
        {"type": "code_interpreter_call", "outputs": [{"type": "image", "url": format!("data:image/png;base64,{data}")}]},
    ]});
    // What a tool of MCP answers, and a file without the beginning of a URL.
    let resource = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
        {"type": "resource", "resource": {"uri": "file:///a.pdf", "blob": data}},
    ]}]}]});
    let file = json!({"messages": [{"role": "user", "content": [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data}},
    ]}]});
    let input_file = json!({"input": [{"role": "user", "content": [
        {"type": "input_file", "filename": "a.pdf", "file_data": data},
    ]}]});
    for (api, body) in [
        (Api::BedrockConverse, converse),
        (Api::AnthropicMessages, fetched),
        (Api::OpenAiResponses, drawn),
        (Api::AnthropicMessages, resource),
        (Api::OpenAiChat, file),
        (Api::OpenAiResponses, input_file),
    ] {
        let captured = |builder: ContentPolicyBuilder| {
            let policy = builder.build();
            let mut reader = RequestReader::new(api).with_capture(&policy);
            reader.read(body.to_string().as_bytes());
            format!("{:?}", policy.apply(reader.finish().content, Vec::new()))
        };
        assert!(captured(spans().with_blobs()).contains("Q2FuYXJ5"), "{api:?}");
        assert!(!captured(spans()).contains("Q2FuYXJ5"), "{api:?}");
        assert!(!captured(spans().with_blobs().without_media()).contains("Q2FuYXJ5"), "{api:?}");
    }
}

/// A mask that sees a part of a secret does not know it for one.
#[test]
fn a_text_of_which_a_piece_was_left_out_is_not_shown_as_whole() {
    let policy =
        ContentPolicy::builder().with_span_attributes().with_mask(str::to_owned).with_max_length(1).build();
    let chunk =
        |choice: usize, text: &str| json!({"choices": [{"index": choice, "delta": {"content": text}}]});
    let long = "x".repeat(200 * 1024);
    let mut events: Vec<_> = (1..6).map(|choice| chunk(choice, &long)).collect();
    events.extend([chunk(0, "sec"), chunk(0, &long), chunk(0, "ret")]);
    let facts = sse(Api::OpenAiChat, &policy, &events);
    assert!(facts.content_truncated);
    assert_eq!(parts(&facts)[0]["content"], "sec…[cut]");

    // One event that is cut while it is copied.
    let escaped =
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{}"}}}}]}}"#, "\\n".repeat(100 * 1024));
    let mut reader = ResponseReader::new(Api::OpenAiChat, true).with_content_type("text/event-stream");
    reader = reader.with_capture(&policy);
    for event in [escaped, chunk(0, "secret").to_string()] {
        reader.read(format!("data: {event}\n\n").as_bytes());
    }
    let facts = reader.finish();
    let text = parts(&facts)[0]["content"].as_str().unwrap().to_owned();
    assert!(text.ends_with("…[cut]"), "{}", &text[text.len() - 20..]);
}

/// Google takes one where a list is meant, and its own examples write it so.
/// <https://ai.google.dev/gemini-api/docs/system-instructions>
#[test]
fn one_where_gemini_has_a_list() {
    let body = json!({
        "system_instruction": {"parts": {"text": "rule"}}, "contents": {"parts": {"text": "question"}},
        "tools": {"function_declarations": {"name": "lookup"}},
    });
    let mut reader = RequestReader::new(Api::GeminiGenerateContent).with_capture(&spans().build());
    reader.read(body.to_string().as_bytes());
    let content = reader.finish().content;
    assert_eq!(content.system_instructions, [Part::Text("rule".to_owned())]);
    assert_eq!(content.input_messages, [Message::text("user", "question")]);
    let tools: Vec<_> = content.tool_definitions.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["lookup"]);
}

/// "also where only a URI or a file's id refers to them": in what a tool has answered no less than in a message.
#[test]
fn media_stay_out_of_answers_of_tools_too() {
    let anthropic = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/canary.png"}},
        {"type": "document", "source": {"type": "file", "file_id": "canary"}},
        {"type": "text", "text": "seen"},
    ]}]}]});
    let responses = json!({"input": [
        {"type": "function_call_output", "call_id": "c", "output": [
            {"type": "input_image", "image_url": "https://example.com/canary.png"},
            {"type": "input_file", "file_id": "canary"},
            {"type": "input_text", "text": "seen"},
        ]},
        {"type": "computer_call_output", "call_id": "d", "output": {"type": "computer_screenshot", "file_id": "canary"}},
    ]});
    let converse = json!({"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://canary"}}}},
        {"json": {"image": "seen", "type": "document"}},
    ]}}]}]});
    for (api, body) in [
        (Api::AnthropicMessages, anthropic),
        (Api::OpenAiResponses, responses),
        (Api::BedrockConverse, converse),
    ] {
        let captured = |builder: ContentPolicyBuilder| {
            let policy = builder.build();
            let mut reader = RequestReader::new(api).with_capture(&policy);
            reader.read(body.to_string().as_bytes());
            format!("{:?}", policy.apply(reader.finish().content, Vec::new()))
        };
        assert!(captured(spans()).contains("canary"), "{api:?}");
        let hidden = captured(spans().without_media());
        assert!(!hidden.contains("canary") && hidden.contains("seen"), "{api:?}: {hidden}");
    }
}
