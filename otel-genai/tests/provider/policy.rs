//! What leaves a policy, and what never does.

use std::sync::{Arc, Mutex};

use otel_genai::content::{CapturedContent, ContentPolicy, ContentPolicyBuilder};
use otel_genai::provider::{Api, RequestReader, ResponseReader};
use serde_json::{Value, json};

use crate::schema::assert_valid;

/// Each kind of content is a canary of its own.
fn request() -> String {
    json!({
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "canary-system"},
            {"role": "user", "name": "canary-name", "content": [
                {"type": "text", "text": "canary-question"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,canaryBlob"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/canary-uri.png?v=1&sig=key-of-the-file"}},
                {"type": "file", "file": {"file_id": "canary-file"}},
                {"type": "something_new", "payload": "canary-other"},
            ]},
            {"role": "assistant", "content": null, "reasoning_content": "canary-thought", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": "{\"q\":\"canary-argument\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "canary-result"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "lookup", "description": "canary-description", "parameters": {"type": "object", "title": "canary-schema"},
        }}],
    })
    .to_string()
}

fn response() -> String {
    json!({"choices": [{"finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "canary-answer", "reasoning_content": "canary-conclusion", "tool_calls": [
            {"id": "call_2", "type": "function", "function": {"name": "lookup", "arguments": "{\"q\":[\"canary-choice\"]}"}},
        ],
    }}]})
    .to_string()
}

const CANARIES: &[&str] = &[
    "canary-system",
    "canary-question",
    "canary-name",
    "canaryBlob",
    "canary-uri",
    "canary-file",
    "canary-other",
    "canary-thought",
    "canary-argument",
    "canary-result",
    "canary-description",
    "canary-schema",
    "canary-answer",
    "canary-conclusion",
    "canary-choice",
];

fn apply(policy: &ContentPolicy) -> CapturedContent {
    let mut request_reader = RequestReader::new(Api::OpenAiChat).with_capture(policy);
    request_reader.read(request().as_bytes());
    let mut response_reader = ResponseReader::new(Api::OpenAiChat, false).with_capture(policy);
    response_reader.read(response().as_bytes());
    let facts = response_reader.finish();
    policy.apply(request_reader.finish().content, facts.output_messages)
}

fn both() -> ContentPolicyBuilder {
    ContentPolicy::builder().with_span_attributes().with_events()
}

/// Asserts that these canaries are in neither spans nor events, and all others are in both.
#[track_caller]
fn assert_hides(builder: ContentPolicyBuilder, hidden: &[&str]) {
    let content = apply(&builder.build());
    let texts = [format!("{:?}", content.span_attributes), format!("{:?}", content.event_attributes)];
    for text in &texts {
        assert!(!text.contains("key-of-the-file"), "{text}");
        for canary in CANARIES {
            assert_eq!(text.contains(canary), !hidden.contains(canary), "{canary}\n{text}");
        }
    }
    for pair in &content.span_attributes {
        assert_valid(pair.key.as_str(), &serde_json::from_str(&pair.value.as_str()).unwrap());
    }
}

/// What is not there unless it is asked for by name.
const DEFAULT: &[&str] = &["canaryBlob", "canary-description", "canary-schema"];

fn with_default(hidden: &[&'static str]) -> Vec<&'static str> {
    [DEFAULT, hidden].concat()
}

#[test]
fn nothing_is_captured_unless_it_is_asked_for() {
    for policy in [ContentPolicy::none(), ContentPolicy::builder().with_blobs().with_tool_schemas().build()] {
        let content = apply(&policy);
        assert!(content.span_attributes.is_empty() && content.event_attributes.is_empty());
        let mut reader = ResponseReader::new(Api::OpenAiChat, false).with_capture(&policy);
        reader.read(response().as_bytes());
        assert!(!format!("{:?}", reader.finish()).contains("canary"));
        let mut reader = RequestReader::new(Api::OpenAiChat).with_capture(&policy);
        reader.read(request().as_bytes());
        assert!(!format!("{:?}", reader.finish()).contains("canary"));
    }
}

#[test]
fn content_goes_where_it_was_sent() {
    let spans = apply(&ContentPolicy::builder().with_span_attributes().build());
    assert_eq!((spans.span_attributes.len(), spans.event_attributes.len()), (3, 0));
    let events = apply(&ContentPolicy::builder().with_events().build());
    assert_eq!((events.span_attributes.len(), events.event_attributes.len()), (0, 3));
}

#[test]
fn each_flag_hides_its_part_and_no_other() {
    assert_hides(both(), DEFAULT);
    assert_hides(both().with_blobs().with_tool_schemas(), &[]);
    assert_hides(both().without_system_instructions(), &with_default(&["canary-system"]));
    let unknown = "canary-other";
    assert_hides(
        both().without_reasoning(),
        &with_default(&["canary-thought", "canary-conclusion", unknown]),
    );
    assert_hides(
        both().without_tool_arguments(),
        &with_default(&["canary-argument", "canary-choice", unknown]),
    );
    assert_hides(both().without_tool_results(), &with_default(&["canary-result", unknown]));
    assert_hides(both().with_blobs().without_media(), &with_default(&["canary-uri", "canary-file", unknown]));
    assert_hides(both().with_tool_schemas().without_tool_definitions(), DEFAULT);
    assert_hides(
        both().without_output_messages(),
        &with_default(&["canary-answer", "canary-conclusion", "canary-choice"]),
    );
    let inputs: Vec<_> = CANARIES.iter().copied().take(10).filter(|canary| *canary != "canaryBlob").collect();
    assert_hides(both().without_input_messages(), &with_default(&inputs));
}

#[test]
fn a_mask_sees_every_text() {
    let hidden: Vec<_> = CANARIES.iter().copied().filter(|canary| *canary != "canary-file").collect();
    assert_hides(
        both().with_blobs().with_tool_schemas().with_mask(|text| text.replace("canary", "****")),
        &hidden,
    );
}

#[test]
fn a_mask_that_panics_drops_all() {
    let content = apply(
        &both()
            .with_mask(|text| if text.contains("answer") { panic!("a mask") } else { text.to_owned() })
            .build(),
    );
    assert!(content.span_attributes.is_empty() && content.event_attributes.is_empty());
}

#[test]
fn a_mask_never_sees_half_a_secret() {
    let policy =
        both().with_mask(|text| text.replace("canary-secret", "****")).with_max_text_length(100).build();
    // A text that is kept whole is masked before it is cut, and one that cannot be kept whole is dropped.
    for (length, shown) in [(95, true), (300 * 1024 * 2, false)] {
        let text = format!("{}canary-secret", "x".repeat(length));
        let mut reader = RequestReader::new(Api::OpenAiChat).with_capture(&policy);
        reader.read(json!({"messages": [{"role": "user", "content": text}]}).to_string().as_bytes());
        let content = format!("{:?}", policy.apply(reader.finish().content, Vec::new()));
        assert!(!content.contains("can"), "{content}");
        assert_eq!(content.contains("xxx"), shown);
    }
}

#[test]
fn of_too_much_input_the_newest_is_kept_and_of_output_the_first() {
    let policy = both().with_max_length(40).build();
    let messages: Vec<_> =
        (0..10).map(|index| json!({"role": "user", "content": format!("message {index}")})).collect();
    let mut reader = RequestReader::new(Api::OpenAiChat).with_capture(&policy);
    reader.read(json!({"messages": messages}).to_string().as_bytes());
    let content = policy.apply(reader.finish().content, Vec::new());
    let shown: Value = serde_json::from_str(&content.span_attributes[0].value.as_str()).unwrap();
    let texts: Vec<_> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["parts"][0]["content"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["message 7", "message 8", "message 9"]);
}

#[test]
fn an_upload_gets_what_is_left_and_leaves_a_reference() {
    let seen = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&seen);
    let policy =
        ContentPolicy::builder().without_tool_results().with_mask(|text| text.replace("question", "****"));
    let policy = policy.with_upload(move |content| {
        *sink.lock().unwrap() = format!("{content:?}");
        Some("s3://bucket/1".to_owned())
    });
    let content = apply(&policy.build());
    let seen = seen.lock().unwrap();
    assert!(seen.contains("canary-answer") && seen.contains("canary-****"));
    assert!(!seen.contains("canary-question") && !seen.contains("canary-result"));
    let keys: Vec<_> =
        content.span_attributes.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    let reference = std::borrow::Cow::from("s3://bucket/1");
    assert_eq!(
        keys,
        [("gen_ai.input.messages_ref", reference.clone()), ("gen_ai.output.messages_ref", reference)]
    );
    assert_eq!(content.event_attributes.len(), 2);
}

#[test]
fn an_upload_that_panics_leaves_no_reference() {
    let content = apply(&both().with_upload(|_| panic!("a hook")).build());
    assert_eq!(content.span_attributes.len(), 3);
    assert!(!format!("{content:?}").contains("_ref"));
}

#[test]
fn data_in_the_answer_of_a_tool_is_no_more_shown_than_that_of_a_message() {
    let body = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "canaryBlob"}},
        {"type": "text", "text": "seen"},
    ]}]}]});
    let policy = both().build();
    let mut reader = RequestReader::new(Api::AnthropicMessages).with_capture(&policy);
    reader.read(body.to_string().as_bytes());
    let content = format!("{:?}", policy.apply(reader.finish().content, Vec::new()));
    assert!(content.contains("seen") && !content.contains("canaryBlob"), "{content}");
}
