//! Clients of the crate `async-openai`.

use std::net::SocketAddr;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::{HttpRequestFactory, retry::OpenAIRetryLayer};
use async_openai::types::chat::{
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use futures_util::StreamExt;
use otel_genai::async_openai::HttpService;
use otel_testing::{AssertTelemetry, TestTelemetry, span};
use tower::{ServiceBuilder, ServiceExt};

use crate::fake::{COMPLETION, KEY, PROMPT, serve};
use crate::layer::layer;
use crate::support::assert_conventions;

fn client(telemetry: &TestTelemetry, address: SocketAddr) -> Client<OpenAIConfig> {
    let service = ServiceBuilder::new()
        .layer(OpenAIRetryLayer::default())
        .service(HttpService::new(layer(telemetry, address), reqwest::Client::new()));
    let config = OpenAIConfig::new().with_api_base(format!("http://{address}/v1")).with_api_key(KEY);
    Client::with_config(config).with_http_service(service)
}

fn request(model: &str, stream: bool) -> CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessage::from(PROMPT);
    let mut request = CreateChatCompletionRequestArgs::default();
    request
        .model(model)
        .messages([message.into()])
        .max_completion_tokens(64_u32)
        .stream(stream)
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_answer_and_a_stream() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    let client = client(&telemetry, address);
    let answer = client.chat().create(request("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.choices[0].message.content.as_deref(), Some(COMPLETION));
    let expected = span("chat gpt-4o").client().has("gen_ai.request.max_tokens", 64);
    telemetry.assert_span(expected.has("gen_ai.usage.input_tokens", 10));

    telemetry.clear();
    let mut stream = client.chat().create_stream(request("gpt-4o-mini", true)).await.unwrap();
    while let Some(chunk) = stream.next().await {
        chunk.unwrap();
    }
    drop(stream);
    let ended = || !telemetry.spans().is_empty();
    otel_testing::eventually(std::time::Duration::from_secs(60), ended).await;
    assert_conventions(&telemetry);
    telemetry.assert_span(span("chat gpt-4o-mini").client().has("gen_ai.usage.output_tokens", 10));
    telemetry.assert_no_secrets([PROMPT, COMPLETION, KEY]);
}

#[tokio::test]
async fn an_error() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    let result = client(&telemetry, address).chat().create(request("unauthorized", false)).await;
    assert!(matches!(result, Err(OpenAIError::ApiError(_))), "{result:?}");
    assert_conventions(&telemetry);
    telemetry.assert_span(span("chat unauthorized").client().failed());
    telemetry.assert_no_secrets([PROMPT, KEY]);
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_an_error_and_is_not_sent() {
    let telemetry = TestTelemetry::new();
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let send = otel_genai::reqwest::execute_fn(|_| async { unreachable!("nothing is sent") });
    let factory = HttpRequestFactory::new(|| async {
        let request = reqwest::Client::new().post("http://127.0.0.1:9/v1/chat/completions");
        request.json(&std::collections::BTreeMap::from([([1], PROMPT)])).build().map_err(OpenAIError::Reqwest)
    });
    let result = HttpService::new(layer(&telemetry, address), send).oneshot(factory).await;
    assert!(matches!(&result, Err(OpenAIError::Reqwest(error)) if error.is_builder()), "{result:?}");
    assert_eq!(telemetry.spans().len(), 0, "{}", telemetry.tree());
}
