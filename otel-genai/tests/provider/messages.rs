//! Messages of the recorded exchanges, in the conventions' form.

use otel_genai::content::{CapturedContent, ContentPolicy};
use otel_genai::provider::{RequestReader, ResponseFacts};
use serde_json::Value;

use crate::exchanges::{Exchange, exchanges};
use crate::schema::assert_valid;

fn everything() -> ContentPolicy {
    let policy =
        ContentPolicy::builder().with_span_attributes().with_events().with_blobs().with_tool_schemas();
    policy.with_max_text_length(1 << 20).with_max_length(1 << 22).build()
}

fn captured(exchange: &Exchange, policy: &ContentPolicy) -> (CapturedContent, ResponseFacts) {
    let mut request = RequestReader::new(exchange.endpoint.api()).with_capture(policy);
    request.read(&exchange.request);
    let request = request.finish();
    assert!(!request.content.truncated, "{}", exchange.name);
    let mut response = exchange.reader().with_capture(policy);
    response.read(&exchange.response);
    let response = response.finish();
    assert!(!response.content_truncated, "{}", exchange.name);
    (policy.apply(request.content, response.output_messages.clone()), response)
}

fn attribute(content: &CapturedContent, name: &str) -> Option<Value> {
    let found = content.span_attributes.iter().find(|pair| pair.key.as_str() == name)?;
    Some(serde_json::from_str(&found.value.as_str()).unwrap())
}

/// Parts of one kind in all messages, in order.
fn parts<'a>(messages: &'a Value, kind: &str) -> Vec<&'a Value> {
    let parts = messages.as_array().unwrap().iter().flat_map(|message| message["parts"].as_array().unwrap());
    parts.filter(|part| part["type"] == kind).collect()
}

#[test]
fn the_messages_of_every_recorded_exchange_fit_their_schemas() {
    let Some(exchanges) = exchanges() else { return };
    let policy = everything();
    let mut inputs = 0;
    for exchange in &exchanges {
        let (content, facts) = captured(exchange, &policy);
        for pair in &content.span_attributes {
            assert_valid(pair.key.as_str(), &serde_json::from_str(&pair.value.as_str()).unwrap());
        }
        assert_eq!(content.span_attributes.len(), content.event_attributes.len());
        inputs += usize::from(attribute(&content, "gen_ai.input.messages").is_some());
        let operation = exchange.endpoint.api().operation_name();
        if facts.error.is_none() && !matches!(operation, "embeddings" | "rerank" | "retrieval") {
            let output = attribute(&content, "gen_ai.output.messages");
            let output = output.unwrap_or_else(|| panic!("{}: no output", exchange.name));
            assert_eq!(output.as_array().unwrap().len() as u64, facts.choices.max(1), "{}", exchange.name);
            assert_ne!(output[0]["finish_reason"], "incomplete", "{}", exchange.name);
        }
    }
    // All but embeddings and the reranking.
    assert_eq!(inputs, 92);
}

#[test]
fn text_tools_refusals_and_reasoning_are_those_expected() {
    let Some(exchanges) = exchanges() else { return };
    let policy = everything();
    let mut checked = 0;
    for exchange in &exchanges {
        let (content, _) = captured(exchange, &policy);
        let output =
            attribute(&content, "gen_ai.output.messages").unwrap_or_else(|| Value::Array(Vec::new()));
        let expect = exchange.about["expect"].as_object().unwrap();
        let name = &exchange.name;
        for (key, value) in expect {
            checked += 1;
            match key.as_str() {
                "text_prefix" if expect.contains_key("refusal") => assert_eq!(value, ""),
                "text_prefix" => {
                    let text =
                        parts(&output, "text").first().map_or("", |part| part["content"].as_str().unwrap());
                    assert!(text.starts_with(value.as_str().unwrap()), "{name}: {text}");
                    assert_eq!(text.is_empty(), value == "", "{name}: {text}");
                }
                "refusal" => assert_eq!(&parts(&output, "text")[0]["content"], value, "{name}"),
                "has_thinking" => {
                    let reasoning = parts(&output, "reasoning");
                    assert_eq!(!reasoning.is_empty(), value.as_bool().unwrap(), "{name}");
                    assert!(
                        reasoning.iter().all(|part| !part["content"].as_str().unwrap().is_empty()),
                        "{name}"
                    );
                }
                "tool_calls" => check_calls(name, &parts(&output, "tool_call"), value.as_array().unwrap()),
                _ => checked -= 1,
            }
        }
    }
    assert_eq!(checked, 35 + 2 + 16 + 13);
}

fn check_calls(name: &str, calls: &[&Value], expected: &[Value]) {
    assert_eq!(calls.len(), expected.len(), "{name}");
    for (call, expected) in calls.iter().zip(expected) {
        assert_eq!(call.get("id").unwrap_or(&Value::Null), &expected["id"], "{name}");
        assert_eq!(call["name"], expected["name"], "{name}");
        let arguments: Value = serde_json::from_str(expected["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(call["arguments"], arguments, "{name}");
    }
}
