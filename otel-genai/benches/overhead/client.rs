//! The clients that are compared: each bare, and through the layer.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{self, connect::Connect, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use otel_genai::async_openai::HttpService;
use otel_genai::content::ContentPolicy;
use otel_genai::provider::Provider;
use otel_genai::{GenAi, GenAiConventions, GenAiLayer, GenAiRequestBody};
use tower::{Layer, Service, ServiceExt};

use crate::server::{Pace, Server};
use crate::tls;

/// Asks for one stream and reads it to its end.
pub(crate) type Ask = Box<dyn Fn(Pace) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

pub(crate) fn layer(host: &str) -> GenAiLayer {
    let genai = GenAi::builder().with_conventions(GenAiConventions::V1_41);
    let genai = genai.with_content_policy(ContentPolicy::none()).build();
    GenAiLayer::builder().with_genai(genai).with_openai_compatible(host, Provider::OpenAi).build()
}

/// async-openai, which makes a value of each chunk, as an application that uses what the model says.
pub(crate) fn async_openai(address: SocketAddr, is_watched: bool) -> Ask {
    let http = reqwest::Client::new();
    // As an application does, once: the instruments are made with it.
    let watched = HttpService::new(layer(&address.to_string()), http.clone());
    Box::new(move |pace| {
        let config = OpenAIConfig::new().with_api_base(format!("http://{address}{}", pace.path()));
        let client = async_openai::Client::with_config(config.with_api_key("none"));
        let client = match is_watched {
            true => client.with_http_service(watched.clone()),
            false => client.with_http_client(http.clone()),
        };
        Box::pin(async move {
            let mut stream = client.chat().create_stream(chat()).await.unwrap();
            while let Some(chunk) = stream.next().await {
                std::hint::black_box(chunk.unwrap());
            }
        })
    })
}

fn chat() -> CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessage::from("Hi");
    let mut request = CreateChatCompletionRequestArgs::default();
    request.model("gpt-4o").messages([message.into()]).stream(true).build().unwrap()
}

/// hyper's client, which counts the frames of the body and looks at none: the least that a client can do.
pub(crate) fn hyper(address: SocketAddr, is_watched: bool) -> Ask {
    ask_with(HttpConnector::new(), format!("http://{address}"), is_watched)
}

/// The same over TLS with HTTP/2, as models are reached.
pub(crate) fn hyper_tls(server: &Server, is_watched: bool) -> Ask {
    let connector = tls::connector(server.certificate.clone());
    ask_with(connector, format!("https://localhost:{}", server.encrypted.port()), is_watched)
}

fn ask_with<C>(connector: C, origin: String, is_watched: bool) -> Ask
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let host = origin.split_once("://").unwrap().1.to_owned();
    let uri = move |pace: Pace| format!("{origin}{}/chat/completions", pace.path());
    let builder = legacy::Client::builder(TokioExecutor::new());
    match is_watched {
        false => {
            let client: legacy::Client<C, Full<Bytes>> = builder.build(connector);
            Box::new(move |pace| Box::pin(ask(client.clone(), uri(pace))))
        }
        true => {
            let client: legacy::Client<C, GenAiRequestBody<Full<Bytes>>> = builder.build(connector);
            let client = layer(&host).layer(client);
            Box::new(move |pace| Box::pin(ask(client.clone(), uri(pace))))
        }
    }
}

pub(crate) async fn ask<S, B>(mut client: S, uri: String)
where
    S: Service<http::Request<Full<Bytes>>, Response = http::Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    const BODY: &[u8] = br#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = http::Request::post(uri).body(Full::from(BODY)).unwrap();
    let response = client.ready().await.unwrap().call(request).await.unwrap();
    let mut body = std::pin::pin!(response.into_body());
    while let Some(frame) = body.frame().await {
        drop(std::hint::black_box(frame.unwrap()));
    }
}
