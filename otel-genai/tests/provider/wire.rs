//! Facts that are legal on the wire and rare.

use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Api, RequestReader, ResponseFacts, ResponseReader};
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

fn whole(api: Api, body: &Value) -> ResponseFacts {
    let mut reader = ResponseReader::new(api, false);
    reader.read(body.to_string().as_bytes());
    reader.finish()
}

/// xAI: "reasoning token consumption will be counted separately from `completion_tokens`, but will be counted in the
/// `total_tokens`". <https://docs.x.ai/docs/key-information/consumption-and-rate-limits>
#[test]
fn reasoning_that_is_counted_apart_is_part_of_the_output() {
    for (completion, reasoning, total, output) in [
        (9, 94, 135, 103),
        (103, 94, 135, 103),
        (9, 0, 41, 9),
        (9, 94, 41, 9),
        (i64::MAX, 94, i64::MAX, i64::MAX),
    ] {
        let facts = whole(
            Api::OpenAiChat,
            &json!({"usage": {
                "prompt_tokens": 32, "completion_tokens": completion, "total_tokens": total,
                "completion_tokens_details": {"reasoning_tokens": reasoning},
            }}),
        );
        assert_eq!(facts.usage.output_tokens, Some(output), "{completion} {reasoning} {total}");
        assert_eq!(facts.usage.reasoning_output_tokens, Some(reasoning));
    }
}

/// Perplexity's deep research counts in `usage` itself what it has thought, and in no other number. A part is no more than
/// the whole.
#[test]
fn reasoning_that_is_more_than_the_output_is_beside_it() {
    for (reasoning, output) in [(73_997, 81_160), (7_163, 7_163), (12, 7_163)] {
        let usage = json!({
            "prompt_tokens": 33, "completion_tokens": 7_163, "total_tokens": 7_196, "citation_tokens": 19_528,
            "num_search_queries": 18, "reasoning_tokens": reasoning,
        });
        let facts = whole(Api::OpenAiChat, &json!({"usage": usage}));
        assert_eq!(facts.usage.reasoning_output_tokens, Some(reasoning));
        assert_eq!((facts.usage.input_tokens, facts.usage.output_tokens), (Some(33), Some(output)));
    }
}

/// Moonshot says it with the choice, and cached tokens beside the others; OpenRouter says what was written, too.
#[test]
fn usage_is_found_where_others_put_it() {
    let usage = json!({"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32, "cached_tokens": 7});
    let chunk = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]});
    let facts = sse(Api::OpenAiChat, &ContentPolicy::none(), &[chunk]);
    assert_eq!((facts.usage.input_tokens, facts.usage.output_tokens), (Some(19), Some(13)));
    assert_eq!(facts.usage.cache_read_input_tokens, Some(7));
    let details = json!({"cached_tokens": 3, "cache_write_tokens": 100});
    let facts =
        whole(Api::OpenAiChat, &json!({"usage": {"prompt_tokens": 200, "prompt_tokens_details": details}}));
    assert_eq!(facts.usage.cache_write_input_tokens, Some(100));
}

#[test]
fn a_prompt_that_was_refused_is_all_that_there_is() {
    let event =
        json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}});
    let facts = sse(Api::GeminiGenerateContent, &ContentPolicy::none(), &[event]);
    assert!(facts.content_filter.prompt_filtered && facts.complete);
    assert_eq!(facts.usage.input_tokens, Some(4));
}

#[test]
fn every_reason_that_is_a_filter_s_says_so() {
    for reason in ["SAFETY", "RECITATION", "IMAGE_SAFETY", "MODEL_ARMOR", "SPII"] {
        let facts = whole(Api::GeminiGenerateContent, &json!({"candidates": [{"finishReason": reason}]}));
        assert!(facts.content_filter.output_filtered, "{reason}");
    }
    let facts =
        whole(Api::BedrockInvokeModel, &json!({"results": [{"completionReason": "CONTENT_FILTERED"}]}));
    assert!(facts.content_filter.output_filtered);
}

#[test]
fn an_error_s_class_is_its_name_without_the_namespace() {
    let body = json!({"__type": "com.amazon.coral.service#ThrottlingException", "message": "Too many"});
    assert_eq!(whole(Api::BedrockConverse, &body).error.unwrap().error_type(), Some("ThrottlingException"));
}

/// The last events of a stream list the calls once more.
#[test]
fn a_call_that_is_named_again_is_no_more_output() {
    let item = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "lookup", "arguments": ""});
    let facts = sse(
        Api::OpenAiResponses,
        &ContentPolicy::none(),
        &[
            json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.completed", "response": {"status": "completed", "output": [item]}}),
        ],
    );
    assert_eq!((facts.output_chunks, facts.events), (2, 4));
}

/// <https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-claude>,
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html>
#[test]
fn some_serve_the_api_of_another() {
    for (host, path, expected) in [
        (
            "shop.services.ai.azure.com",
            "/anthropic/v1/messages",
            Some((Api::AnthropicMessages, "azure.ai.inference")),
        ),
        ("api.deepseek.com", "/anthropic/v1/messages", Some((Api::AnthropicMessages, "deepseek"))),
        (
            "bedrock-runtime.us-west-2.amazonaws.com",
            "/openai/v1/chat/completions",
            Some((Api::OpenAiChat, "aws.bedrock")),
        ),
        ("api.openai.com", "/v1/messages", None),
        // Regions and other clouds.
        ("shop.openai.azure.us", "/openai/v1/responses", Some((Api::OpenAiResponses, "azure.ai.openai"))),
        ("us-east-1.api.x.ai", "/v1/chat/completions", Some((Api::OpenAiChat, "x_ai"))),
        (
            "aiplatform.us-central1.rep.googleapis.com",
            "/v1/projects/p/locations/us-central1/publishers/google/models/gemini:generateContent",
            Some((Api::GeminiGenerateContent, "gcp.vertex_ai")),
        ),
        ("storage.us-central1.rep.googleapis.com", "/v1/models/gemini:generateContent", None),
        ("openai.azure.us.evil.test", "/openai/v1/responses", None),
    ] {
        let found = Api::recognise(host, path);
        let found = found.as_ref().map(|endpoint| (endpoint.api(), endpoint.provider().as_str()));
        assert_eq!(found, expected, "{host}{path}");
    }
}

/// Google's OpenAI-compatible endpoint answers with a list of one error, in Google's words.
#[test]
fn an_error_may_be_in_a_list() {
    let body = json!([{"error": {"code": 400, "message": "Invalid value", "status": "INVALID_ARGUMENT"}}]);
    let error = whole(Api::OpenAiChat, &body).error.unwrap();
    assert_eq!(error.error_type(), Some("INVALID_ARGUMENT"));
}

/// vLLM says beside the reason what has stopped the model: a text of the caller's, or the number of a token.
/// <https://docs.vllm.ai/en/stable/serving/openai_compatible_server/>
#[test]
fn what_has_stopped_the_model_is_no_reason_to_finish() {
    for stopped_by in [json!("canary"), json!(2), Value::Null] {
        let choice = json!({"index": 0, "finish_reason": "stop", "stop_reason": stopped_by, "message": {"content": "Hi"}});
        let policy = ContentPolicy::builder().with_span_attributes().build();
        let mut reader = ResponseReader::new(Api::OpenAiChat, false).with_capture(&policy);
        reader.read(json!({"choices": [choice]}).to_string().as_bytes());
        let facts = reader.finish();
        assert_eq!(facts.finish_reasons, ["stop"], "{choice}");
        assert_eq!(facts.output_messages[0].finish_reason, "stop", "{choice}");
    }
    // Mistral's models on Bedrock have that name for the reason.
    let choice = json!({"index": 0, "stop_reason": "length", "message": {"content": "Hi"}});
    assert_eq!(whole(Api::BedrockInvokeModel, &json!({"choices": [choice]})).finish_reasons, ["length"]);
}

/// Vertex AI counts Claude's tokens by a model of that name, Mistral has chats with agents.
/// <https://docs.claude.com/en/api/claude-on-vertex-ai>, <https://docs.mistral.ai/api/endpoint/agents>
#[test]
fn a_path_that_ends_like_another() {
    let models = "/v1/projects/p/locations/global/publishers/anthropic/models";
    assert_eq!(
        Api::recognise("aiplatform.googleapis.com", &format!("{models}/count-tokens:rawPredict")),
        None
    );
    let found = Api::recognise("api.mistral.ai", "/v1/agents/completions").unwrap();
    assert_eq!(found.api(), Api::OpenAiChat);
}

/// All models of Bedrock are invoked by one path, and what they do is in their names.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>
#[test]
fn not_every_model_of_bedrock_chats() {
    for (model, method, operation) in [
        ("anthropic.claude-sonnet-4-20250514-v1:0", "invoke", "chat"),
        ("amazon.nova-pro-v1%3A0", "invoke-with-response-stream", "chat"),
        ("amazon.titan-embed-text-v2:0", "invoke", "embeddings"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", "invoke", "embeddings"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile%2Fus.cohere.embed-v4:0", "invoke", "embeddings"),
        ("cohere.rerank-v3-5:0", "invoke", "rerank"),
    ] {
        let path = format!("/model/{model}/{method}");
        let found = Api::recognise("bedrock-runtime.us-east-1.amazonaws.com", &path).unwrap();
        assert_eq!((found.api().operation_name(), found.provider().as_str()), (operation, "aws.bedrock"));
    }
}

#[test]
fn embeddings_of_bedrock() {
    let api = |model: &str| {
        let path = format!("/model/{model}/invoke");
        Api::recognise("bedrock-runtime.us-east-1.amazonaws.com", &path).unwrap().api()
    };
    let policy = ContentPolicy::builder().with_span_attributes().build();
    for (model, body, answer, format, tokens) in [
        (
            "amazon.titan-embed-text-v2:0",
            json!({"inputText": "canary", "dimensions": 2, "embeddingTypes": ["float"]}),
            json!({"embedding": [0.5, 0.25], "inputTextTokenCount": 3}),
            "float",
            Some(3),
        ),
        (
            "cohere.embed-multilingual-v3",
            json!({"texts": ["canary"], "input_type": "search_query", "embedding_types": ["int8"]}),
            json!({"id": "1", "response_type": "embeddings_by_type", "embeddings": {"int8": [[1, 2]]}}),
            "int8",
            None,
        ),
    ] {
        let mut reader = RequestReader::new(api(model)).with_capture(&policy);
        reader.read(body.to_string().as_bytes());
        let request = reader.finish();
        assert_eq!(request.encoding_formats, [format], "{model}");
        assert!(request.content.is_empty(), "{model}");
        let facts = whole(api(model), &answer);
        assert_eq!((facts.embeddings, facts.dimensions, facts.encoding_format), (1, Some(2), Some(format)));
        assert_eq!(facts.usage.input_tokens, tokens, "{model}");
    }
}

/// Models of embeddings on Vertex AI are asked for predictions, as those of images are; each text has its count.
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>
#[test]
fn embeddings_of_vertex_ai() {
    let models = "/v1/projects/p/locations/us-central1/publishers/google/models";
    let found = |model: &str| {
        Api::recognise("us-central1-aiplatform.googleapis.com", &format!("{models}/{model}:predict"))
    };
    assert_eq!(found("imagen-4.0-generate-001"), None);
    let endpoint = found("text-embedding-005").unwrap();
    assert_eq!(
        (endpoint.api().operation_name(), endpoint.model()),
        ("embeddings", Some("text-embedding-005"))
    );
    let prediction = |tokens: u32| {
        let statistics = json!({"truncated": false, "token_count": tokens});
        json!({"embeddings": {"statistics": statistics, "values": [0.5, 0.25, 0.125]}})
    };
    let facts = whole(endpoint.api(), &json!({"predictions": [prediction(6), prediction(4)]}));
    assert_eq!((facts.embeddings, facts.dimensions), (2, Some(3)));
    assert_eq!(facts.usage.input_tokens, Some(10));
}
