//! A model behind OpenAI's API, and its answer as it streams in.

use std::collections::BTreeMap;

use otel_genai::provider::Provider;
use otel_genai::reqwest::{Client, execute_fn};
use otel_genai::{GenAi, GenAiLayer};
use reqwest::{Request, Response, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Failure;
use crate::error::{Outcome, ShopError};

/// What the model wants: to answer, or to have something looked up.
pub(super) enum Completion {
    Text(String),
    ToolCalls(Vec<ToolCall>),
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct ToolCall {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) function: Function,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The clients differ in their types alone.
enum Http {
    /// No span of HTTP: its server is a stranger's.
    Plain(Client),
    Instrumented(Client<Sender>),
}

type Sender = tower::util::BoxCloneSyncService<Request, Response, reqwest::Error>;

pub(super) struct Model {
    http: Http,
    url: Url,
    key: Option<String>,
    name: String,
}

impl Model {
    /// A server of somebody else: it is told nothing of the trace.
    pub(super) fn real(
        genai: &GenAi,
        base: &str,
        key: Option<String>,
        name: String,
    ) -> Result<Self, Failure> {
        let url: Url = format!("{}/chat/completions", base.trim_end_matches('/')).parse()?;
        let http = Http::Plain(Client::new(layer(genai, &url), reqwest::Client::new()));
        Ok(Self { http, url, key, name })
    }

    /// A server of this program: the way to it has spans of HTTP as well.
    pub(super) fn of_our_own(genai: &GenAi, base: &str, name: String) -> Result<Self, Failure> {
        let url: Url = format!("{base}/v1/chat/completions").parse()?;
        let requests = reqwest::Client::builder().no_proxy().build()?;
        let http = otel_http::reqwest::Client::new(requests.clone());
        let send = execute_fn(move |request| {
            let http = http.clone();
            async move { http.execute(request).await }
        });
        let send = tower::util::BoxCloneSyncService::new(send);
        let http = Http::Instrumented(Client::through(layer(genai, &url), requests, send));
        Ok(Self { http, url, key: None, name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Asks, and reads the answer as it comes.
    pub(super) async fn complete(&self, messages: &[Value], tools: &Value) -> Result<Completion, ShopError> {
        let body = json!({
            "model": self.name, "messages": messages, "tools": tools, "temperature": 0.2, "max_tokens": 200,
            "stream": true, "stream_options": { "include_usage": true },
        });
        let response = self.send(&body).await.and_then(Response::error_for_status);
        let mut response = response.map_err(unavailable)?;
        let mut answer = StreamedAnswer::default();
        while let Some(piece) = response.chunk().await.map_err(unavailable)? {
            answer.read(&piece);
        }
        Ok(answer.finish())
    }

    async fn send(&self, body: &Value) -> Result<Response, reqwest::Error> {
        let key = self.key.as_deref().unwrap_or("none");
        match &self.http {
            Http::Plain(client) => client.post(self.url.clone()).bearer_auth(key).json(body).send().await,
            Http::Instrumented(client) => {
                client.post(self.url.clone()).bearer_auth(key).json(body).send().await
            }
        }
    }
}

fn layer(genai: &GenAi, url: &Url) -> GenAiLayer {
    let host = url.host_str().unwrap_or_default();
    GenAiLayer::builder().with_genai(genai.clone()).with_openai_compatible(host, Provider::OpenAi).build()
}

fn unavailable(error: reqwest::Error) -> ShopError {
    ShopError::new(Outcome::ServiceUnavailable, "the model gave no usable answer").because(error)
}

/// What has come so far.
#[derive(Default)]
struct StreamedAnswer {
    /// The beginning of a line that is not complete.
    rest: Vec<u8>,
    text: String,
    calls: BTreeMap<u64, ToolCall>,
}

impl StreamedAnswer {
    fn read(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let data = line.strip_prefix(b"data: ").unwrap_or_default();
            if let Ok(event) = serde_json::from_slice::<Value>(data) {
                self.read_delta(&event["choices"][0]["delta"]);
            }
        }
    }

    fn read_delta(&mut self, delta: &Value) {
        self.text.push_str(delta["content"].as_str().unwrap_or_default());
        for part in delta["tool_calls"].as_array().into_iter().flatten() {
            let call = self.calls.entry(part["index"].as_u64().unwrap_or_default()).or_default();
            "function".clone_into(&mut call.kind);
            call.id.push_str(part["id"].as_str().unwrap_or_default());
            call.function.name.push_str(part["function"]["name"].as_str().unwrap_or_default());
            call.function.arguments.push_str(part["function"]["arguments"].as_str().unwrap_or_default());
        }
    }

    fn finish(self) -> Completion {
        if self.calls.is_empty() {
            return Completion::Text(self.text);
        }
        Completion::ToolCalls(self.calls.into_values().collect())
    }
}
