//! Recorded exchanges with providers, with the facts that somebody else read from them.

use std::path::PathBuf;

use otel_genai::provider::{
    Api, Endpoint, Provider, RequestFacts, RequestReader, ResponseFacts, ResponseReader,
};
use serde_json::Value;

pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) streaming: bool,
    pub(crate) content_type: String,
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
    pub(crate) about: Value,
}

impl Exchange {
    fn request_facts(&self) -> RequestFacts {
        let mut reader = RequestReader::new(self.endpoint.api());
        reader.read(&self.request);
        reader.finish()
    }

    pub(crate) fn reader(&self) -> ResponseReader {
        ResponseReader::new(self.endpoint.api(), self.streaming).with_content_type(&self.content_type)
    }

    pub(crate) fn read(&self, chunks: &[&[u8]]) -> ResponseFacts {
        let mut reader = self.reader();
        for chunk in chunks {
            reader.read(chunk);
        }
        reader.finish()
    }
}

pub(crate) fn exchanges() -> Option<Vec<Exchange>> {
    let index = otel_testing::shared_file!("genai-responses/index.json")?;
    let folder = index.parent().map(PathBuf::from)?;
    let index: Value = serde_json::from_slice(&std::fs::read(index).unwrap()).unwrap();
    let read = |name: &Value| std::fs::read(folder.join(name.as_str().unwrap())).unwrap();
    let exchanges = index["responses"].as_array().unwrap().iter().map(|about| Exchange {
        name: about["file"].as_str().unwrap().to_owned(),
        endpoint: endpoint(about),
        streaming: about["streaming"].as_bool().unwrap(),
        content_type: about["content_type"].as_str().unwrap().to_owned(),
        request: read(&about["request_file"]),
        response: read(&about["file"]),
        about: about.clone(),
    });
    Some(exchanges.collect())
}

/// By host and path, but for the one server on a port of its own, which a user has to name.
fn endpoint(about: &Value) -> Endpoint {
    let url = about["url"].as_str().unwrap();
    let (host, path) = url.split_once("://").unwrap().1.split_once('/').unwrap();
    if host == "localhost:5002" {
        assert_eq!(Api::recognise(host, &format!("/{path}")), None);
        return Endpoint::new(Provider::OpenAi, Api::OpenAiCompletions);
    }
    Api::recognise(host, &format!("/{path}")).unwrap_or_else(|| panic!("{url} is not recognised"))
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_fact_of_every_recorded_exchange_is_read() {
    let Some(exchanges) = exchanges() else { return };
    assert_eq!(exchanges.len(), 101);
    for exchange in &exchanges {
        let facts = exchange.read(&[&exchange.response]);
        check(exchange, &facts);
    }
}

/// Numbers are the enum of Vertex AI.
fn finish_reasons(value: &Value) -> Vec<String> {
    let name = |value: &Value| match value.as_u64() {
        Some(1) => "STOP".to_owned(),
        Some(2) => "MAX_TOKENS".to_owned(),
        Some(other) => panic!("{other}"),
        None => value.as_str().unwrap().to_owned(),
    };
    value.as_array().unwrap().iter().map(name).collect()
}

fn check(exchange: &Exchange, facts: &ResponseFacts) {
    let name = &exchange.name;
    let expect = exchange.about["expect"].as_object().unwrap();
    let usage = facts.usage;
    for (key, value) in expect {
        let int = value.as_i64();
        let text = value.as_str();
        match key.as_str() {
            "response_id" => assert_eq!(facts.id.as_deref(), text, "{name} {key}"),
            "response_model" => assert_eq!(facts.model.as_deref(), text, "{name} {key}"),
            "service_tier" => assert_eq!(facts.service_tier.as_deref(), text, "{name} {key}"),
            "system_fingerprint" => assert_eq!(facts.system_fingerprint.as_deref(), text, "{name} {key}"),
            "status" => assert_eq!(facts.status.as_deref(), text, "{name} {key}"),
            "semconv_input_tokens_total" => assert_eq!(usage.input_tokens, int, "{name} {key}"),
            "semconv_output_tokens_total" => assert_eq!(usage.output_tokens, int, "{name} {key}"),
            "input_tokens" if expect.contains_key("semconv_input_tokens_total") => {
                let cached =
                    usage.cache_read_input_tokens.unwrap_or(0) + usage.cache_write_input_tokens.unwrap_or(0);
                assert_eq!(usage.input_tokens.map(|total| total - cached), int, "{name} {key}");
            }
            "output_tokens" if expect.contains_key("semconv_output_tokens_total") => {
                let visible = usage.output_tokens.unwrap() - usage.reasoning_output_tokens.unwrap();
                assert_eq!(Some(visible), int, "{name} {key}");
            }
            "input_tokens" => assert_eq!(usage.input_tokens, int, "{name} {key}"),
            "output_tokens" => assert_eq!(usage.output_tokens, int, "{name} {key}"),
            "cached_input_tokens" | "cache_read_input_tokens" => {
                assert_eq!(usage.cache_read_input_tokens, int, "{name} {key}");
            }
            "cache_creation_input_tokens" => assert_eq!(usage.cache_write_input_tokens, int, "{name} {key}"),
            "reasoning_tokens" => assert_eq!(usage.reasoning_output_tokens, int, "{name} {key}"),
            "finish_reasons" => assert_eq!(facts.finish_reasons, finish_reasons(value), "{name} {key}"),
            "choices" => assert_eq!(facts.choices, value.as_u64().unwrap(), "{name} {key}"),
            "chunks" if exchange.streaming => {
                assert_eq!(facts.events, value.as_u64().unwrap(), "{name} {key}");
            }
            "chunks" => assert_eq!(int, Some(1), "{name}: one body"),
            "events" => {
                let all: u64 = value.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(facts.events, all, "{name} {key}");
            }
            "done_marker" => assert!(facts.complete, "{name} {key}"),
            "embeddings" => assert_eq!(facts.embeddings, value.as_u64().unwrap(), "{name} {key}"),
            "dimensions" => assert_eq!(facts.dimensions, int, "{name} {key}"),
            "encoding" => assert_eq!(facts.encoding_format, text, "{name} {key}"),
            "output_types" => assert_eq!(facts.output_items, strings(value), "{name} {key}"),
            "billed" => {
                assert_eq!(usage.billed_input_tokens, value["input_tokens"].as_i64(), "{name} {key}");
                assert_eq!(usage.billed_output_tokens, value["output_tokens"].as_i64(), "{name} {key}");
                assert_eq!(usage.billed_search_units, value["search_units"].as_i64(), "{name} {key}");
            }
            "error" => check_error(name, value, facts),
            "tool_calls" => check_tools(name, value, facts),
            // In the messages: `messages.rs`.
            "text_prefix" | "has_thinking" | "refusal" => {}
            other => panic!("{name}: nothing checks {other}"),
        }
    }
    if !expect.contains_key("error") {
        assert_eq!(facts.error, None, "{name}");
        assert!(facts.complete, "{name} is complete");
    }
}

fn check_error(name: &str, expected: &Value, facts: &ResponseFacts) {
    let error = facts.error.as_ref().unwrap();
    let plain = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    assert_eq!(error.code, plain(&expected["code"]), "{name}");
    let kind = if expected["status"].is_null() { &expected["type"] } else { &expected["status"] };
    assert_eq!(error.kind, plain(kind), "{name}");
    assert_eq!(error.message, plain(&expected["message"]), "{name}");
}

fn check_tools(name: &str, expected: &Value, facts: &ResponseFacts) {
    let expected = expected.as_array().unwrap();
    assert_eq!(facts.tool_calls.len(), expected.len(), "{name}");
    for (call, expected) in facts.tool_calls.iter().zip(expected) {
        assert_eq!(call.id.as_deref(), expected["id"].as_str(), "{name}");
        assert_eq!(call.name.as_deref(), expected["name"].as_str(), "{name}");
    }
}

#[test]
fn the_provider_and_the_model_of_every_request_are_recognised() {
    let Some(exchanges) = exchanges() else { return };
    for exchange in &exchanges {
        let facts = exchange.request_facts();
        let model = facts.model.as_deref().or(exchange.endpoint.model());
        let expected = exchange.about["request_model"].as_str();
        assert_eq!(exchange.endpoint.model().or(model), expected, "{}", exchange.name);
        let provider = match exchange.about["provider"].as_str().unwrap() {
            // A recording of OpenAI's client against another server.
            "openai" if exchange.about["url"].as_str().unwrap().contains("deepseek") => "deepseek",
            other => other,
        };
        assert_eq!(exchange.endpoint.provider().as_str(), provider, "{}", exchange.name);
        let streaming = exchange.endpoint.streaming().unwrap_or(facts.stream);
        assert_eq!(streaming, exchange.streaming, "{}", exchange.name);
    }
}
