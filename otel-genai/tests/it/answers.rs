//! Answers that are not what was asked for.

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use otel_genai::content::ContentPolicy;
use otel_genai::provider::{Provider, RequestFacts};
use otel_genai::{GenAi, GenAiLayer, GenAiRequestBody};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tower::{BoxError, Layer, ServiceExt};

use crate::fake::{COMPLETION, PROMPT, request};
use crate::support::{assert_conventions, builder, genai};

const OPENAI: &str = "https://api.openai.com/v1/chat/completions";

/// A request for a stream of OpenAI's, answered with this.
fn answered(genai: GenAi, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    answered_by(OPENAI, genai, status, headers, body);
}

fn answered_by(url: &str, genai: GenAi, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut response = Response::builder().status(status);
    for (key, value) in headers {
        response = response.header(*key, *value);
    }
    let response = response.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let inner = tower::service_fn(move |_: Request<GenAiRequestBody<Full<Bytes>>>| {
        let response = response.clone();
        async { Ok::<_, BoxError>(response) }
    });
    let request = Request::post(url);
    let request = request.body(Full::from(self::request("gpt-4o", true).to_string())).unwrap();
    let answer = GenAiLayer::from(genai).layer(inner).oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(answer.into_body().collect().now_or_never().unwrap().unwrap().to_bytes(), body);
}

fn events() -> String {
    let chunk =
        |content: &str| json!({ "id": "r1", "choices": [{ "index": 0, "delta": { "content": content } }] });
    let usage = json!({ "id": "r1", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2 } });
    format!("data: {}\n\ndata: {}\n\ndata: {usage}\n\ndata: [DONE]\n\n", chunk(COMPLETION), chunk(COMPLETION))
}

#[test]
fn what_is_compressed_passes_unread() {
    for encoding in ["gzip", "br", "deflate", "zstd", "identity, gzip"] {
        for (status, error_type) in [(200, None), (503, Some("503"))] {
            let telemetry = TestTelemetry::new();
            let headers = [("content-type", "text/event-stream"), ("content-encoding", encoding)];
            // What is in it looks like what could be read.
            answered(genai(&telemetry), status, &headers, events().as_bytes());
            assert_conventions(&telemetry);
            let expected =
                span("chat gpt-4o").client().has_no("gen_ai.response.id").has_no("gen_ai.usage.input_tokens");
            telemetry.assert_span(match error_type {
                Some(error_type) => expected.failed().has("error.type", error_type),
                None => expected.has_no("error.type"),
            });
            telemetry.assert_no_metric("gen_ai.client.token.usage");
            telemetry.assert_no_secrets([COMPLETION, PROMPT]);
        }
    }
}

#[test]
fn without_a_content_type_or_with_another_one_the_body_tells() {
    let json = json!({ "id": "r1", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 2 } });
    for (headers, body) in [
        (&[][..], events()),
        (&[("content-type", "text/plain")], events()),
        (&[("content-type", "TEXT/Event-Stream ; charset=UTF-8")], events()),
        (&[("content-type", "text/event-stream"), ("content-encoding", "Identity")], events()),
        (&[], json.to_string()),
        (&[("content-type", "application/json")], json.to_string()),
        (&[("content-type", "text/event-stream")], json.to_string()),
    ] {
        let telemetry = TestTelemetry::new();
        answered(genai(&telemetry), 200, headers, body.as_bytes());
        assert_conventions(&telemetry);
        let expected =
            span("chat gpt-4o").has("gen_ai.response.id", "r1").has("gen_ai.usage.input_tokens", 3);
        telemetry.assert_span(expected.has("gen_ai.usage.output_tokens", 2).has_no("error.type"));
    }
}

/// The head has said 200 long before.
#[test]
fn an_error_within_a_stream_is_the_outcome() {
    let telemetry = TestTelemetry::new();
    let error = json!({ "error": { "type": "server_error", "code": "overloaded", "message": PROMPT } });
    let (before, after) =
        events().split_once("data: [DONE]").map(|(before, _)| (before.to_owned(), "")).unwrap();
    let body = format!("{before}event: error\ndata: {error}\n\n{after}");
    let genai = builder(&telemetry).with_exception_events(&telemetry.logger_provider()).build();
    answered(genai, 200, &[("content-type", "text/event-stream")], body.as_bytes());
    assert_conventions(&telemetry);
    let expected = span("chat gpt-4o").failed().has("error.type", "overloaded");
    telemetry.assert_span(expected.has("gen_ai.usage.output_tokens", 2).has("gen_ai.response.id", "r1"));
    assert_eq!(telemetry.histogram_count("gen_ai.client.operation.duration"), 1);
    assert_eq!(telemetry.histogram_count("gen_ai.client.token.usage"), 2);
    assert_eq!(telemetry.logs().len(), 1);
    telemetry.assert_no_secrets([PROMPT, COMPLETION]);
}

/// Who sends an error within a stream closes the connection, often without the end that HTTP asks for.
#[test]
fn what_the_provider_has_said_counts_more_than_that_the_body_broke_off() {
    let error = br#"{"error":{"type":"requests","code":"rate_limit_exceeded","message":"c4n4ry"}}"#;
    let event = [b"data: ", &error[..], b"\n\n"].concat();
    for (status, body, expected) in [
        (429, &error[..], "rate_limit_exceeded"),
        (429, &error[..20], "429"),
        (429, b"", "429"),
        (200, &event, "rate_limit_exceeded"),
        (200, events().split_once("data: [DONE]").unwrap().0.as_bytes(), "body"),
    ] {
        let telemetry = TestTelemetry::new();
        let body = Bytes::copy_from_slice(body);
        let inner = tower::service_fn(move |_: Request<GenAiRequestBody<Full<Bytes>>>| {
            let pieces = [Ok::<_, BoxError>(Frame::data(body.clone())), Err("broken off".into())];
            let body = StreamBody::new(stream::iter(pieces));
            async move { Ok::<_, BoxError>(Response::builder().status(status).body(body).unwrap()) }
        });
        let request = Request::post(OPENAI).body(Full::from(request("gpt-4o", true).to_string())).unwrap();
        let sent = GenAiLayer::from(genai(&telemetry)).layer(inner).oneshot(request);
        let answer = sent.now_or_never().unwrap().unwrap();
        assert!(answer.into_body().collect().now_or_never().unwrap().is_err());
        assert_conventions(&telemetry);
        telemetry.assert_span(span("chat gpt-4o").failed().has("error.type", expected));
        telemetry.assert_no_secrets(["c4n4ry"]);
    }
}

#[test]
fn the_class_of_an_error_of_aws_is_in_a_header() {
    const CONVERSE: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/gpt-4o/converse";
    const RERANK: &str =
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/cohere.rerank-v3-5:0/invoke";
    const THROTTLED: &[u8] = br#"{"message":"Too many requests"}"#;
    for (url, header, body, expected) in [
        (CONVERSE, "ThrottlingException", THROTTLED, "ThrottlingException"),
        (CONVERSE, "ThrottlingException:http://internal.amazon.com/coral/", THROTTLED, "ThrottlingException"),
        (CONVERSE, "aws.bedrock#ThrottlingException:http://x/", THROTTLED, "ThrottlingException"),
        (
            CONVERSE,
            "AccessDenied",
            br#"{"__type":"ThrottlingException","message":"m"}"#,
            "ThrottlingException",
        ),
        (CONVERSE, "ThrottlingException", b"", "ThrottlingException"),
        (CONVERSE, "not a name", THROTTLED, "429"),
        (CONVERSE, "", THROTTLED, "429"),
        (OPENAI, "ThrottlingException", THROTTLED, "429"),
    ] {
        let telemetry = TestTelemetry::new();
        let headers = [("content-type", "application/json"), ("x-amzn-errortype", header)];
        answered_by(url, genai(&telemetry), 429, &headers, body);
        assert_conventions(&telemetry);
        telemetry.assert_span(span("chat gpt-4o").failed().has("error.type", expected));
    }
    // What Bedrock answers in the words of another.
    let telemetry = TestTelemetry::new();
    answered_by(RERANK, genai(&telemetry), 429, &[("x-amzn-errortype", "ThrottlingException")], THROTTLED);
    telemetry.assert_span(span("rerank gpt-4o").failed().has("error.type", "ThrottlingException"));
}

#[test]
fn bedrock_counts_in_headers_what_a_model_does_not_count_itself() {
    const INVOKE: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/ai21.j2-ultra/invoke";
    const EMBED: &str =
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/cohere.embed-english-v3/invoke";
    let answer = |url, body: &[u8], input| {
        let telemetry = TestTelemetry::new();
        let headers = [
            ("content-type", "application/json"),
            ("x-amzn-bedrock-input-token-count", input),
            ("x-amzn-bedrock-output-token-count", "5"),
        ];
        answered_by(url, genai(&telemetry), 200, &headers, body);
        assert_conventions(&telemetry);
        let spans = telemetry.spans();
        let count = |key: &str| spans[0].attribute(key).map(ToString::to_string);
        (count("gen_ai.usage.input_tokens"), count("gen_ai.usage.output_tokens"))
    };
    let counts = |input: &str, output: &str| (Some(input.to_owned()), Some(output.to_owned()));
    assert_eq!(answer(INVOKE, br#"{"completions":[]}"#, "9"), counts("9", "5"));
    assert_eq!(answer(EMBED, br#"{"embeddings":[[0.5]]}"#, "9").0.as_deref(), Some("9"));
    // What the body says counts more.
    let body = br#"{"inputTextTokenCount":3,"results":[{"tokenCount":4,"completionReason":"FINISH"}]}"#;
    assert_eq!(answer(INVOKE, body, "9"), counts("3", "4"));
    assert_eq!(answer(INVOKE, b"{}", "-9").0, None);
    assert_eq!(answer(OPENAI, b"{}", "9"), (None, None));
}

/// "Regardless of the span sampling decision."
#[test]
fn what_is_not_sampled_is_uploaded_all_the_same() {
    for sampler in [Sampler::AlwaysOff, Sampler::AlwaysOn] {
        let telemetry = TestTelemetry::new();
        let uploads = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&uploads);
        let policy = ContentPolicy::builder().with_upload(move |content| {
            sink.lock().unwrap().push(format!("{content:?}"));
            Some("s3://bucket/1".to_owned())
        });
        let tracers = SdkTracerProvider::builder().with_sampler(sampler).build();
        let genai =
            builder(&telemetry).with_tracer_provider(tracers).with_content_policy(policy.build()).build();
        answered(genai, 200, &[("content-type", "text/event-stream")], events().as_bytes());
        let uploads = uploads.lock().unwrap();
        assert_eq!(uploads.len(), 1);
        assert!(uploads[0].contains(PROMPT) && uploads[0].contains(COMPLETION), "{uploads:?}");
        assert_eq!(telemetry.histogram_count("gen_ai.client.operation.duration"), 1);
    }
}

/// Whatever the bodies of a call say, a reader that is not sure says nothing.
#[test]
fn a_request_that_is_compressed_or_no_json_is_a_call_of_no_model() {
    let telemetry = TestTelemetry::new();
    for body in
        ["", "[]", "null", "\"c4n4ry\"", "{\"model\":7,\"stream\":\"yes\"}", "{\"model\":\"", "\u{0}\u{1}"]
    {
        let inner = tower::service_fn(|_: Request<GenAiRequestBody<Full<Bytes>>>| async {
            Ok::<_, BoxError>(Response::new(Full::new(Bytes::from_static(b"{}"))))
        });
        let request =
            Request::post("https://api.openai.com/v1/chat/completions").body(Full::from(body)).unwrap();
        let sent = GenAiLayer::from(genai(&telemetry)).layer(inner).oneshot(request);
        sent.now_or_never().unwrap().unwrap().into_body().collect().now_or_never().unwrap().unwrap();
    }
    let request = RequestFacts::default();
    genai(&telemetry).chat(Provider::OpenAi, "m").with_request(request).start().end();
    assert_conventions(&telemetry);
    telemetry.assert_spans(
        8,
        span("chat").client().has_no("gen_ai.request.model").has_no("gen_ai.request.stream"),
    );
}
