//! A small server in the place of a model: asks for the orders, and reads out what it is told. It streams, as models do.

use std::convert::Infallible;
use std::future::IntoFuture;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream::{self, StreamExt};
use otel_http::HttpServerLayer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Failure;

/// Serves as long as the process lives; gives the address.
pub(super) async fn start() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/v1/chat/completions", post(complete)).layer(HttpServerLayer::for_axum());
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(format!("http://{address}"))
}

async fn complete(Json(request): Json<Value>) -> Response {
    let messages = request["messages"].as_array().cloned().unwrap_or_default();
    let told = messages.iter().find(|message| message["role"] == "tool");
    let (deltas, reason) = match told {
        None => (ask_for_orders(), "tool_calls"),
        Some(told) => (read_out(told), "stop"),
    };
    let prompt = messages.iter().map(|message| message.to_string().len() / 4).sum::<usize>();
    let usage = json!({ "prompt_tokens": prompt, "completion_tokens": deltas.len(), "total_tokens": prompt + deltas.len() });
    let model = request["model"].clone();
    let event = move |choices: Value, usage: Value| {
        let event = json!({
            "id": "chatcmpl-shop", "object": "chat.completion.chunk", "created": 0, "model": model,
            "choices": choices, "usage": usage,
        });
        format!("data: {event}\n\n")
    };
    let mut events: Vec<String> = deltas
        .into_iter()
        .map(|delta| event(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), Value::Null))
        .collect();
    events.push(event(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), Value::Null));
    events.push(event(json!([]), usage));
    events.push("data: [DONE]\n\n".to_owned());
    let stream = stream::iter(events).then(|event| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok::<_, Infallible>(event)
    });
    let mut response = Response::new(Body::from_stream(stream));
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("text/event-stream"));
    response
}

fn ask_for_orders() -> Vec<Value> {
    let call = |id: Value, function: Value| json!({ "tool_calls": [{ "index": 0, "id": id, "function": function }] });
    vec![
        call(json!("call_1"), json!({ "name": "lookup_orders", "arguments": "" })),
        call(Value::Null, json!({ "arguments": "{}" })),
    ]
}

fn read_out(told: &Value) -> Vec<Value> {
    let orders: Vec<Value> =
        serde_json::from_str(told["content"].as_str().unwrap_or_default()).unwrap_or_default();
    let text = match orders.first() {
        Some(order) => format!("Your last order is {}; there are {} in all.", order["state"], orders.len()),
        None => "You have no orders yet.".to_owned(),
    };
    text.replace('"', "").split_inclusive(' ').map(|word| json!({ "content": word })).collect()
}
