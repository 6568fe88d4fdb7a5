//! The recorded exchanges through the layer, as their clients would send them: recognised by host and path, the facts on
//! the span, and nothing of what was said in anything that is exported.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use opentelemetry::trace::Status;
use otel_genai::content::{ContentPolicy, OutputMessage};
use otel_genai::provider::{Api, Provider, RequestReader, ResponseReader};
use otel_genai::{GenAi, GenAiConventions, GenAiLayer, GenAiRequestBody};
use otel_testing::{AssertTelemetry, Conventions, SpanDataExt, TestTelemetry};
use serde_json::Value;
use tower::{BoxError, Layer, ServiceExt};

use crate::support::builder;

const KEY: &str = "sk-c4n4ry-key";

struct Exchange {
    about: Value,
    request: Bytes,
    response: Bytes,
}

fn exchanges() -> Option<Vec<Exchange>> {
    let index = otel_testing::shared_file!("genai-responses/index.json")?;
    let folder = index.parent()?;
    let all: Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    let read = |name: &Value| Bytes::from(std::fs::read(folder.join(name.as_str().unwrap())).unwrap());
    let exchange = |about: &Value| Exchange {
        about: about.clone(),
        request: read(&about["request_file"]),
        response: read(&about["file"]),
    };
    Some(all["responses"].as_array().unwrap().iter().map(exchange).collect())
}

impl Exchange {
    /// Through the layer, with a body that comes in pieces.
    fn send(&self, genai: GenAi) {
        let text = |key: &str| self.about[key].as_str().unwrap().to_owned();
        let (content_type, body) = (text("content_type"), self.response.clone());
        let status = u16::try_from(self.about["http_status"].as_u64().unwrap()).unwrap();
        let inner = tower::service_fn(move |_: Request<GenAiRequestBody<Full<Bytes>>>| {
            let pieces: Vec<_> = body.chunks(61).map(Bytes::copy_from_slice).collect();
            let pieces = stream::iter(pieces).map(|piece| Ok::<_, BoxError>(Frame::data(piece)));
            let response = Response::builder().status(status).header("content-type", content_type.clone());
            let response = response.header("set-cookie", KEY).body(StreamBody::new(pieces)).unwrap();
            async { Ok::<_, BoxError>(response) }
        });
        // The one server that no host tells.
        let layer = GenAiLayer::builder()
            .with_genai(genai)
            .with_openai_compatible("localhost:5002", Provider::OpenAi);
        let request = Request::post(text("url")).header("authorization", KEY).header("x-api-key", KEY);
        let request =
            request.header("content-type", "application/json").body(Full::new(self.request.clone()));
        let response = layer.build().layer(inner).oneshot(request.unwrap()).now_or_never().unwrap().unwrap();
        let received = response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
        assert_eq!(received, self.response);
    }

    /// All that was said: texts, instructions, arguments, images, descriptions of tools, messages of errors.
    fn said(&self) -> Vec<String> {
        let url: http::Uri = self.about["url"].as_str().unwrap().parse().unwrap();
        let api = Api::recognise(url.authority().unwrap().as_str(), url.path());
        let api = api.map_or(Api::OpenAiCompletions, |endpoint| endpoint.api());
        let policy = ContentPolicy::builder().with_span_attributes().with_blobs().with_tool_schemas().build();
        let mut request = RequestReader::new(api).with_capture(&policy);
        request.read(&self.request);
        let content = request.finish().content;
        let reader = ResponseReader::new(api, self.about["streaming"] == true);
        let content_type = self.about["content_type"].as_str().unwrap();
        let mut reader = reader.with_content_type(content_type).with_capture(&policy);
        reader.read(&self.response);
        let facts = reader.finish();
        let mut said = Vec::new();
        content.input_messages.iter().for_each(|message| texts(&message.to_json(), &mut said));
        content.system_instructions.iter().for_each(|part| texts(&part.to_json(), &mut said));
        content.tool_definitions.iter().for_each(|tool| texts(&tool.to_json()["description"], &mut said));
        facts
            .output_messages
            .iter()
            .map(OutputMessage::to_json)
            .for_each(|message| texts(&message, &mut said));
        said.extend(facts.error.and_then(|error| error.message));
        // Shorter ones are in the names of the conventions.
        said.retain(|text| text.len() >= 10);
        said
    }
}

/// The strings in it, but for the words of the conventions, ids and names.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => {
            let is_word = |key: &str| {
                matches!(key, "role" | "type" | "name" | "id" | "modality" | "mime_type" | "finish_reason")
            };
            fields.iter().filter(|(key, _)| !is_word(key)).for_each(|(_, field)| texts(field, found));
        }
        _ => {}
    }
}

#[test]
fn the_layer_tells_the_facts_of_every_recorded_exchange_and_nothing_that_was_said() {
    let mut said_in_all = 0;
    for exchange in exchanges().into_iter().flatten() {
        for conventions in [GenAiConventions::V1_41, GenAiConventions::Latest] {
            let telemetry = TestTelemetry::new();
            let builder = builder(&telemetry).with_conventions(conventions);
            exchange.send(builder.with_exception_events(&telemetry.logger_provider()).build());
            let name = format!("{}\n{}", exchange.about["file"], telemetry.tree());
            let [span] = &telemetry.spans()[..] else { panic!("{name}") };
            let expect = &exchange.about["expect"];
            for (key, attribute) in
                [("response_id", "gen_ai.response.id"), ("response_model", "gen_ai.response.model")]
            {
                let recorded = span.attribute(attribute).map(ToString::to_string);
                let is_embedding = span.has("gen_ai.operation.name", "embeddings");
                if expect[key].is_string() && !(is_embedding && key == "response_id") {
                    assert_eq!(recorded.as_deref(), expect[key].as_str(), "{attribute} {name}");
                }
            }
            for kind in ["input", "output"] {
                let total = expect[format!("semconv_{kind}_tokens_total")].as_i64();
                if let Some(total) = total.or_else(|| expect[format!("{kind}_tokens")].as_i64()) {
                    let of_embedding = kind == "output" && span.has("gen_ai.operation.name", "embeddings");
                    assert!(
                        of_embedding || span.has(&format!("gen_ai.usage.{kind}_tokens"), total),
                        "{kind} {name}"
                    );
                }
            }
            let failed = expect.get("error").is_some();
            assert_eq!(span.status != Status::Unset, failed, "{name}");
            assert_eq!(span.attribute("error.type").is_some(), failed, "{name}");
            let exceptions = telemetry
                .logs()
                .into_iter()
                .filter(|log| log.event_name.is_some_and(|name| name.ends_with("exception")));
            assert_eq!(exceptions.count(), usize::from(failed), "{name}");
            // Lists of values that may grow, and have.
            let open = ["openai.request.service_tier", "gen_ai.provider.name", "gen_ai.operation.name"];
            let conventions = open.into_iter().fold(Conventions::new(), Conventions::allow);
            assert_eq!(conventions.check(&telemetry), [], "{name}");
            telemetry.assert_nothing_in_flight();
            let said = exchange.said();
            said_in_all += said.len();
            telemetry.assert_no_secrets(said.into_iter().chain([KEY.to_owned()]));
        }
    }
    assert!(said_in_all == 0 || said_in_all > 400, "{said_in_all}: the canaries are there");
}
