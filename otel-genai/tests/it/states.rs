//! Everything that is emitted in each state of the conventions, held against the registry of that state: no attribute that
//! it does not list, none of its own missing but those named here, types, required ones, instruments, units, buckets.

use opentelemetry::trace::SpanKind;
use opentelemetry::{Array, Value};
use otel_genai::GenAiConventions;
use otel_genai::content::ContentPolicy;
use otel_testing::{AttributeValue, MetricKind, SpanDataExt, TestTelemetry};
use serde_json::{Map, Value as Json};

use crate::everything::run_everything;
use crate::support::builder;

/// Of the registry, but not emitted: what no API tells, or is asked for by name and not offered.
const ABSENT: &[&str] = &[
    "gen_ai.conversation.compacted",
    "gen_ai.prompt.variable",
    "gen_ai.usage.audio.cache_read.input_tokens",
    "gen_ai.usage.image.cache_read.input_tokens",
    "gen_ai.usage.text.cache_read.input_tokens",
    "jsonrpc.protocol.version",
    "network.protocol.version",
];

/// Of a span of an agent the registry does not list these: they are there if the application says so.
const SAID_OF_AGENTS: &[&str] = &[
    "gen_ai.request.stream",
    "gen_ai.request.top_k",
    "gen_ai.request.reasoning.level",
    "gen_ai.request.previous_response.id",
    "gen_ai.response.id",
    "gen_ai.response.model",
    "openai.request.service_tier",
    "openai.response.service_tier",
    "openai.response.system_fingerprint",
];

/// On MCP's spans: a tool's own span has them.
const ABSENT_FROM_MCP: &[&str] = &["gen_ai.tool.call.arguments", "gen_ai.tool.call.result"];

struct State {
    conventions: GenAiConventions,
    registry: Json,
    core: Json,
}

fn states() -> Option<[State; 2]> {
    let path = otel_testing::shared_file!("reference/semconv.json")?;
    let all: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let state =
        |conventions, registry| State { conventions, registry, core: all["core"]["attributes"].clone() };
    let mut latest = all["genai_main_approx"].clone();
    bring_up_to_date(&mut latest);
    Some([
        state(GenAiConventions::V1_41, all["genai_v1_41_1"].clone()),
        state(GenAiConventions::Latest, latest),
    ])
}

/// What the first release of the conventions, 0.1.0, has changed in the registry of October 2026.
/// <https://github.com/open-telemetry/semantic-conventions-genai/blob/main/CHANGELOG.md>
fn bring_up_to_date(registry: &mut Json) {
    let remove = |place: &mut Json, key: &str| place.as_object_mut().unwrap().remove(key).unwrap();
    let spans = &mut registry["spans"];
    remove(&mut spans["span.gen_ai.invoke_agent.internal"]["attributes"], "gen_ai.agent.id");
    let workflow = &mut spans["span.gen_ai.invoke_workflow.internal"]["attributes"];
    workflow["gen_ai.agent.name"] = remove(workflow, "gen_ai.workflow.name");
    remove(&mut registry["metrics"], "gen_ai.invoke_workflow.duration");
    registry["attributes"]["gen_ai.request.top_k"]["type"] = "int".into();
}

impl State {
    fn run(&self) -> TestTelemetry {
        let telemetry = TestTelemetry::new();
        let policy = ContentPolicy::builder().with_span_attributes().with_events().build();
        let builder = builder(&telemetry).with_conventions(self.conventions).with_content_policy(policy);
        run_everything(&builder.with_exception_events(&telemetry.logger_provider()).build());
        telemetry
    }

    /// The registry's attributes of a span of this operation and kind, with their levels.
    fn attributes_of(&self, operation: &str, is_mcp: bool, kind: &SpanKind) -> Map<String, Json> {
        let kind = format!("{kind:?}").to_lowercase();
        let inference = match self.conventions {
            GenAiConventions::V1_41 => "span.gen_ai.inference.client",
            _ => "span.gen_ai.client.inference",
        };
        let names = match operation {
            _ if is_mcp => vec![format!("span.mcp.{kind}")],
            "generate_content" => vec![inference.to_owned()],
            "chat" | "text_completion" => {
                vec![inference.to_owned(), "span.openai.inference.client".to_owned()]
            }
            memory if memory.contains("memory") => vec!["span.gen_ai.memory.client".to_owned()],
            other => vec![format!("span.gen_ai.{other}.{kind}")],
        };
        let spans = names.iter().map(|name| &self.registry["spans"][name]);
        spans
            .flat_map(|span| span["attributes"].as_object().unwrap_or_else(|| panic!("{names:?}")).clone())
            .collect()
    }

    fn type_of(&self, key: &str) -> &str {
        let kind = &self.registry["attributes"][key]["type"];
        kind.as_str().or_else(|| self.core[key]["type"].as_str()).unwrap_or("unknown")
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match value {
        Value::Bool(_) => kind == "boolean",
        Value::I64(_) => kind == "int",
        Value::F64(_) => kind == "double",
        Value::Array(Array::String(_)) => kind == "string[]",
        // "structured if the SDK supports it, otherwise one JSON string"
        Value::String(_) => matches!(kind, "string" | "enum" | "any"),
        _ => false,
    }
}

#[test]
fn every_span_has_what_its_state_lists_and_nothing_else() {
    let mut wrong = Vec::new();
    for state in states().into_iter().flatten() {
        let telemetry = state.run();
        for span in telemetry.spans() {
            let operation = span.attribute("gen_ai.operation.name").unwrap().to_string();
            let is_mcp = span.attribute("mcp.method.name").is_some();
            let listed = state.attributes_of(&operation, is_mcp, &span.span_kind);
            let place = format!("{:?} {} {:?}", state.conventions, span.name, span.span_kind);
            for (key, value) in span.attribute_map() {
                match listed.get(key) {
                    None if operation == "invoke_agent" && SAID_OF_AGENTS.contains(&key) => {}
                    None => wrong.push(format!("{place}: {key} is not listed")),
                    Some(_) if !is_of_type(value, state.type_of(key)) => {
                        wrong.push(format!("{place}: {key} is {value:?} and not {}", state.type_of(key)));
                    }
                    Some(_) => {}
                }
            }
            // Two are there for what is around them alone.
            // Of the two that have a value, none is for this.
            let has_api_type = operation != "text_completion";
            let is_full = !matches!(&*span.name, "execute_tool in_conversation" | "text_completion inside");
            for (key, level) in &listed {
                let required = level.as_str().unwrap().starts_with("required");
                // "`cache_read` and `cache_write` are not on internal spans of agents."
                let is_agent = operation == "invoke_agent" && span.span_kind == SpanKind::Internal;
                let is_latest = state.conventions == GenAiConventions::Latest;
                let absent = ABSENT.contains(&key.as_str())
                    || is_mcp && ABSENT_FROM_MCP.contains(&key.as_str())
                    || is_agent && is_latest && key.starts_with("gen_ai.usage.cache");
                let elsewhere = key == "openai.api.type" && !has_api_type
                    || operation == "execute_tool" && key == "gen_ai.conversation.id" && is_full;
                if span.attribute(key).is_none() && (required || is_full && !absent && !elsewhere) {
                    wrong.push(format!("{place}: {key} ({level}) is missing"));
                }
            }
        }
        let count = if state.conventions == GenAiConventions::V1_41 { 14 } else { 22 };
        assert_eq!(telemetry.spans().len(), count, "{}", telemetry.tree());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_metric_of_a_client_is_that_of_its_state() {
    for state in states().into_iter().flatten() {
        let telemetry = state.run();
        let metrics = telemetry.metrics();
        let listed = state.registry["metrics"].as_object().unwrap();
        for name in listed.keys().filter(|name| !name.starts_with("gen_ai.server.")) {
            assert!(metrics.iter().any(|metric| metric.name == *name), "{:?}: {name}", state.conventions);
        }
        for metric in &metrics {
            let place = format!("{:?} {}", state.conventions, metric.name);
            let Some(listed) = listed.get(&metric.name) else { panic!("{place} is not listed") };
            assert_eq!(listed["unit"].as_str(), Some(metric.unit.as_str()), "{place}");
            let instrument = match metric.kind {
                MetricKind::Histogram => "histogram",
                MetricKind::Sum { monotonic: true } => "counter",
                _ => "another",
            };
            assert_eq!(listed["instrument"], instrument, "{place}");
            for point in &metric.points {
                if let (Some(buckets), Some(histogram)) = (listed["buckets"].as_array(), point.histogram()) {
                    let buckets: Vec<_> = buckets.iter().filter_map(Json::as_f64).collect();
                    assert_eq!(histogram.bounds, buckets, "{place}");
                }
                let levels = listed["attributes"].as_object().unwrap();
                for (key, value) in point.attributes.iter() {
                    assert!(levels.contains_key(key), "{place}: {key} is not listed");
                    let is_text = matches!(value, AttributeValue::String(_));
                    assert_eq!(is_text, state.type_of(key) != "int", "{place}: {key}");
                }
                for (key, level) in levels {
                    let required = level.as_str().unwrap().starts_with("required");
                    assert!(!required || point.attribute(key).is_some(), "{place}: {key} is missing");
                }
            }
        }
    }
}

#[test]
fn every_event_is_that_of_its_state() {
    for state in states().into_iter().flatten() {
        let telemetry = state.run();
        let genai = builder(&telemetry).with_conventions(state.conventions).build();
        let result = genai.evaluation("Relevance").with_score(0.5).with_label("pass").with_explanation("e");
        result.with_response_id("r1").with_error_type("timeout").emit();
        let logs = telemetry.logs();
        for log in &logs {
            let name = log.event_name.unwrap();
            let listed = state.registry["events"][name]["attributes"].as_object();
            let place = format!("{:?} {name}", state.conventions);
            let mut listed = listed.unwrap_or_else(|| panic!("{place} is not listed")).clone();
            if name.ends_with("details") {
                // "The event attributes are those of the inference span."
                listed.extend(state.attributes_of("chat", false, &SpanKind::Client));
            }
            for (key, _) in log.attributes.iter() {
                let is_of_core = key.starts_with("exception.") && name.ends_with("exception");
                assert!(listed.contains_key(key) || is_of_core, "{place}: {key} is not listed");
            }
            for (key, level) in &listed {
                let required = level.as_str().unwrap().starts_with("required");
                assert!(!required || log.attribute(key).is_some(), "{place}: {key} is missing");
            }
        }
        for name in ["client.inference.operation.details", "client.operation.exception", "evaluation.result"]
        {
            let name = format!("gen_ai.{name}");
            assert!(logs.iter().any(|log| log.event_name == Some(&*name)), "{:?}: {name}", state.conventions);
        }
    }
}
