//! The later conventions.

use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt;
use otel_genai::provider::{Api, Provider, RequestReader};
use otel_genai::{GenAi, GenAiMemoryOperation};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};

use crate::support::{DURATION, assert_conventions, latest};

const USAGE: &str = "gen_ai.client.inference.usage";

fn chat(genai: &GenAi, failed: bool) {
    let mut chat = genai.chat(Provider::OpenAi, "gpt-4o").with_prompt("greeting", "3").start();
    chat.chunks(2);
    if failed {
        return chat.fail("overloaded");
    }
    let usage = &mut chat.response().usage;
    (usage.input_tokens, usage.output_tokens) = (Some(100), Some(20));
    (usage.text_input_tokens, usage.image_input_tokens) = (Some(60), Some(30));
    (usage.cache_read_input_tokens, usage.cache_write_input_tokens) = (Some(5), Some(6));
    usage.reasoning_output_tokens = Some(7);
    chat.end();
}

/// The sum of a counter's points with this modality.
fn used(telemetry: &TestTelemetry, name: &str, modality: &str) -> f64 {
    let points = telemetry.points(&format!("{USAGE}.{name}"));
    let of = points.iter().filter(|point| point.attributes.has("gen_ai.token.modality", modality));
    of.map(|point| point.number().unwrap().as_f64()).sum()
}

#[test]
fn inference_has_its_own_metrics_and_tokens_by_modality() {
    let telemetry = TestTelemetry::new();
    chat(&latest(&telemetry), false);
    assert_conventions(&telemetry);
    for name in ["duration", "time_to_first_chunk", "time_per_output_chunk", "operation.input_tokens"] {
        assert_eq!(telemetry.histogram_count(&format!("gen_ai.client.inference.{name}")), 1, "{name}");
    }
    let input = |modality| used(&telemetry, "input_tokens", modality);
    assert_eq!((input("text"), input("image"), input("unknown")), (60.0, 30.0, 10.0));
    assert_eq!(used(&telemetry, "output_tokens", "unknown"), 20.0);
    assert_eq!(used(&telemetry, "cache_read.input_tokens", "unknown"), 5.0);
    assert_eq!(used(&telemetry, "cache_write.input_tokens", "unknown"), 6.0);
    assert_eq!(used(&telemetry, "reasoning.output_tokens", "unknown"), 7.0);
    telemetry.assert_span(
        span("chat gpt-4o")
            .has("gen_ai.usage.cache_write.input_tokens", 6)
            .has("gen_ai.usage.text.input_tokens", 60)
            .has("gen_ai.prompt.name", "greeting")
            .has_no("gen_ai.usage.cache_creation.input_tokens"),
    );
    let all = telemetry.metrics();
    assert!(all.iter().all(|metric| metric.name != DURATION && !metric.name.contains("token.usage")));
}

#[test]
fn failed_calls_count_with_no_tokens() {
    let telemetry = TestTelemetry::new();
    chat(&latest(&telemetry), true);
    assert_conventions(&telemetry);
    assert_eq!(telemetry.points(&format!("{USAGE}.input_tokens")).len(), 1);
    assert_eq!(used(&telemetry, "input_tokens", "unknown"), 0.0);
    let point = &telemetry.points("gen_ai.client.inference.operation.output_tokens")[0];
    assert!(point.attributes.has("error.type", "overloaded"));
}

#[test]
fn agents_tools_and_workflows_have_durations() {
    let telemetry = TestTelemetry::new();
    let genai = latest(&telemetry);
    let mut workflow = genai.invoke_workflow("support").with_conversation_id("c").start();
    workflow.run(|| {
        let mut agent = genai.invoke_agent(Provider::OpenAi, "clerk").with_model("gpt-4o").start();
        agent.run(|| {
            genai.plan("clerk").with_agent_id("a1").start().end();
            genai.execute_tool("lookup").start().fail("not_found");
        });
        agent.end();
    });
    workflow.end();
    assert_conventions(&telemetry);
    otel_testing::assert_trace!(telemetry, "invoke_workflow support" => {
        "invoke_agent clerk" => { "plan clerk", "execute_tool lookup" }
    });
    let tool = telemetry.assert_metric("gen_ai.execute_tool.duration");
    tool.is_histogram().has_unit("s").has_series(1).has_only_attributes(["gen_ai.tool.name", "error.type"]);
    let agent = telemetry.assert_metric("gen_ai.invoke_agent.duration");
    agent.is_histogram().has_unit("s").has_series(2);
    agent.point([KeyValue::new("gen_ai.agent.name", "support")]);
    agent.point([
        KeyValue::new("gen_ai.agent.name", "clerk"),
        KeyValue::new("gen_ai.request.model", "gpt-4o"),
    ]);
    telemetry.assert_span(span("execute_tool lookup").has("gen_ai.conversation.id", "c").failed());
    assert_eq!(telemetry.metrics().len(), 2, "a plan has no metric");
}

#[test]
fn memory() {
    let telemetry = TestTelemetry::new();
    let genai = latest(&telemetry);
    let search =
        genai.memory(GenAiMemoryOperation::Search).with_store_id("s1").with_provider(Provider::OpenAi);
    let mut search = search.with_server("memory.test", 443).start();
    search.set_record_count(3);
    search.set_query("not to be seen");
    search.end();
    genai.memory(GenAiMemoryOperation::Delete).with_record_id("r1").in_process(true).start().end();
    assert_conventions(&telemetry);
    telemetry.assert_span(span("search_memory").client().has("gen_ai.memory.record.count", 3));
    telemetry.assert_span(span("delete_memory").internal().has("gen_ai.memory.record.id", "r1"));
    telemetry.assert_metric(DURATION).has_series(1);
    telemetry.assert_no_secrets(["not to be seen"]);
}

#[test]
fn the_scope_names_the_schema_of_released_conventions_alone() {
    let telemetry = TestTelemetry::new();
    chat(&latest(&telemetry), false);
    assert_eq!(telemetry.span("chat gpt-4o").instrumentation_scope.schema_url(), None);
    let telemetry = TestTelemetry::new();
    chat(&crate::support::genai(&telemetry), false);
    let url = telemetry.span("chat gpt-4o").instrumentation_scope.schema_url().map(str::to_owned);
    assert_eq!(url.as_deref(), Some("https://opentelemetry.io/schemas/1.41.1"));
    assert!(telemetry.span("chat gpt-4o").attribute("gen_ai.prompt.name").is_none());
}

/// It is none of `chat`, `generate_content` and `text_completion`, and no model has counted tokens in it.
#[test]
fn a_reranking_is_another_call_of_a_service() {
    let telemetry = TestTelemetry::new();
    let genai = latest(&telemetry);
    let mut reader = RequestReader::new(Api::CohereRerank);
    reader.read(br#"{"model":"rerank-v3.5","query":"q","documents":["a"]}"#);
    let rerank = genai.call_of(Api::CohereRerank, Provider::Cohere, reader.finish()).start();
    assert!(rerank.context().has_active_span());
    rerank.fail("overloaded");
    telemetry.assert_span(span("rerank rerank-v3.5").client().has("error.type", "overloaded"));
    assert_eq!(telemetry.histogram_count(DURATION), 1);
    let names: Vec<String> = telemetry.metrics().into_iter().map(|metric| metric.name).collect();
    assert_eq!((names, telemetry.logs().len()), (vec![DURATION.to_owned()], 0));
}
