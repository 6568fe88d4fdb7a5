//! Clients over real sockets through the layer, on every way out.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, poll};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Status, TraceContextExt};
use otel_genai::provider::{Endpoint, Provider};
use otel_genai::{GenAi, GenAiLayer, GenAiRequestBody};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tower::{BoxError, Layer, ServiceExt};

use crate::fake::{ARGUMENT, COMPLETION, KEY, PROMPT, request, serve};
use crate::support::{DURATION, EARLY, TOKENS, assert_conventions, genai};

pub(crate) type AnyBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

/// The clients.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Tower,
    Reqwest,
}

const KINDS: [Kind; 2] = [Kind::Tower, Kind::Reqwest];

pub(crate) fn layer(telemetry: &TestTelemetry, address: SocketAddr) -> GenAiLayer {
    layer_of(genai(telemetry), address)
}

pub(crate) fn layer_of(genai: GenAi, address: SocketAddr) -> GenAiLayer {
    GenAiLayer::builder()
        .with_genai(genai)
        .with_openai_compatible(address.to_string(), Provider::OpenAi)
        .with_client_error::<legacy::Error>()
        .build()
}

impl Kind {
    async fn send(self, layer: GenAiLayer, url: String, body: Value) -> Result<(u16, AnyBody), BoxError> {
        match self {
            Self::Tower => {
                let client = legacy::Client::builder(TokioExecutor::new())
                    .build_http::<GenAiRequestBody<Full<Bytes>>>();
                let request = http::Request::post(url).header("authorization", format!("Bearer {KEY}"));
                let request = request.header("content-type", "application/json");
                let request = request.body(Full::from(body.to_string())).unwrap();
                let (head, body) = layer.layer(client).oneshot(request).await?.into_parts();
                Ok((head.status.as_u16(), Box::pin(body.map_err(Into::into))))
            }
            Self::Reqwest => {
                // The head of the stream that is stuck comes before its time is up.
                let patience = match body["model"].as_str() {
                    Some("slow") => 1,
                    Some("stuck") => 6,
                    _ => 60,
                };
                let patience = Duration::from_secs(patience);
                let client = reqwest::Client::builder().no_proxy().timeout(patience).build()?;
                let client = otel_genai::reqwest::Client::new(layer, client);
                let response = client.post(url).bearer_auth(KEY).json(&body).send().await?;
                let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
                Ok((head.status.as_u16(), Box::pin(body.map_err(Into::into))))
            }
        }
    }

    async fn chat(
        self,
        telemetry: &TestTelemetry,
        address: SocketAddr,
        model: &str,
        stream: bool,
    ) -> Result<(u16, AnyBody), BoxError> {
        let url = format!("http://{address}/v1/chat/completions");
        self.send(layer(telemetry, address), url, request(model, stream)).await
    }
}

/// A chat through reqwest; gives the body of the answer.
pub(crate) async fn send_with_reqwest(layer: GenAiLayer, address: SocketAddr, body: Value) -> AnyBody {
    let url = format!("http://{address}/v1/chat/completions");
    Kind::Reqwest.send(layer, url, body).await.unwrap().1
}

/// Whatever the way out: one span that has ended, one duration, nothing that was said.
#[track_caller]
fn assert_once(telemetry: &TestTelemetry, model: &str, error_type: Option<&str>) {
    let tree = telemetry.tree();
    assert_eq!(telemetry.spans().len(), 1, "{tree}");
    assert_eq!(telemetry.histogram_count(DURATION), 1, "{tree}");
    assert_conventions(telemetry);
    let span = telemetry.span(&format!("chat {model}"));
    assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), error_type, "{tree}");
    let status = if error_type.is_some() { Status::error("") } else { Status::Unset };
    assert_eq!(span.status, status, "{tree}");
    telemetry.assert_no_secrets([PROMPT, COMPLETION, ARGUMENT, KEY]);
}

#[tokio::test]
async fn an_answer_in_one_piece() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let (status, body) = kind.chat(&telemetry, address, "gpt-4o", false).await.unwrap();
        assert_eq!(status, 200);
        assert!(telemetry.spans().is_empty(), "the body has not passed");
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["choices"][0]["message"]["content"], COMPLETION);
        assert_once(&telemetry, "gpt-4o", None);
        let port = i64::from(address.port());
        telemetry.assert_span(
            span("chat gpt-4o")
                .client()
                .has("gen_ai.provider.name", "openai")
                .has("gen_ai.request.temperature", 0.5)
                .has("gen_ai.response.model", "gpt-4o-1")
                .has("gen_ai.response.id", "chatcmpl-1")
                .has("gen_ai.usage.input_tokens", 10)
                .has("gen_ai.usage.output_tokens", 4)
                .has("gen_ai.usage.cache_read.input_tokens", 6)
                .has("openai.api.type", "chat_completions")
                .has("server.address", "127.0.0.1")
                .has("server.port", port)
                .has_no("gen_ai.request.stream")
                .has_no("gen_ai.response.time_to_first_chunk"),
        );
        assert_eq!(telemetry.histogram_count(TOKENS), 2);
        telemetry.assert_no_metric("gen_ai.client.operation.time_to_first_chunk");
    }
}

#[tokio::test]
async fn a_stream() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let (_, body) = kind.chat(&telemetry, address, "gpt-4o", true).await.unwrap();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
        assert_once(&telemetry, "gpt-4o", None);
        let expected = span("chat gpt-4o").has("gen_ai.request.stream", true);
        let expected = expected.has("gen_ai.response.time_to_first_chunk", otel_testing::any_value());
        telemetry.assert_span(expected.has("gen_ai.usage.output_tokens", 10));
        let count = |name: &str| telemetry.histogram_count(&format!("gen_ai.client.operation.{name}"));
        assert_eq!((count("time_to_first_chunk"), count("time_per_output_chunk")), (1, 9), "{kind:?}");
        // As on the duration, with which they are to be compared.
        for name in ["time_to_first_chunk", "time_per_output_chunk", "duration"] {
            let metric = telemetry.assert_metric(&format!("gen_ai.client.operation.{name}"));
            metric.has_series(1).point([KeyValue::new("gen_ai.response.model", "gpt-4o-1")]);
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_and_one_that_is_stuck_tell_what_was_known() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let (_, mut body) = kind.chat(&telemetry, address, "stuck", true).await.unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_once(&telemetry, "stuck", None);
        telemetry.assert_span(span("chat stuck").has("gen_ai.response.model", "gpt-4o-1").has(EARLY, true));
    }
    let telemetry = TestTelemetry::new();
    let (_, body) = Kind::Reqwest.chat(&telemetry, address, "stuck", true).await.unwrap();
    assert!(body.collect().await.is_err());
    assert_once(&telemetry, "stuck", Some("timeout"));
    telemetry.assert_span(span("chat stuck").has("gen_ai.response.model", "gpt-4o-1"));
}

#[tokio::test]
async fn a_stream_that_the_server_cuts() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let (_, body) = kind.chat(&telemetry, address, "cut", true).await.unwrap();
        assert!(body.collect().await.is_err());
        assert_eq!(telemetry.spans().len(), 1);
        let span = telemetry.span("chat cut");
        assert!(span.has("error.type", "body"), "{kind:?}: {}", telemetry.tree());
        assert!(span.has("gen_ai.response.id", "chatcmpl-2"));
        telemetry.assert_no_secrets([PROMPT, COMPLETION, KEY]);
    }
}

#[tokio::test]
async fn malformed_bodies_pass_and_say_nothing() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let (_, body) = kind.chat(&telemetry, address, "malformed", true).await.unwrap();
        assert!(body.collect().await.unwrap().to_bytes().ends_with(b"{}}}"));
        assert_once(&telemetry, "malformed", None);
    }
}

#[tokio::test]
async fn error_statuses_have_the_provider_s_code_or_the_status() {
    let address = serve().await;
    for kind in KINDS {
        for (model, status, error_type) in [
            ("rate-limited", 429, "rate_limit_exceeded"),
            ("unauthorized", 401, "invalid_api_key"),
            ("broken", 502, "502"),
        ] {
            let telemetry = TestTelemetry::new();
            let (code, body) = kind.chat(&telemetry, address, model, true).await.unwrap();
            let body = body.collect().await.unwrap().to_bytes();
            assert_eq!((code, body.is_empty()), (status, status == 502));
            assert_once(&telemetry, model, Some(error_type));
            assert!(
                telemetry.span(&format!("chat {model}")).attribute("gen_ai.usage.input_tokens").is_none()
            );
        }
    }
}

#[tokio::test]
async fn a_timeout_and_a_caller_that_goes_away() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    assert!(Kind::Reqwest.chat(&telemetry, address, "slow", false).await.is_err());
    assert_once(&telemetry, "slow", Some("timeout"));

    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let mut sent = Box::pin(kind.chat(&telemetry, address, "slow", false));
        assert!(poll!(&mut sent).is_pending());
        drop(sent);
        assert_once(&telemetry, "slow", None);
        telemetry.assert_span(span("chat slow").has(EARLY, true));
    }
}

/// The classes of otel-http, whose tests have the others.
#[tokio::test]
async fn why_there_was_no_response() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closes = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Whoever leaves unread what has come resets the connection.
            let _ = stream.read(&mut [0; 64 * 1024]).await;
        }
    });
    for kind in KINDS {
        for (authority, error_type) in
            [("127.0.0.1:1", "connect"), ("name.invalid", "dns"), (&closes, "connection_lost")]
        {
            let telemetry = TestTelemetry::new();
            let url = format!("http://{authority}/v1/chat/completions");
            let layer = GenAiLayer::builder().with_genai(genai(&telemetry));
            let layer = layer.with_openai_compatible(authority, Provider::OpenAi);
            let layer = layer.with_client_error::<legacy::Error>().build();
            assert!(kind.send(layer, url, request("gpt-4o", false)).await.is_err());
            assert_once(&telemetry, "gpt-4o", Some(error_type));
        }
    }
}

#[tokio::test]
async fn an_error_that_was_boxed_is_looked_into() {
    type Failing = fn() -> BoxError;
    let refused: Failing = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
    for (error, error_type) in [
        ((|| Box::new(tower::timeout::error::Elapsed::new())) as Failing, "timeout"),
        (refused, "connect"),
        (|| "no key sk-1".into(), "_OTHER"),
    ] {
        let telemetry = TestTelemetry::new();
        let send = tower::service_fn(move |_: http::Request<GenAiRequestBody<Full<Bytes>>>| async move {
            Err::<http::Response<Full<Bytes>>, _>(error())
        });
        let call = http::Request::post("https://api.openai.com/v1/chat/completions");
        let call = call.body(Full::from(request("gpt-4o", false).to_string())).unwrap();
        assert!(GenAiLayer::from(genai(&telemetry)).layer(send).oneshot(call).await.is_err());
        assert_once(&telemetry, "gpt-4o", Some(error_type));
    }
}

/// As clients do that know the last line of the protocol.
#[tokio::test]
async fn a_stream_that_is_dropped_behind_its_last_line_was_whole() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let (_, mut body) = kind.chat(&telemetry, address, "gpt-4o", true).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"data: [DONE]\n\n") {
            seen.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
        }
        drop(body);
        assert_once(&telemetry, "gpt-4o", None);
        telemetry.assert_span(span("chat gpt-4o").has_no(EARLY));
    }
}

#[tokio::test]
async fn what_is_no_call_of_a_model_passes_unobserved() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let url = format!("http://{address}/v1/other");
        let (status, body) =
            kind.send(layer(&telemetry, address), url, request("gpt-4o", false)).await.unwrap();
        assert_eq!((status, body.collect().await.unwrap().to_bytes().as_ref()), (200, &b"other"[..]));
        // An address that nobody has named.
        let url = format!("http://{address}/v1/chat/completions");
        let stranger = GenAiLayer::from(genai(&telemetry));
        kind.send(stranger, url, request("gpt-4o", false)).await.unwrap().1.collect().await.unwrap();
        assert!(telemetry.spans().is_empty() && telemetry.metrics().is_empty());
    }
}

#[tokio::test]
async fn embeddings_and_a_layer_that_is_told() {
    let address = serve().await;
    let api = otel_genai::provider::Api::OpenAiEmbeddings;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let endpoint = Endpoint::new(Provider::MistralAi, api);
        let layer = GenAiLayer::builder().with_genai(genai(&telemetry)).with_endpoint(endpoint).build();
        let body = serde_json::json!({ "model": "embed", "input": PROMPT });
        let url = format!("http://{address}/v1/embeddings");
        kind.send(layer, url, body).await.unwrap().1.collect().await.unwrap();
        assert_conventions(&telemetry);
        let expected = span("embeddings embed").client().has("gen_ai.provider.name", "mistral_ai");
        telemetry.assert_span(expected.has("gen_ai.usage.input_tokens", 5));
        telemetry.assert_no_secrets([PROMPT]);
    }
}

#[tokio::test]
async fn a_call_that_is_observed_by_hand_is_not_observed_again() {
    let address = serve().await;
    for kind in KINDS {
        let telemetry = TestTelemetry::new();
        let mut chat = genai(&telemetry).chat(Provider::OpenAi, "gpt-4o").start();
        let sent = kind.chat(&telemetry, address, "gpt-4o", false);
        let (_, body) = chat.call(sent).await.unwrap();
        chat.call(body.collect()).await.unwrap();
        chat.end();
        assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
        // A tool inside of which a model is called is another matter.
        telemetry.clear();
        let mut tool = genai(&telemetry).execute_tool("summarise").start();
        let (_, body) = tool.call(kind.chat(&telemetry, address, "gpt-4o", false)).await.unwrap();
        body.collect().await.unwrap();
        tool.end();
        otel_testing::assert_trace!(telemetry, "execute_tool summarise" => { "chat gpt-4o" });
    }
}

#[tokio::test]
async fn a_request_whose_body_comes_slowly_is_sent_at_once() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    let client = legacy::Client::builder(TokioExecutor::new());
    let frames = futures_util::stream::once(async {
        tokio::task::yield_now().await;
        let body = Bytes::from(request("gpt-4o", false).to_string());
        Ok::<_, std::io::Error>(http_body::Frame::data(body))
    });
    let body = http_body_util::StreamBody::new(Box::pin(frames));
    let client = client.build_http::<GenAiRequestBody<_>>();
    let request = http::Request::post(format!("http://{address}/v1/chat/completions"));
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let response = layer(&telemetry, address).layer(client).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap();
    telemetry.assert_span(span("chat").client().has("gen_ai.response.model", "gpt-4o-1"));
}

#[tokio::test]
async fn a_panic_inside_is_the_outcome() {
    let telemetry = TestTelemetry::new();
    let endpoint = Endpoint::new(Provider::OpenAi, otel_genai::provider::Api::OpenAiChat);
    let layer = GenAiLayer::builder().with_genai(genai(&telemetry)).with_endpoint(endpoint).build();
    let inner = tower::service_fn(|_: http::Request<GenAiRequestBody<Full<Bytes>>>| async {
        if false {
            pending::<()>().await;
            return Ok::<_, BoxError>(http::Response::new(Full::<Bytes>::default()));
        }
        panic!("a test panics here")
    });
    let request =
        http::Request::post("http://x/").body(Full::from(request("gpt-4o", true).to_string())).unwrap();
    let sent = layer.layer(inner).oneshot(request);
    assert!(std::panic::AssertUnwindSafe(sent).catch_unwind().await.is_err());
    assert_once(&telemetry, "gpt-4o", Some("panic"));
}

#[tokio::test]
async fn reqwest_keeps_the_url_and_streams() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    let client = otel_genai::reqwest::Client::new(layer(&telemetry, address), reqwest::Client::new());
    let url = format!("http://{address}/v1/chat/completions");
    let response = client.post(&url).json(&request("gpt-4o", true)).send().await.unwrap();
    assert_eq!(response.url().as_str(), url);
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        piece.unwrap();
    }
    assert_once(&telemetry, "gpt-4o", None);
}

/// As with reqwest itself: whoever has said the type has said it. Servers may refuse a request that has two.
#[tokio::test]
async fn json_has_one_content_type() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    let requests = reqwest::Client::new();
    let (inner, (sender, sent)) = (requests.clone(), std::sync::mpsc::channel());
    let send = otel_genai::reqwest::execute_fn(move |request: reqwest::Request| {
        let types: Vec<_> = request.headers().get_all("content-type").iter().cloned().collect();
        sender.send(types).unwrap();
        inner.execute(request)
    });
    let client = otel_genai::reqwest::Client::through(layer(&telemetry, address), requests, send);
    for own in [None, Some("application/json; charset=utf-8")] {
        let mut builder = client.post(format!("http://{address}/v1/chat/completions"));
        if let Some(own) = own {
            builder = builder.header("content-type", own);
        }
        builder.json(&request("gpt-4o", false)).send().await.unwrap();
        assert_eq!(sent.recv().unwrap(), [own.unwrap_or("application/json")]);
    }
}

/// Keys of JSON are texts: a map that has others is no JSON.
#[tokio::test]
async fn what_is_no_json_is_an_error_and_is_not_sent() {
    let telemetry = TestTelemetry::new();
    let requests = reqwest::Client::new();
    let send = otel_genai::reqwest::execute_fn(|_| async { unreachable!("nothing is sent") });
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let client = otel_genai::reqwest::Client::through(layer(&telemetry, address), requests, send);
    let request = client.post(format!("http://{address}/v1/chat/completions"));
    let error = request.json(&std::collections::BTreeMap::from([([1], PROMPT)])).send().await.unwrap_err();
    assert!(error.is_builder(), "{error:?}");
    assert_eq!(telemetry.spans().len(), 0, "{}", telemetry.tree());
}

/// A service of the application may do anything in the bodies that it makes, such as ask for the rest by another request.
#[tokio::test]
async fn a_body_that_the_application_made_is_polled_in_the_context_of_the_span() {
    let address = serve().await;
    let telemetry = TestTelemetry::new();
    let requests = reqwest::Client::new();
    let inner = requests.clone();
    let send = otel_genai::reqwest::execute_fn(move |request| {
        let sent = inner.execute(request);
        async move {
            let (head, body) = http::Response::<reqwest::Body>::from(sent.await?).into_parts();
            let body = body.map_frame(|frame| {
                let context = opentelemetry::Context::current();
                assert!(context.span().span_context().is_valid());
                frame
            });
            let body = reqwest::Body::wrap(body);
            Ok::<_, reqwest::Error>(reqwest::Response::from(http::Response::from_parts(head, body)))
        }
    });
    let client = otel_genai::reqwest::Client::through(layer(&telemetry, address), requests, send);
    let url = format!("http://{address}/v1/chat/completions");
    let response = client.post(url).json(&request("gpt-4o", true)).send().await.unwrap();
    assert!(response.text().await.unwrap().contains(COMPLETION));
    assert_once(&telemetry, "gpt-4o", None);
}
