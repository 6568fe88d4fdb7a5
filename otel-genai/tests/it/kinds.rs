//! Every kind of operation on every way out, in both states of the conventions: one span, one duration.

use std::fmt::Error;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use opentelemetry::trace::Status;
use otel_genai::provider::Provider;
use otel_genai::{GenAi, GenAiConventions, GenAiMemoryOperation};
use otel_testing::{SpanDataExt, TestTelemetry};

use crate::support::{assert_conventions, builder};

type Way = (&'static str, Option<&'static str>, Box<dyn Fn(&GenAi)>);

/// The ways out of an operation, with its `error.type` then. The operations are types of their own.
macro_rules! ways {
    ($start:expr) => {{
        let start = $start;
        let way = |name, error_type, run: Box<dyn Fn(&GenAi)>| -> Way { (name, error_type, run) };
        vec![
            way("ended", None, Box::new(move |genai| start(genai).end())),
            way("failed", Some("timeout"), Box::new(move |genai| start(genai).fail("timeout"))),
            way("dropped", None, Box::new(move |genai| drop(start(genai)))),
            way(
                "an error",
                Some("core::fmt::Error"),
                Box::new(move |genai| {
                    let mut operation = start(genai);
                    let result = operation.call(async { Err::<(), _>(Error) }).now_or_never();
                    assert_eq!(result, Some(Err(Error)));
                }),
            ),
            way(
                "cancelled",
                None,
                Box::new(move |genai| {
                    let mut operation = start(genai);
                    let waits = async { operation.call(pending::<Result<(), Error>>()).await };
                    assert!(waits.now_or_never().is_none());
                }),
            ),
            way(
                "a panic",
                Some("panic"),
                Box::new(move |genai| {
                    let mut operation = start(genai);
                    let run =
                        catch_unwind(AssertUnwindSafe(|| operation.run(|| panic!("a test panics here"))));
                    assert!(run.is_err());
                }),
            ),
            way(
                "a panic in a future",
                Some("panic"),
                Box::new(move |genai| {
                    let mut operation = start(genai);
                    let panics = async { panic!("a test panics here") as Result<(), Error> };
                    let run = AssertUnwindSafe(operation.call(panics)).catch_unwind().now_or_never();
                    assert!(run.unwrap().is_err());
                }),
            ),
        ]
    }};
}

const OPERATION: &str = "gen_ai.client.operation.duration";
const INFERENCE: &str = "gen_ai.client.inference.duration";

struct Kind {
    span: &'static str,
    /// The duration in 1.41 and later; "-" is none.
    metrics: [&'static str; 2],
    ways: Vec<Way>,
}

fn kind(span: &'static str, metrics: [&'static str; 2], ways: Vec<Way>) -> Kind {
    Kind { span, metrics, ways }
}

fn kinds() -> Vec<Kind> {
    let inference = [OPERATION, INFERENCE];
    let client = [OPERATION, OPERATION];
    vec![
        kind("chat m", inference, ways!(|g: &GenAi| g.chat(Provider::OpenAi, "m").start())),
        kind(
            "generate_content m",
            inference,
            ways!(|g: &GenAi| g.generate_content(Provider::OpenAi, "m").start()),
        ),
        kind(
            "text_completion m",
            inference,
            ways!(|g: &GenAi| g.text_completion(Provider::OpenAi, "m").start()),
        ),
        kind("embeddings m", client, ways!(|g: &GenAi| g.embeddings(Provider::OpenAi, "m").start())),
        kind(
            "retrieval kb",
            client,
            ways!(|g: &GenAi| g.retrieval("kb").with_provider(Provider::OpenAi).start()),
        ),
        kind("create_agent a", client, ways!(|g: &GenAi| g.create_agent(Provider::OpenAi, "a").start())),
        kind(
            "invoke_agent a",
            client,
            ways!(|g: &GenAi| g.invoke_agent(Provider::OpenAi, "a").remote().start()),
        ),
        kind(
            "invoke_agent a",
            [OPERATION, "gen_ai.invoke_agent.duration"],
            ways!(|g: &GenAi| g.invoke_agent(Provider::OpenAi, "a").start()),
        ),
        kind(
            "execute_tool t",
            ["-", "gen_ai.execute_tool.duration"],
            ways!(|g: &GenAi| g.execute_tool("t").start()),
        ),
        kind(
            "invoke_workflow w",
            ["-", "gen_ai.invoke_agent.duration"],
            ways!(|g: &GenAi| g.invoke_workflow("w").start()),
        ),
        kind("plan a", ["", "-"], ways!(|g: &GenAi| g.plan("a").start())),
        kind(
            "search_memory",
            ["", OPERATION],
            ways!(|g: &GenAi| g.memory(GenAiMemoryOperation::Search).with_provider(Provider::OpenAi).start()),
        ),
        kind("ping", ["mcp.client.operation.duration"; 2], ways!(|g: &GenAi| g.mcp_client("ping").start())),
        kind("ping", ["mcp.server.operation.duration"; 2], ways!(|g: &GenAi| g.mcp_server("ping").start())),
    ]
}

#[test]
fn one_span_and_one_duration_whatever_happens() {
    for kind in kinds() {
        for (conventions, metric) in
            [GenAiConventions::V1_41, GenAiConventions::Latest].into_iter().zip(kind.metrics)
        {
            for (way, error_type, run) in &kind.ways {
                let telemetry = TestTelemetry::new();
                run(&builder(&telemetry).with_conventions(conventions).build());
                let place = format!("{} {way} {conventions:?}\n{}", kind.span, telemetry.tree());
                // Of this state there is none.
                if metric.is_empty() {
                    assert!(telemetry.spans().is_empty() && telemetry.metrics().is_empty(), "{place}");
                    continue;
                }
                assert_conventions(&telemetry);
                assert_eq!(telemetry.spans().len(), 1, "{place}");
                let span = telemetry.span(kind.span);
                let recorded = span.attribute("error.type").map(ToString::to_string);
                assert_eq!(recorded.as_deref(), *error_type, "{place}");
                assert_eq!(span.status != Status::Unset, error_type.is_some(), "{place}");
                let durations: Vec<_> = telemetry
                    .metrics()
                    .into_iter()
                    .filter(|metric| metric.name.ends_with("duration"))
                    .collect();
                if metric == "-" {
                    assert!(durations.is_empty(), "{place}");
                    continue;
                }
                assert_eq!((durations.len(), &*durations[0].name), (1, metric), "{place}");
                let points = &durations[0].points;
                assert_eq!((points.len(), points[0].histogram().unwrap().count), (1, 1), "{place}");
                let recorded = points[0].attribute("error.type").and_then(|value| value.as_str());
                assert_eq!(recorded, *error_type, "{place}");
            }
        }
    }
}

/// A call through MCP that adds to the span of the tool's execution has no span of its own, but its duration.
#[test]
fn a_joined_message_has_one_duration_whatever_happens() {
    let ways = ways!(|genai: &GenAi| {
        let tool = genai.execute_tool("t").start();
        genai.mcp_client("tools/call").with_tool("t").start_in(tool.context())
    });
    for (way, error_type, run) in ways {
        let telemetry = TestTelemetry::new();
        run(&builder(&telemetry).build());
        assert_eq!(telemetry.spans().len(), 1, "{way}");
        let points = telemetry.points("mcp.client.operation.duration");
        assert_eq!((points.len(), points[0].histogram().unwrap().count), (1, 1), "{way}");
        assert_eq!(points[0].attribute("error.type").and_then(|value| value.as_str()), error_type, "{way}");
    }
}
