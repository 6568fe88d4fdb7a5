//! Requests and answers that are legal and rare, through the layer.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use otel_genai::provider::Provider;
use otel_genai::{GenAi, GenAiLayer, GenAiRequestBody};
use otel_testing::{SpanDataExt, TestTelemetry};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{assert_conventions, genai};

fn layer(genai: GenAi, host: &str) -> GenAiLayer {
    GenAiLayer::builder().with_genai(genai).with_openai_compatible(host, Provider::OpenAi).build()
}

/// A body that comes in parts must not be asked for more after its end: some panic then.
#[tokio::test]
async fn a_request_body_that_is_a_stream_is_read_to_its_end_once() {
    let telemetry = TestTelemetry::new();
    let parts = stream::unfold(0, |part| async move {
        let text = ["{\"model\":", "\"gpt-4o\"}"].get(part)?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(text.as_bytes()))), part + 1))
    });
    let client = service_fn(|request: http::Request<GenAiRequestBody<_>>| async {
        let body = request.into_body().collect().await?.to_bytes();
        assert_eq!(body, "{\"model\":\"gpt-4o\"}");
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::new())))
    });
    let body = StreamBody::new(Box::pin(parts));
    let request = http::Request::post("https://api.openai.com/v1/chat/completions").body(body).unwrap();
    let response = GenAiLayer::from(genai(&telemetry)).layer(client).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_conventions(&telemetry);
    assert_eq!(telemetry.spans()[0].name, "chat gpt-4o");
}

/// A URL leaves out the port that its scheme has anyway.
#[tokio::test]
async fn a_host_with_the_default_port_is_that_host() {
    for (host, url, is_observed) in [
        ("llm.internal:443", "https://llm.internal/v1/chat/completions", true),
        ("llm.internal:443", "https://llm.internal:443/v1/chat/completions", true),
        ("llm.internal:80", "http://llm.internal/v1/chat/completions", true),
        ("llm.internal:443", "http://llm.internal/v1/chat/completions", false),
        ("llm.internal:8080", "http://llm.internal/v1/chat/completions", false),
        ("[::1]:80", "http://[::1]/v1/chat/completions", true),
        ("[::1]", "http://[::1]:8000/v1/chat/completions", true),
    ] {
        let telemetry = TestTelemetry::new();
        let client = service_fn(|_: http::Request<GenAiRequestBody<Full<Bytes>>>| async {
            Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::new())))
        });
        let request = http::Request::post(url).body(Full::from("{\"model\":\"m\"}")).unwrap();
        let response = layer(genai(&telemetry), host).layer(client).oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert_eq!(telemetry.spans().len(), usize::from(is_observed), "{host} {url}");
        if is_observed {
            assert!(telemetry.spans()[0].attribute("server.port").is_some());
        }
    }
}
