//! Our own exchanges, short ones of each API, with what the recorded ones do not have.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, Endpoint, RequestFacts, RequestReader, ResponseFacts, ResponseReader};
use serde_json::{Value, json};

use crate::schema::assert_valid;

fn request(api: Api, body: &Value) -> RequestFacts {
    let mut reader = RequestReader::new(api);
    reader.read(body.to_string().as_bytes());
    reader.finish()
}

fn response(api: Api, body: &Value) -> ResponseFacts {
    read(ResponseReader::new(api, false), body.to_string().as_bytes())
}

fn read(mut reader: ResponseReader, body: &[u8]) -> ResponseFacts {
    reader.read(body);
    reader.finish()
}

fn sse(api: Api, events: &[Value]) -> ResponseFacts {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    read(capturing(api).with_content_type("text/event-stream"), body.as_bytes())
}

fn capturing(api: Api) -> ResponseReader {
    ResponseReader::new(api, true).with_capture(&ContentPolicy::builder().with_events().build())
}

/// The parts of the first choice, checked against the schema.
fn parts(facts: &ResponseFacts) -> Value {
    let messages: Value =
        facts.output_messages.iter().map(otel_genai::content::OutputMessage::to_json).collect();
    assert_valid("gen_ai.output.messages", &messages);
    messages[0]["parts"].clone()
}

/// An AWS event stream message: headers of type string, then the payload.
pub(crate) fn aws(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + block.len() + payload.len()).unwrap();
    let headers = u32::try_from(block.len()).unwrap();
    [&total.to_be_bytes()[..], &headers.to_be_bytes(), &[0; 4], &block, payload, &[0; 4]].concat()
}

#[test]
fn hosts_and_paths_are_recognised() {
    let name = |endpoint: Endpoint| {
        let model = endpoint.model().unwrap_or("-").to_owned();
        let streaming = endpoint.streaming().map_or("-".to_owned(), |streaming| streaming.to_string());
        format!("{} {:?} {model} {streaming}", endpoint.provider(), endpoint.api())
    };
    let cases = [
        ("api.openai.com", "/v1/chat/completions", "openai OpenAiChat - -"),
        ("API.OpenAI.com:443", "/v1/responses?x=1", "openai OpenAiResponses - -"),
        ("eu.api.openai.com", "/v1/embeddings/", "openai OpenAiEmbeddings - -"),
        ("api.groq.com", "/openai/v1/chat/completions", "groq OpenAiChat - -"),
        ("api.mistral.ai", "/v1/fim/completions", "mistral_ai OpenAiCompletions - -"),
        ("api.perplexity.ai", "/chat/completions", "perplexity OpenAiChat - -"),
        (
            "r.openai.azure.com",
            "/openai/deployments/my%20gpt/chat/completions",
            "azure.ai.openai OpenAiChat my gpt -",
        ),
        ("r.openai.azure.com", "/openai/v1/responses", "azure.ai.openai OpenAiResponses - -"),
        ("r.services.ai.azure.com", "/models/chat/completions", "azure.ai.inference OpenAiChat - -"),
        ("api.anthropic.com", "/v1/messages", "anthropic AnthropicMessages - -"),
        (
            "generativelanguage.googleapis.com",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            "gcp.gemini GeminiGenerateContent gemini-2.5-flash true",
        ),
        ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions", "gcp.gemini OpenAiChat - -"),
        (
            "europe-west1-aiplatform.googleapis.com",
            "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:generateContent",
            "gcp.vertex_ai GeminiGenerateContent gemini-2.5-pro false",
        ),
        (
            "aiplatform.googleapis.com",
            "/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict",
            "gcp.vertex_ai AnthropicMessages claude-sonnet-4@20250514 true",
        ),
        (
            "bedrock-runtime.us-east-1.amazonaws.com",
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/converse-stream",
            "aws.bedrock BedrockConverse arn:aws:bedrock:eu-west-1:1:inference-profile/x true",
        ),
        (
            "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            "/model/m/invoke",
            "aws.bedrock BedrockInvokeModel m false",
        ),
        ("localhost:11434", "/api/chat", "ollama OllamaChat - -"),
        ("127.0.0.1:11434", "/v1/chat/completions", "ollama OpenAiChat - -"),
        ("api.cohere.com", "/v2/rerank", "cohere CohereRerank - -"),
    ];
    for (host, path, expected) in cases {
        assert_eq!(Api::recognise(host, path).map(name).as_deref(), Some(expected), "{host}{path}");
    }
}

#[test]
fn what_is_not_certain_is_not_recognised() {
    for (host, path) in [
        ("example.com", "/v1/chat/completions"),
        ("api.openai.com.example.com", "/v1/chat/completions"),
        ("notapi.openai.com", "/v1/chat/completions"),
        ("api.openai.com", "/v1/models"),
        ("api.openai.com", "/v1/chat/completions/123"),
        ("api.anthropic.com", "/v1/messages/count_tokens"),
        ("localhost", "/api/chat"),
        ("amazonaws.com", "/model/m/invoke"),
        ("evil-bedrock-runtime.example.com", "/model/m/invoke"),
        ("generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-flash:countTokens"),
        ("", ""),
        (":", "%"),
    ] {
        assert_eq!(Api::recognise(host, path), None, "{host}{path}");
    }
}

#[test]
fn requests_of_openai() {
    let facts = request(
        Api::OpenAiChat,
        &json!({
            "messages": [{"role": "user", "content": "model"}], "model": "gpt-4o", "n": 2, "max_completion_tokens": 100,
            "temperature": 0.5, "top_p": 1, "frequency_penalty": -0.5, "presence_penalty": 0.1, "seed": 42, "stop": ["a", "b"],
            "response_format": {"type": "json_schema", "json_schema": {"name": "x"}}, "service_tier": "flex", "stream": true,
            "reasoning_effort": "high", "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}],
        }),
    );
    assert_eq!(facts.model.as_deref(), Some("gpt-4o"));
    assert_eq!((facts.choice_count, facts.max_tokens, facts.seed), (Some(2), Some(100), Some(42)));
    assert_eq!((facts.temperature, facts.top_p), (Some(0.5), Some(1.0)));
    assert_eq!((facts.frequency_penalty, facts.presence_penalty), (Some(-0.5), Some(0.1)));
    assert_eq!(facts.stop_sequences, ["a", "b"]);
    assert_eq!(facts.output_type, Some("json"));
    assert_eq!(facts.service_tier.as_deref(), Some("flex"));
    assert_eq!(facts.reasoning_level.as_deref(), Some("high"));
    assert_eq!((facts.stream, facts.tools), (true, 2));
    assert!(facts.content.is_empty());

    let facts = request(
        Api::OpenAiResponses,
        &json!({"model": "m", "input": "x", "conversation": {"id": "conv_1"}, "previous_response_id": "resp_0",
            "reasoning": {"effort": "low"}, "max_output_tokens": 5, "text": {"format": {"type": "text"}}}),
    );
    assert_eq!(facts.conversation_id.as_deref(), Some("conv_1"));
    assert_eq!(facts.previous_response_id.as_deref(), Some("resp_0"));
    assert_eq!((facts.reasoning_level.as_deref(), facts.max_tokens), (Some("low"), Some(5)));
    assert_eq!((facts.output_type, facts.stream), (Some("text"), false));

    let facts = request(
        Api::OpenAiEmbeddings,
        &json!({"model": "e", "input": ["x"], "dimensions": 256, "encoding_format": "base64"}),
    );
    assert_eq!((facts.dimensions, facts.encoding_formats), (Some(256), vec!["base64".to_owned()]));
}

#[test]
fn requests_of_others() {
    let facts = request(
        Api::GeminiGenerateContent,
        &json!({"contents": [], "generationConfig": {"temperature": 0.1, "topK": 40, "topP": 0.9, "maxOutputTokens": 7, "seed": 1,
            "candidateCount": 3, "stopSequences": ["x"], "responseMimeType": "application/json"}}),
    );
    assert_eq!((facts.top_k, facts.top_p, facts.max_tokens), (Some(40.0), Some(0.9), Some(7)));
    assert_eq!((facts.choice_count, facts.output_type, facts.seed), (Some(3), Some("json"), Some(1)));
    let snake = request(Api::GeminiGenerateContent, &json!({"generation_config": {"max_output_tokens": 8}}));
    assert_eq!(snake.max_tokens, Some(8));

    let facts = request(
        Api::BedrockConverse,
        &json!({"messages": [], "inferenceConfig": {"maxTokens": 9, "topP": 1.0, "stopSequences": ["|"]},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}),
    );
    assert_eq!((facts.max_tokens, facts.top_p, facts.tools), (Some(9), Some(1.0), 1));
    for (body, tokens) in [
        (json!({"inputText": "x", "textGenerationConfig": {"maxTokenCount": 10}}), 10),
        (json!({"prompt": "x", "max_gen_len": 11}), 11),
        (json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 12, "messages": []}), 12),
        (json!({"inferenceConfig": {"max_new_tokens": 13}}), 13),
    ] {
        assert_eq!(request(Api::BedrockInvokeModel, &body).max_tokens, Some(tokens), "{body}");
    }

    let facts = request(
        Api::OllamaChat,
        &json!({"model": "llama3", "options": {"num_predict": 5, "stop": ["x"], "seed": 3}, "format": "json"}),
    );
    assert_eq!((facts.max_tokens, facts.seed, facts.output_type), (Some(5), Some(3), Some("json")));
    assert!(facts.stream, "Ollama streams by default");
    assert!(!request(Api::OllamaChat, &json!({"stream": false})).stream);

    let facts =
        request(Api::CohereChat, &json!({"model": "command", "p": 0.5, "k": 10, "stop_sequences": ["x"]}));
    assert_eq!((facts.top_p, facts.top_k), (Some(0.5), Some(10.0)));
    let facts = request(
        Api::CohereEmbed,
        &json!({"texts": ["x"], "embedding_types": ["float", "int8"], "output_dimension": 128}),
    );
    assert_eq!((facts.encoding_formats.len(), facts.dimensions), (2, Some(128)));
    let facts = request(
        Api::AnthropicMessages,
        &json!({"max_tokens": 5, "top_k": 2, "stop_sequences": ["x", "y"], "stream": true}),
    );
    assert_eq!(
        (facts.max_tokens, facts.top_k, facts.stop_sequences.len(), facts.stream),
        (Some(5), Some(2.0), 2, true)
    );
}

#[test]
fn totals_are_those_of_the_conventions() {
    let usage = response(Api::AnthropicMessages, &json!({"usage": {
        "input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 1000, "output_tokens": 7}}))
    .usage;
    assert_eq!(
        (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_write_input_tokens),
        (Some(1110), Some(100), Some(1000))
    );
    assert_eq!(usage.output_tokens, Some(7));

    let usage = response(Api::BedrockConverse, &json!({"usage": {
        "inputTokens": 10, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 1, "outputTokens": 7, "totalTokens": 118}}))
    .usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(111), Some(7)));

    let usage = response(Api::OpenAiChat, &json!({"usage": {
        "prompt_tokens": 110, "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 3}, "completion_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 1}}}))
    .usage;
    assert_eq!(
        (usage.input_tokens, usage.cache_read_input_tokens, usage.audio_input_tokens),
        (Some(110), Some(100), Some(3))
    );
    assert_eq!(
        (usage.output_tokens, usage.reasoning_output_tokens, usage.audio_output_tokens),
        (Some(9), Some(5), Some(1))
    );

    let usage = response(Api::GeminiGenerateContent, &json!({"usageMetadata": {
        "promptTokenCount": 10, "toolUsePromptTokenCount": 5, "cachedContentTokenCount": 4, "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}, {"modality": "IMAGE", "tokenCount": 4}],
        "candidatesTokensDetails": [{"tokenCount": 20, "modality": "AUDIO"}]}}))
    .usage;
    assert_eq!((usage.input_tokens, usage.cache_read_input_tokens), (Some(15), Some(4)));
    assert_eq!((usage.output_tokens, usage.reasoning_output_tokens), (Some(50), Some(30)));
    assert_eq!(
        (usage.text_input_tokens, usage.image_input_tokens, usage.audio_output_tokens),
        (Some(6), Some(4), Some(20))
    );

    // Nothing said is nothing known, not zero.
    assert_eq!(response(Api::OpenAiChat, &json!({"id": "x", "usage": null})).usage, Default::default());
}

#[test]
fn errors_are_read_wherever_providers_put_them() {
    let cases = [
        (
            Api::OpenAiChat,
            json!({"error": {"type": "invalid_request_error", "code": "model_not_found", "message": "m"}}),
            "model_not_found",
        ),
        (
            Api::OpenAiChat,
            json!({"error": {"type": "rate_limit", "code": 429, "message": "m"}}),
            "rate_limit",
        ),
        (
            Api::OpenAiChat,
            json!({"object": "error", "message": "m", "type": "invalid_model", "code": "1500"}),
            "invalid_model",
        ),
        (
            Api::AnthropicMessages,
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
            "overloaded_error",
        ),
        (
            Api::GeminiGenerateContent,
            json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}),
            "RESOURCE_EXHAUSTED",
        ),
        (
            Api::BedrockConverse,
            json!({"__type": "ThrottlingException", "Message": "m"}),
            "ThrottlingException",
        ),
    ];
    for (api, body, expected) in cases {
        let error = response(api, &body).error.unwrap();
        assert_eq!(error.error_type(), Some(expected), "{body}");
        assert_eq!(error.message.as_deref(), Some("m"), "{body}");
    }
    for (api, body) in [
        (Api::OllamaChat, json!({"error": "m"})),
        (Api::CohereChat, json!({"id": "1", "message": "m"})),
        (Api::OpenAiChat, json!({"detail": "m"})),
    ] {
        let error = response(api, &body).error.unwrap();
        assert_eq!((error.message.as_deref(), error.error_type()), (Some("m"), None), "{body}");
    }
    // The answer to a request for a stream, in plain JSON, with and without a content type.
    let body = br#"{"error":{"type":"t","message":"m"}}"#;
    for reader in [
        ResponseReader::new(Api::OpenAiChat, true),
        ResponseReader::new(Api::OpenAiChat, true).with_content_type("application/json"),
    ] {
        assert_eq!(read(reader, body).error.unwrap().kind.as_deref(), Some("t"));
    }
}

#[test]
fn errors_in_the_middle_of_a_stream_keep_what_came_before() {
    let facts = sse(
        Api::AnthropicMessages,
        &[
            json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "usage": {"input_tokens": 5}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}),
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ],
    );
    assert_eq!(facts.error.as_ref().unwrap().error_type(), Some("overloaded_error"));
    assert_eq!((facts.usage.input_tokens, facts.output_chunks, facts.complete), (Some(5), 1, false));
    assert_eq!(parts(&facts), json!([{"type": "text", "content": "Hello"}]));
    assert_eq!(facts.output_messages[0].finish_reason, "error");

    for api in [Api::BedrockConverse, Api::BedrockInvokeModel] {
        let body = aws(
            &[(":message-type", "exception"), (":exception-type", "throttlingException")],
            br#"{"message":"slow down"}"#,
        );
        let error = read(ResponseReader::new(api, true), &body).error.unwrap();
        assert_eq!(
            (error.error_type(), error.message.as_deref()),
            (Some("throttlingException"), Some("slow down"))
        );
    }
    let facts =
        sse(Api::OpenAiResponses, &[json!({"type": "error", "code": "server_error", "message": "m"})]);
    assert_eq!(facts.error.unwrap().error_type(), Some("server_error"));
    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": {"code": "server_error", "message": "m"}}});
    let facts = sse(Api::OpenAiResponses, &[failed]);
    assert_eq!((facts.error.unwrap().error_type(), facts.complete), (Some("server_error"), true));
    assert_eq!(facts.finish_reasons, ["failed"]);
}

#[test]
fn content_filters_are_seen() {
    let filtered = json!({"hate": {"filtered": true, "severity": "high"}, "violence": {"filtered": false}});
    let facts = response(
        Api::OpenAiChat,
        &json!({"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": filtered}]}),
    );
    assert!(facts.content_filter.prompt_filtered && !facts.content_filter.output_filtered);
    let facts = response(
        Api::OpenAiChat,
        &json!({"choices": [{"content_filter_results": filtered, "finish_reason": "content_filter"}]}),
    );
    assert!(!facts.content_filter.prompt_filtered && facts.content_filter.output_filtered);
    let facts = response(
        Api::OpenAiChat,
        &json!({"choices": [{"content_filter_results": {"hate": {"filtered": false}}, "finish_reason": "stop"}]}),
    );
    assert_eq!(facts.content_filter, Default::default());
    let facts = response(Api::GeminiGenerateContent, &json!({"promptFeedback": {"blockReason": "SAFETY"}}));
    assert!(facts.content_filter.prompt_filtered);
    let facts = response(Api::BedrockConverse, &json!({"stopReason": "guardrail_intervened"}));
    assert!(facts.content_filter.output_filtered);
}

#[test]
fn streams_in_other_frames_say_the_same() {
    let events = [
        json!({"candidates": [{"content": {"parts": [{"text": "a ] } \" b"}], "role": "model"}}], "modelVersion": "g"}),
        json!({"candidates": [{"content": {"parts": [{"text": "c"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}}),
    ];
    let array = format!("[{}\n,\r\n{}]", events[0], events[1]);
    let of_array =
        read(capturing(Api::GeminiGenerateContent).with_content_type("application/json"), array.as_bytes());
    assert_eq!(of_array, sse(Api::GeminiGenerateContent, &events));
    assert_eq!((of_array.events, of_array.output_chunks, of_array.complete), (2, 2, true));
    assert_eq!(parts(&of_array), json!([{"type": "text", "content": "a ] } \" bc"}]));
    let error = read(
        capturing(Api::GeminiGenerateContent),
        br#"[{"error":{"code":503,"status":"UNAVAILABLE","message":"m"}}]"#,
    );
    assert_eq!(error.error.unwrap().error_type(), Some("UNAVAILABLE"));
}

#[test]
fn every_form_of_an_event_stream_is_read() {
    let event = r#"{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    let (first, second) = event.split_at(event.find(",\"choices").unwrap() + 1);
    for body in [
        format!("data:{event}\n\ndata: [DONE]\n\n"),
        format!("\u{FEFF}data: {event}\r\n\r\ndata: [DONE]\r\n\r\n"),
        format!("data: {event}\r\rdata: [DONE]\r\r"),
        format!(": comment\nid: 1\nretry: 5\nevent: message\ndata: {event}\n\n: ping\n\ndata: [DONE]\n\n"),
        format!("data: {first}\ndata: {second}\n\ndata: [DONE]\n\n"),
        format!("dat: {{\ndatas: {{\ndata: {event}\n\n\n\ndata: [DONE]\n\n"),
        format!("data: not json\n\ndata: {event}\n\ndata: [DONE]\n\n"),
    ] {
        for reader in [capturing(Api::OpenAiChat), ResponseReader::new(Api::OpenAiChat, true)] {
            let facts = read(reader, body.as_bytes());
            assert_eq!(
                (facts.id.as_deref(), facts.output_chunks, facts.complete),
                (Some("x"), 1, true),
                "{body:?}"
            );
        }
    }
    let near = read(capturing(Api::OpenAiChat), b"data: [DONE]x\n\ndata: [DON]\n\n");
    assert!(!near.complete);
}

#[test]
fn pieces_become_parts() {
    let facts = sse(
        Api::OpenAiChat,
        &[
            json!({"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "first, "}}]}),
            json!({"choices": [{"index": 0, "delta": {"reasoning_content": "then"}}]}),
            json!({"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}]}),
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}]}}]}),
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "g", "arguments": "{}"}}]}}]}),
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}]}}]}),
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}, "finish_reason": "tool_calls"}]}),
        ],
    );
    assert_eq!(
        parts(&facts),
        json!([
            {"type": "reasoning", "content": "first, then"},
            {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}},
            {"type": "tool_call", "id": "c2", "name": "g", "arguments": {}},
        ])
    );
    assert_eq!(facts.output_messages[0].finish_reason, "tool_call");
    assert_eq!(facts.output_messages[1].finish_reason, "length");
    assert_eq!(facts.finish_reasons, ["tool_calls", "length"]);

    let facts = sse(
        Api::AnthropicMessages,
        &[
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"query\":\"x\"}"}}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
            json!({"type": "message_stop"}),
        ],
    );
    assert_eq!(
        parts(&facts),
        json!([
            {"type": "server_tool_call", "id": "s1", "name": "web_search",
                "server_tool_call": {"type": "web_search", "arguments": {"query": "x"}}},
            {"type": "server_tool_call_response", "id": "s1",
                "server_tool_call_response": {"type": "web_search_tool_result", "content": []}},
        ])
    );
    assert!(facts.complete);
}

#[test]
fn a_cut_stream_of_responses_has_its_deltas() {
    let facts = sse(
        Api::OpenAiResponses,
        &[
            json!({"type": "response.created", "response": {"id": "r", "status": "in_progress", "conversation": {"id": "conv_1"}, "output": []}}),
            json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "hm"}),
            json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "He"}),
            json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "llo"}),
            json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "call_id": "c", "name": "f"}}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"a\":"}),
        ],
    );
    assert_eq!(
        parts(&facts),
        json!([
            {"type": "reasoning", "content": "hm"},
            {"type": "text", "content": "Hello"},
            {"type": "tool_call", "id": "c", "name": "f", "arguments": "{\"a\":"},
        ])
    );
    assert_eq!((facts.output_chunks, facts.complete), (5, false));
    assert_eq!(facts.conversation_id.as_deref(), Some("conv_1"));
    assert_eq!(facts.output_messages[0].finish_reason, "incomplete");
    assert_eq!(facts.tool_calls.len(), 1);
}

/// The attribute for it is OpenAI's.
#[test]
fn the_service_tier_is_that_of_openai_alone() {
    let tier = |api, body: Value| response(api, &body).service_tier;
    assert_eq!(tier(Api::OpenAiChat, json!({"service_tier": "flex"})).as_deref(), Some("flex"));
    assert_eq!(tier(Api::AnthropicMessages, json!({"usage": {"service_tier": "standard"}})), None);
}

#[test]
fn an_incomplete_response_says_why() {
    let facts = response(
        Api::OpenAiResponses,
        &json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}),
    );
    assert_eq!(facts.finish_reasons, ["max_output_tokens"]);
}

/// Of compatible servers, some say at the root of each answer that it is one.
#[test]
fn a_message_beside_the_code_0_is_no_error() {
    let whole = r#"{"code":0,"message":"Success","sid":"1","choices":[{"message":{"content":"hi"},"index":0}],
        "usage":{"prompt_tokens":6,"completion_tokens":4}}"#;
    let chunk =
        r#"data:{"code":0,"message":"Success","id":"1","choices":[{"delta":{"content":"hi"},"index":0}]}"#;
    let stream = format!("{chunk}\n\n{chunk}\n\ndata:[DONE]\n\n");
    for (streaming, body) in [(false, whole), (true, &*stream)] {
        let mut reader = ResponseReader::new(Api::OpenAiChat, streaming);
        reader.read(body.as_bytes());
        assert_eq!(reader.finish().error, None, "{body}");
    }
    for body in [
        r#"{"code":10013,"message":"no","sid":"1"}"#,
        r#"{"message":"no","code":"10013"}"#,
        r#"{"object":"error","message":"no","code":10013}"#,
    ] {
        let mut reader = ResponseReader::new(Api::OpenAiChat, false);
        reader.read(body.as_bytes());
        let error = reader.finish().error.unwrap();
        assert_eq!((error.message.as_deref(), error.code.as_deref()), (Some("no"), Some("10013")), "{body}");
    }
}
