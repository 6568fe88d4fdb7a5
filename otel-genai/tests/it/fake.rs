//! A small server that speaks OpenAI's API and fails in every way, by the model that is asked for.

use std::future::{IntoFuture, pending};
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::Json;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

/// To be found in nothing that is exported.
pub(crate) const PROMPT: &str = "c4n4ry-prompt";
pub(crate) const COMPLETION: &str = "c4n4ry-completion";
pub(crate) const ARGUMENT: &str = "c4n4ry-argument";
pub(crate) const KEY: &str = "sk-c4n4ry";

/// Serves until the test's runtime ends.
pub(crate) async fn serve() -> SocketAddr {
    let app = axum::Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/other", post(|| async { "other" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// A request for the model that makes the server do what the test wants.
pub(crate) fn request(model: &str, stream: bool) -> Value {
    json!({
        "model": model,
        "stream": stream,
        "temperature": 0.5,
        "messages": [
            { "role": "system", "content": PROMPT },
            { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": PROMPT } }] },
        ],
        "tools": [{ "type": "function", "function": { "name": "lookup", "description": PROMPT } }],
    })
}

async fn chat(Json(request): Json<Value>) -> Response {
    match request["model"].as_str().unwrap() {
        "rate-limited" => error(429, "rate_limit_exceeded"),
        "unauthorized" => error(401, "invalid_api_key"),
        "broken" => StatusCode::BAD_GATEWAY.into_response(),
        "slow" => pending().await,
        "stuck" => events(stream::iter(chunks()).take(3).map(Ok).chain(stream::pending())),
        "cut" => cut(),
        "malformed" => events(stream::iter([Ok("data: {\"id\": [[[\n\ndata: \u{0}\n\n{}}}".into())])),
        _ if request["stream"] == true => events(stream::iter(chunks()).map(Ok)),
        model => Json(answer(model)).into_response(),
    }
}

async fn embeddings() -> Json<Value> {
    Json(json!({
        "object": "list", "model": "embed-1", "usage": { "prompt_tokens": 5, "total_tokens": 5 },
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, 0.25] }],
    }))
}

fn answer(model: &str) -> Value {
    let call = json!({ "name": "lookup", "arguments": format!("{{\"q\":\"{ARGUMENT}\"}}") });
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": format!("{model}-1"),
        "choices": [{ "index": 0, "finish_reason": "stop", "logprobs": null, "message": {
            "role": "assistant", "content": COMPLETION, "refusal": null,
            "tool_calls": [{ "id": "call_1", "type": "function", "function": call }],
        } }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14,
            "prompt_tokens_details": { "cached_tokens": 6 } },
    })
}

/// Ten chunks of output, and one with the usage.
fn chunks() -> Vec<String> {
    let chunk = |delta: Value, finish: Value, usage: Value| {
        let choices = if usage.is_null() {
            json!([{ "index": 0, "delta": delta, "finish_reason": finish }])
        } else {
            json!([])
        };
        let chunk = json!({
            "id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-1",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let mut all = vec![chunk(json!({ "role": "assistant", "content": "" }), Value::Null, Value::Null)];
    all.extend((0..10).map(|_| chunk(json!({ "content": COMPLETION }), Value::Null, Value::Null)));
    all.push(chunk(json!({}), json!("stop"), Value::Null));
    all.push(chunk(
        json!({}),
        Value::Null,
        json!({ "prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20 }),
    ));
    all.push("data: [DONE]\n\n".to_owned());
    all
}

/// Each chunk by itself on the wire.
fn events(chunks: impl stream::Stream<Item = Result<String, std::io::Error>> + Send + 'static) -> Response {
    let chunks = chunks.then(|chunk| async {
        tokio::task::yield_now().await;
        chunk.map(Bytes::from)
    });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(CONTENT_TYPE, "text/event-stream; charset=utf-8".parse().unwrap());
    response
}

fn cut() -> Response {
    let cut = stream::once(async { Err(std::io::Error::other("the server breaks off")) });
    events(stream::iter(chunks()).take(5).map(Ok).chain(cut))
}

fn error(status: u16, code: &str) -> Response {
    let error = json!({ "error": { "message": format!("{PROMPT} {KEY}"), "type": "requests", "param": null, "code": code } });
    (StatusCode::from_u16(status).unwrap(), Json(error)).into_response()
}
