//! The exemplars of an operation's metrics lead to its span. A process of its own, since it sets the globals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_util::{StreamExt, stream};
use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use otel_genai::provider::Provider;
use otel_genai::{GenAi, GenAiConventions};
use otel_testing::OtlpReceiver;

#[tokio::test]
async fn they_lead_to_the_span_of_the_operation() {
    let receiver = OtlpReceiver::start().unwrap();
    let telemetry =
        otel_init::Telemetry::builder().with_endpoint(receiver.http_endpoint()).install().unwrap();
    let genai = GenAi::builder().with_conventions(GenAiConventions::V1_41).build();
    let around = Context::new().with_span(global::tracer("test").start("around"));
    let current = around.clone().attach();
    let chat = genai.chat(Provider::OpenAi, "gpt-4o").with_stream(true).start();
    drop(current);
    let chunks = stream::iter(["a", "b", "c"]).map(Ok::<_, std::fmt::Error>);
    let stream = chat.watch_results(chunks, |_, chunk| chunk.response.usage.output_tokens = Some(7));
    assert_eq!(stream.count().await, 3);
    drop(around);
    telemetry.shutdown().await.unwrap();

    let metrics = receiver.metrics();
    for name in [
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
    ] {
        let metric = metrics.iter().find(|metric| metric.name() == name);
        let points = metric.unwrap_or_else(|| panic!("{name} is missing")).points();
        let exemplars: Vec<_> = points.iter().flat_map(|point| &point.exemplars).collect();
        assert!(!exemplars.is_empty(), "{name} has none");
        for exemplar in exemplars {
            let trace = receiver.trace(exemplar.trace_id.as_ref().unwrap()).unwrap();
            let span = trace.span(exemplar.span_id.as_ref().unwrap()).unwrap();
            assert_eq!(span.name, "chat gpt-4o", "{name} of {}", trace.tree());
        }
    }
}
