//! What is captured of content when the policy asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt;
use opentelemetry::Key;
use opentelemetry_sdk::trace::Sampler;
use otel_genai::content::ContentPolicy;
use otel_genai::provider::Provider;
use otel_genai::{GenAiConventions, GenAiMemoryOperation};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry};
use serde_json::{Value, json};

use crate::fake::{ARGUMENT, COMPLETION, KEY, PROMPT, request, serve};
use crate::layer::{layer_of, send_with_reqwest};
use crate::support::{assert_conventions, builder};

const ALL: [&str; 4] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.definitions",
    "gen_ai.system_instructions",
];

/// One call through the layer with this policy.
async fn call(telemetry: &TestTelemetry, policy: ContentPolicy, stream: bool) {
    let address = serve().await;
    let genai = builder(telemetry).with_content_policy(policy).build();
    let body = send_with_reqwest(layer_of(genai, address), address, request("gpt-4o", stream)).await;
    body.collect().await.unwrap();
}

fn json_of(telemetry: &TestTelemetry, key: &str) -> Option<Value> {
    let span = telemetry.span("chat gpt-4o");
    let text = span.attributes.iter().find(|pair| pair.key == Key::from(key.to_owned()))?.value.to_string();
    Some(serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn into_the_span_whether_it_streams_or_not() {
    for stream in [false, true] {
        let telemetry = TestTelemetry::new();
        call(&telemetry, ContentPolicy::builder().with_span_attributes().build(), stream).await;
        assert_conventions(&telemetry);
        let input = json_of(&telemetry, "gen_ai.input.messages").unwrap();
        assert!(input.to_string().contains(PROMPT), "{input}");
        let output = json_of(&telemetry, "gen_ai.output.messages").unwrap();
        assert_eq!(output[0]["role"], "assistant");
        assert!(output.to_string().contains(COMPLETION), "{output}");
        assert_eq!(output.to_string().contains(ARGUMENT), !stream, "{output}");
        telemetry.assert_no_secrets([KEY]);
        assert!(telemetry.logs().is_empty());
    }
}

#[tokio::test]
async fn what_goes_into_spans_alone_is_not_looked_at_for_one_that_is_not_recorded() {
    for (sampler, expected) in [(Sampler::AlwaysOn, true), (Sampler::AlwaysOff, false)] {
        let telemetry = TestTelemetry::builder().with_sampler(sampler).build();
        let is_looked_at = Arc::new(AtomicBool::new(false));
        let looks = Arc::clone(&is_looked_at);
        let policy = ContentPolicy::builder().with_span_attributes().with_mask(move |text| {
            looks.store(true, Ordering::Relaxed);
            text.to_owned()
        });
        let policy = policy.build();
        call(&telemetry, policy.clone(), false).await;
        assert_eq!(is_looked_at.swap(false, Ordering::Relaxed), expected, "messages");
        let genai = builder(&telemetry).with_content_policy(policy).build();
        let mut tool = genai.execute_tool("lookup").start();
        tool.set_arguments(&json!({ "q": 1 }));
        tool.end();
        assert_eq!(is_looked_at.load(Ordering::Relaxed), expected, "arguments of a tool");
    }
}

#[tokio::test]
async fn into_the_event_and_not_the_span() {
    let telemetry = TestTelemetry::new();
    call(&telemetry, ContentPolicy::builder().with_events().build(), true).await;
    assert_conventions(&telemetry);
    assert!(ALL.into_iter().all(|key| json_of(&telemetry, key).is_none()));
    let log = &telemetry.logs()[0];
    assert_eq!(log.event_name, Some("gen_ai.client.inference.operation.details"));
    assert!(log.attribute("gen_ai.output.messages").unwrap().to_string().contains(COMPLETION));
    assert!(log.has("gen_ai.request.model", "gpt-4o"));
    assert_eq!(log.span_id, Some(telemetry.span("chat gpt-4o").span_context.span_id()));
}

#[tokio::test]
async fn what_is_hidden_is_nowhere() {
    let hidden = [
        (ContentPolicy::builder().without_input_messages().without_tool_definitions(), PROMPT),
        (ContentPolicy::builder().without_output_messages(), COMPLETION),
        (ContentPolicy::builder().without_tool_arguments(), ARGUMENT),
    ];
    for (policy, secret) in hidden {
        let telemetry = TestTelemetry::new();
        call(&telemetry, policy.with_span_attributes().with_events().build(), false).await;
        telemetry.assert_no_secrets([secret, KEY]);
        assert_eq!(telemetry.spans().len(), 1);
        assert!(ALL.into_iter().any(|key| json_of(&telemetry, key).is_some()), "the rest is there");
    }
}

#[tokio::test]
async fn a_mask_that_panics_drops_the_content_and_nothing_else() {
    let telemetry = TestTelemetry::new();
    let policy = ContentPolicy::builder().with_span_attributes().with_mask(|_| panic!("a test panics here"));
    call(&telemetry, policy.build(), false).await;
    telemetry.assert_no_secrets([PROMPT, COMPLETION, ARGUMENT, KEY]);
    assert!(telemetry.span("chat gpt-4o").has("gen_ai.usage.input_tokens", 10));
}

/// The attributes of a tool's execution with this policy.
fn tool(policy: ContentPolicy) -> (Option<String>, Option<String>) {
    let telemetry = TestTelemetry::new();
    let genai = builder(&telemetry).with_content_policy(policy).build();
    let mut tool = genai.execute_tool("lookup").start();
    tool.set_arguments(&json!({ "q": ARGUMENT, "n": 1 }));
    tool.set_result(&json!([{ "title": COMPLETION }]));
    tool.end();
    assert_conventions(&telemetry);
    let span = telemetry.span("execute_tool lookup");
    let text = |key: &str| span.attribute(key).map(ToString::to_string);
    (text("gen_ai.tool.call.arguments"), text("gen_ai.tool.call.result"))
}

#[test]
fn arguments_and_results_of_tools() {
    let on = || ContentPolicy::builder().with_span_attributes();
    let (arguments, result) = tool(on().build());
    assert_eq!(serde_json::from_str::<Value>(&arguments.unwrap()).unwrap(), json!({ "q": ARGUMENT, "n": 1 }));
    assert_eq!(serde_json::from_str::<Value>(&result.unwrap()).unwrap(), json!([{ "title": COMPLETION }]));

    assert_eq!(tool(ContentPolicy::none()), (None, None));
    assert_eq!(tool(ContentPolicy::builder().with_events().build()), (None, None));
    let (arguments, result) = tool(on().without_tool_arguments().build());
    assert!(!arguments.unwrap_or_default().contains(ARGUMENT) && result.is_some());
    let (arguments, result) = tool(on().without_tool_results().build());
    assert!(arguments.is_some() && !result.unwrap_or_default().contains(COMPLETION));
    let (arguments, _) = tool(on().with_mask(|text| text.replace(ARGUMENT, "***")).build());
    assert!(arguments.unwrap().contains("***"));
    assert_eq!(tool(on().with_mask(|_| panic!("a test panics here")).build()), (None, None));
    // Some answers have a field for each customer.
    let telemetry = TestTelemetry::new();
    let policy = on().with_mask(|text| text.replace(COMPLETION, "***")).build();
    let mut tool_of_customers =
        builder(&telemetry).with_content_policy(policy).build().execute_tool("lookup").start();
    tool_of_customers.set_result(&json!({ COMPLETION: [{ COMPLETION: 1 }] }));
    tool_of_customers.end();
    let span = telemetry.span("execute_tool lookup");
    assert!(span.has("gen_ai.tool.call.result", r#"{"***":[{"***":1}]}"#), "{}", telemetry.tree());
    // A number may be a secret, too.
    let (arguments, _) = tool(on().with_mask(|text| text.replace('1', "#")).build());
    assert!(arguments.unwrap().contains(r##""n":"#""##));
    let (arguments, _) = tool(on().with_mask(str::to_owned).build());
    assert!(arguments.unwrap().contains(r#""n":1"#));
}

/// What refers to it would be lost.
#[test]
fn the_content_of_tools_is_not_uploaded() {
    let policy = || ContentPolicy::builder().with_upload(|_| panic!("it was"));
    let (arguments, result) = tool(policy().with_span_attributes().build());
    assert!(arguments.is_some() && result.is_some());
    let uploaded = Arc::new(std::sync::Mutex::new(0));
    let count = Arc::clone(&uploaded);
    let count = move |_: &otel_genai::content::UploadedContent<'_>| {
        *count.lock().unwrap() += 1;
        None
    };
    assert_eq!(tool(ContentPolicy::builder().with_upload(count).build()), (None, None));
    assert_eq!(*uploaded.lock().unwrap(), 0);
}

#[test]
fn queries_and_documents() {
    let telemetry = TestTelemetry::new();
    let policy = ContentPolicy::builder().with_span_attributes().build();
    let genai = builder(&telemetry).with_content_policy(policy).build();
    let mut retrieval = genai.retrieval("kb-1").with_provider(Provider::OpenAi).start();
    retrieval.set_query(PROMPT);
    retrieval.set_documents(&json!([{ "id": "d1", "score": 0.5 }]));
    retrieval.end();
    assert_conventions(&telemetry);
    let span = telemetry.span("retrieval kb-1");
    assert!(span.has("gen_ai.retrieval.query.text", PROMPT), "{}", telemetry.tree());
    assert!(span.has("gen_ai.retrieval.documents", r#"[{"id":"d1","score":0.5}]"#), "{}", telemetry.tree());
}

/// "The attribute keys [..] MUST be unique": of what is said again, as of a tool that is tried again, the last counts.
/// <https://opentelemetry.io/docs/specs/otel/common/#attribute-collections>
#[test]
fn what_is_said_again_is_there_once() {
    let telemetry = TestTelemetry::new();
    let policy = ContentPolicy::builder().with_span_attributes().build();
    let genai = builder(&telemetry).with_content_policy(policy);
    let genai = genai.with_conventions(GenAiConventions::Latest).build();
    let mut tool = genai.execute_tool("lookup").start();
    tool.set_result(&json!("too many requests"));
    tool.set_result(&json!("found"));
    tool.end();
    let mut memory = genai.memory(GenAiMemoryOperation::Search).start();
    memory.set_record_count(1);
    memory.set_record_count(2);
    memory.end();
    let mut agent = genai.create_agent(Provider::OpenAi, "shop").start();
    agent.set_id("1");
    agent.set_id("2");
    agent.end();
    for (name, key, value) in [
        ("execute_tool lookup", "gen_ai.tool.call.result", "found"),
        ("search_memory", "gen_ai.memory.record.count", "2"),
        ("create_agent shop", "gen_ai.agent.id", "2"),
    ] {
        let span = telemetry.span(name);
        let values = span.attributes.iter().filter(|pair| pair.key.as_str() == key);
        assert_eq!(values.map(|pair| pair.value.to_string()).collect::<Vec<_>>(), [value], "{name}");
    }
}
