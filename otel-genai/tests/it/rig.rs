//! Agents of the crate `rig`, with a scripted model.

use std::sync::Arc;

use futures_util::StreamExt;
use opentelemetry::trace::Status;
use otel_genai::content::ContentPolicy;
use otel_genai::provider::Provider;
use otel_genai::rig::AgentTelemetry;
use otel_genai::{GenAi, GenAiConventions};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use rig_agent::agent::{Agent, AgentBuilder, AgentHook, DispatchAction, DispatchEvent, HookContext};
use rig_agent::completion::Usage;
use rig_agent::test_utils::{MockCompletionModel, MockStreamEvent, MockTurn};
use rig_agent::tool::{Tool, ToolContext};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{DURATION, EARLY, TOKENS, assert_conventions, builder, genai, latest};

/// Answers, fails or hangs, as it is asked to.
#[derive(Clone, Default)]
struct Lookup(Arc<Notify>);

impl Tool for Lookup {
    const NAME: &'static str = "lookup_orders";
    type Args = Value;
    type Output = String;
    type Error = std::fmt::Error;

    fn description(&self) -> String {
        "Looks orders up.".to_owned()
    }

    fn parameters(&self) -> Value {
        json!({ "type": "object", "properties": { "how": { "type": "string" } } })
    }

    async fn call(&self, _: &mut ToolContext, arguments: Value) -> Result<String, std::fmt::Error> {
        match arguments["how"].as_str() {
            Some("hang") => {
                self.0.notify_one();
                std::future::pending().await
            }
            Some("fail") => Err(std::fmt::Error),
            _ => Ok("c4n4ry-result".to_owned()),
        }
    }
}

fn agent(genai: GenAi, model: MockCompletionModel, tool: Lookup, other: impl AgentHook + 'static) -> Agent {
    let telemetry = AgentTelemetry::new(genai, Provider::OpenAi, "gpt-4o");
    let agent = AgentBuilder::new(model).name("clerk").default_max_turns(5).tool(tool);
    agent.add_hook(telemetry).add_hook(other).build()
}

fn usage(input: u64, output: u64) -> Usage {
    let mut usage = Usage::default();
    (usage.input_tokens, usage.output_tokens) = (Some(input), Some(output));
    usage
}

fn call(how: &str) -> MockTurn {
    let arguments = json!({ "how": how, "what": "c4n4ry-argument" });
    MockTurn::tool_call("call_1", "lookup_orders", arguments).with_usage(usage(10, 5))
}

fn answer() -> MockTurn {
    MockTurn::text("c4n4ry-answer").with_usage(usage(20, 7)).with_response_id("resp_2")
}

fn run(genai: GenAi, turns: impl IntoIterator<Item = MockTurn>) -> Agent {
    agent(genai, MockCompletionModel::from_turns(turns), Lookup::default(), ())
}

#[tokio::test]
async fn a_run_is_a_tree_with_tokens() {
    let telemetry = TestTelemetry::new();
    let response = run(genai(&telemetry), [call("well"), answer()]).prompt("c4n4ry-prompt").await.unwrap();
    assert_eq!(response.output(), "c4n4ry-answer");

    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    let expected = span("invoke_agent clerk").internal().has("gen_ai.usage.input_tokens", 30);
    telemetry.assert_span(expected.has("gen_ai.usage.output_tokens", 12).has_no("error.type"));
    let agent = telemetry.span("invoke_agent clerk");
    let chats = telemetry.spans_named("chat gpt-4o");
    assert_eq!(chats.len(), 2, "{}", telemetry.tree());
    assert!(chats.iter().all(|chat| chat.is_child_of(&agent)), "{}", telemetry.tree());
    let tokens = |chat: &opentelemetry_sdk::trace::SpanData| chat.has("gen_ai.usage.input_tokens", 10);
    assert!(chats.iter().any(tokens), "{}", telemetry.tree());
    assert!(chats.iter().any(|chat| chat.has("gen_ai.response.id", "resp_2")), "{}", telemetry.tree());
    let tool = span("execute_tool lookup_orders").internal().child_of("invoke_agent clerk");
    telemetry.assert_span(tool.has("gen_ai.tool.call.id", "call_1").has("gen_ai.tool.type", "function"));
    assert_eq!(telemetry.histogram_count(TOKENS), 4);
    // An agent's and a tool's duration are no metric of 1.41 unless there is a provider.
    assert_eq!(telemetry.histogram_count(DURATION), 3);
}

#[tokio::test]
async fn a_run_by_the_unreleased_conventions() {
    let telemetry = TestTelemetry::new();
    let genai = latest(&telemetry);
    assert_eq!(genai.conventions(), GenAiConventions::Latest);
    run(genai, [call("well"), answer()]).prompt("c4n4ry-prompt").await.unwrap();
    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    telemetry.assert_span(span("execute_tool lookup_orders").internal().child_of("invoke_agent clerk"));
    assert_eq!(telemetry.spans().len(), 4, "{}", telemetry.tree());
}

#[tokio::test]
async fn content_is_captured_by_the_policy_alone() {
    let telemetry = TestTelemetry::new();
    let policy = ContentPolicy::builder().with_span_attributes().build();
    let genai = builder(&telemetry).with_content_policy(policy).build();
    run(genai, [call("well"), answer()]).prompt("c4n4ry-prompt").await.unwrap();

    assert_conventions(&telemetry);
    let tool = telemetry.span("execute_tool lookup_orders");
    assert!(tool.has("gen_ai.tool.call.result", "c4n4ry-result"), "{}", telemetry.tree());
    let text = |key| tool.attribute(key).map(ToString::to_string).unwrap_or_default();
    assert!(text("gen_ai.tool.call.arguments").contains("c4n4ry-argument"), "{}", telemetry.tree());
    let chats = telemetry.spans_named("chat gpt-4o");
    let last = chats.iter().find(|chat| chat.has("gen_ai.response.id", "resp_2")).unwrap();
    let messages = |key| serde_json::from_str::<Value>(&last.attribute(key).unwrap().as_str()).unwrap();
    let input = messages("gen_ai.input.messages");
    assert_eq!(input[0]["parts"][0], json!({ "type": "text", "content": "c4n4ry-prompt" }));
    assert_eq!(input[1]["parts"][0]["type"], "tool_call");
    assert_eq!(
        (&input[2]["role"], &input[2]["parts"][0]["response"]),
        (&json!("tool"), &json!("c4n4ry-result"))
    );
    assert_eq!(messages("gen_ai.output.messages")[0]["parts"][0]["content"], "c4n4ry-answer");
}

#[tokio::test]
async fn a_tool_that_fails_is_no_failure_of_the_run() {
    let telemetry = TestTelemetry::new();
    run(genai(&telemetry), [call("fail"), answer()]).prompt("c4n4ry-prompt").await.unwrap();
    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    telemetry.assert_span(span("execute_tool lookup_orders").internal().has("error.type", "other"));
    telemetry.assert_span(span("invoke_agent clerk").internal().has_no("error.type"));
}

#[tokio::test]
async fn a_call_that_fails_fails_the_run() {
    let telemetry = TestTelemetry::new();
    let turns = [call("well"), MockTurn::error("c4n4ry-message")];
    run(genai(&telemetry), turns).prompt("c4n4ry-prompt").await.unwrap_err();
    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    let agent = span("invoke_agent clerk").internal().has("error.type", otel_testing::any_value());
    telemetry.assert_span(agent.has("gen_ai.usage.input_tokens", 10));
    let chats = telemetry.spans_named("chat gpt-4o");
    let failed = chats.iter().filter(|chat| chat.attribute("error.type").is_some());
    assert_eq!((chats.len(), failed.count()), (2, 1), "{}", telemetry.tree());
}

#[tokio::test]
async fn a_prompt_that_is_dropped_ends_as_cancelled() {
    let telemetry = TestTelemetry::new();
    let tool = Lookup::default();
    let model = MockCompletionModel::from_turns([call("hang")]);
    let agent = agent(genai(&telemetry), model, tool.clone(), ());
    tokio::select! {
        _ = agent.prompt("c4n4ry-prompt").run() => panic!("the tool hangs"),
        () = tool.0.notified() => {}
    }
    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    let cancelled = |name| span(name).internal().has_no("error.type").has(EARLY, true);
    telemetry.assert_span(cancelled("execute_tool lookup_orders").child_of("invoke_agent clerk"));
    telemetry.assert_span(cancelled("invoke_agent clerk").has("gen_ai.usage.output_tokens", 5));
}

#[tokio::test]
async fn a_stream_that_is_dropped_says_so() {
    let telemetry = TestTelemetry::new();
    let events = ["one", "two"].map(MockStreamEvent::text).into_iter();
    let model = MockCompletionModel::from_stream_turns([events.collect::<Vec<_>>()]);
    let agent = agent(genai(&telemetry), model, Lookup::default(), ());
    let mut stream = agent.prompt("c4n4ry-prompt").stream();
    assert!(stream.next().await.is_some());
    drop(stream);
    for name in ["chat gpt-4o", "invoke_agent clerk"] {
        telemetry.assert_span(span(name).status(Status::Unset).has(EARLY, true));
    }
}

#[tokio::test]
async fn a_stream_has_the_times_of_its_chunks() {
    let telemetry = TestTelemetry::new();
    let events = ["c4n4ry", " is", " it"].map(MockStreamEvent::text).into_iter();
    let events = events.chain([MockStreamEvent::final_response(usage(20, 7))]);
    let model = MockCompletionModel::from_stream_turns([events]);
    let agent = agent(genai(&telemetry), model, Lookup::default(), ());
    let items: Vec<_> = agent.prompt("c4n4ry-prompt").stream().collect().await;
    assert!(items.iter().all(Result::is_ok));
    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    let chat = span("chat gpt-4o").client().child_of("invoke_agent clerk");
    telemetry.assert_span(chat.has("gen_ai.usage.input_tokens", 20).has("gen_ai.request.stream", true));
    assert_eq!(telemetry.histogram_count("gen_ai.client.operation.time_to_first_chunk"), 1);
    assert_eq!(telemetry.histogram_count("gen_ai.client.operation.time_per_output_chunk"), 2);
}

/// Another hook, which lets no tool run.
struct NoTools;

impl AgentHook for NoTools {
    async fn on_dispatch(&self, _: &HookContext, event: DispatchEvent<'_>) -> DispatchAction {
        match event.tool_name() {
            Some(_) => DispatchAction::skip("c4n4ry-reason"),
            None => DispatchAction::Proceed,
        }
    }
}

#[tokio::test]
async fn a_tool_that_another_hook_denies_did_not_go_well() {
    let telemetry = TestTelemetry::new();
    let model = MockCompletionModel::from_turns([call("well"), answer()]);
    let agent = agent(genai(&telemetry), model, Lookup::default(), NoTools);
    agent.prompt("c4n4ry-prompt").await.unwrap();
    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    telemetry.assert_span(span("execute_tool lookup_orders").internal().has("error.type", "skipped"));
}
