//! Messages of MCP, by hand.

use std::future::pending;
use std::slice::from_ref;

use futures_util::{FutureExt, poll};
use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::{Status, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use otel_core::propagation::{BaggagePropagator, TraceContextPropagator};
use otel_genai::content::{ContentPolicy, ContentPolicyBuilder};
use otel_genai::mcp::{McpMessage, McpTransport};
use otel_genai::{GenAi, GenAiBuilder, GenAiConventions, GenAiTool};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use serde_json::{Map, Value, json};

use crate::support::{EARLY, assert_conventions, builder};

const CLIENT: &str = "mcp.client.operation.duration";
const SERVER: &str = "mcp.server.operation.duration";

pub(crate) fn mcp_builder(telemetry: &TestTelemetry) -> GenAiBuilder {
    let propagator = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]);
    builder(telemetry).with_propagator(propagator)
}

fn mcp(telemetry: &TestTelemetry) -> GenAi {
    mcp_builder(telemetry).build()
}

/// The `_meta` of a call that a client makes.
fn meta_of_a_call(genai: &GenAi, context: &Context) -> Value {
    let call = genai.mcp_client("tools/call").with_tool("lookup").start_in(context);
    let mut meta = Map::new();
    call.inject(&mut meta);
    call.end();
    Value::Object(meta)
}

#[test]
fn a_call_from_client_to_server() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let call = genai.mcp_client("tools/call").with_tool("lookup").with_request_id(7).with_session_id("s1");
    let call = call.with_transport(McpTransport::Http).with_peer("tools.test", 8080);
    let mut call = call.with_protocol_version("2025-06-18").start();
    call.set_request_id(8);
    let mut meta = Map::new();
    call.inject(&mut meta);

    let served = genai.mcp_server("tools/call").with_meta(&Value::Object(meta)).with_tool("lookup");
    let mut served = served.with_transport(McpTransport::Http).with_peer("10.0.0.1", 4711).start();
    served.respond(&json!({ "result": { "content": [], "isError": false } }));
    served.end();
    call.respond(&json!({ "result": { "content": [] } }));
    call.end();

    assert_conventions(&telemetry);
    let spans = telemetry.spans();
    let (server, client) = (&spans[0], &spans[1]);
    assert!(server.is_child_of(client), "{}", telemetry.tree());
    assert_eq!(client.attributes.len(), client.attribute_map().len(), "{}", telemetry.tree());
    let expected = span("tools/call lookup").client().has("gen_ai.operation.name", "execute_tool");
    telemetry.assert_span(
        expected
            .has("jsonrpc.request.id", "7")
            .has("mcp.session.id", "s1")
            .has("mcp.protocol.version", "2025-06-18")
            .has("network.transport", "tcp")
            .has("server.address", "tools.test")
            .has("server.port", 8080),
    );
    telemetry.assert_span(span("tools/call lookup").server().has("client.address", "10.0.0.1"));
    telemetry.assert_metric(CLIENT).is_histogram().has_unit("s").has_series(1);
    telemetry.assert_metric(SERVER).has_only_attributes([
        "mcp.method.name",
        "gen_ai.tool.name",
        "gen_ai.operation.name",
        "network.transport",
        "network.protocol.name",
    ]);
    let bounds = telemetry.points(CLIENT)[0].histogram().unwrap().bounds.clone();
    assert_eq!(bounds, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]);
}

#[test]
fn names_and_other_messages() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    genai.mcp_client("prompts/get").with_prompt("greet").with_transport(McpTransport::Stdio).start().end();
    genai.mcp_client("resources/read").with_resource_uri("file:///x").start().end();
    let uri = "pg://me:pw@db.example/a@b?v=1&sig=x&X-Amz-Security-Token=y#top";
    genai.mcp_client("resources/subscribe").with_resource_uri(uri).start().end();
    genai.mcp_server("notifications/progress").start().end();
    assert_conventions(&telemetry);
    let uri = "pg://REDACTED:REDACTED@db.example/a@b?v=1&sig=REDACTED&X-Amz-Security-Token=REDACTED";
    telemetry.assert_span(span("resources/subscribe").client().has("mcp.resource.uri", uri));
    let prompt = span("prompts/get greet").client().has("network.transport", "pipe");
    telemetry.assert_span(prompt.has_no("gen_ai.operation.name"));
    telemetry.assert_span(span("resources/read").client().has("mcp.resource.uri", "file:///x"));
    telemetry.assert_span(span("notifications/progress").server());
}

#[test]
fn outcomes() {
    for (response, error_type, code) in [
        (json!({ "error": { "code": -32602, "message": "c4n4ry" } }), "-32602", Some("-32602")),
        (json!({ "result": { "isError": true, "content": [{ "text": "c4n4ry" }] } }), "tool_error", None),
    ] {
        let telemetry = TestTelemetry::new();
        let mut call = mcp(&telemetry).mcp_client("tools/call").with_tool("lookup").start();
        call.respond(&response);
        call.end();
        assert_conventions(&telemetry);
        telemetry.assert_span(span("tools/call lookup").failed().has("error.type", error_type));
        let recorded = telemetry
            .span("tools/call lookup")
            .attribute("rpc.response.status_code")
            .map(ToString::to_string);
        assert_eq!(recorded.as_deref(), code);
        assert!(telemetry.points(CLIENT)[0].attributes.has("error.type", error_type));
        telemetry.assert_no_secrets(["c4n4ry"]);
    }
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    genai.mcp_client("ping").start().fail("timeout");
    drop(genai.mcp_client("ping").start());
    assert_eq!((telemetry.spans().len(), telemetry.histogram_count(CLIENT)), (2, 2));
}

#[tokio::test]
async fn a_message_that_nobody_waits_for_says_so() {
    let sides: [fn(&GenAi) -> McpMessage; 2] =
        [|genai| genai.mcp_client("ping").start(), |genai| genai.mcp_server("ping").start()];
    for start in sides {
        let telemetry = TestTelemetry::new();
        let mut message = start(&mcp(&telemetry));
        let mut asked = Box::pin(async move { message.call(pending::<Result<(), std::fmt::Error>>()).await });
        assert!(poll!(&mut asked).is_pending());
        drop(asked);
        telemetry.assert_span(span("ping").status(Status::Unset).has_no("error.type").has(EARLY, true));
        // Whoever has the answer may drop the message.
        telemetry.clear();
        let mut message = start(&mcp(&telemetry));
        message.call(async { Ok::<_, std::fmt::Error>(()) }).await.unwrap();
        drop(message);
        telemetry.assert_span(span("ping").status(Status::Unset).has_no(EARLY));
        assert_conventions(&telemetry);
    }
}

/// JSON-RPC wants an integer, and not all servers have read that.
#[test]
fn an_error_without_a_code_is_an_error() {
    for error in [
        json!({}),
        json!("c4n4ry"),
        json!({ "code": "c4n4ry" }),
        json!({ "code": 1.5 }),
        json!({ "code": null }),
    ] {
        let telemetry = TestTelemetry::new();
        let mut call = mcp(&telemetry).mcp_client("tools/call").with_tool("lookup").start();
        call.respond(&json!({ "error": error, "result": null }));
        call.end();
        telemetry.assert_span(span("tools/call lookup").failed().has("error.type", "_OTHER"));
        telemetry.assert_no_secrets(["c4n4ry"]);
    }
    let telemetry = TestTelemetry::new();
    let mut call = mcp(&telemetry).mcp_client("tools/call").with_tool("lookup").start();
    call.respond(&json!({ "error": null, "result": { "content": [] } }));
    call.end();
    telemetry.assert_span(span("tools/call lookup").has_no("error.type"));
}

/// The status of a span is in the span: the message of an error is content like any other.
#[test]
fn the_message_of_an_error_is_recorded_as_the_policy_says() {
    let description = |policy: ContentPolicyBuilder| {
        let telemetry = TestTelemetry::new();
        let genai = mcp_builder(&telemetry).with_content_policy(policy.build()).build();
        let mut call = genai.mcp_client("tools/call").with_tool("lookup").start();
        call.respond(&json!({ "error": { "code": -32602, "message": "no order c4n4ry" } }));
        call.end();
        assert!(telemetry.span("tools/call lookup").has("error.type", "-32602"));
        match &telemetry.span("tools/call lookup").status {
            Status::Error { description } => description.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let on = || ContentPolicy::builder().with_span_attributes();
    assert_eq!(description(on()), "no order c4n4ry");
    assert_eq!(description(on().with_mask(|text| text.replace("c4n4ry", "***"))), "no order ***");
    assert_eq!(description(on().with_mask(|_| panic!("a test panics here"))), "");
    assert_eq!(description(on().with_max_text_length(8)), "no order…[cut]");
    assert_eq!(description(on().without_tool_results()), "");
    assert_eq!(description(ContentPolicy::builder().with_events()), "");
    assert_eq!(description(ContentPolicy::builder().with_upload(|_| panic!("nothing to upload"))), "");
}

#[test]
fn a_meta_of_strangers_is_read_as_far_as_it_makes_sense() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let long = "x".repeat(1 << 20);
    let many: Map<String, Value> = (0..10_000).map(|key| (format!("k{key}"), json!("v"))).collect();
    for meta in [
        json!(null),
        json!("traceparent"),
        json!([{ "traceparent": valid }]),
        json!(7),
        json!({ "traceparent": { "traceparent": valid } }),
        json!({ "traceparent": [valid] }),
        json!({ "traceparent": "" }),
        json!({ "traceparent": long }),
        json!({ "traceparent": valid.replace("0af7", "zzzz") }),
        json!({ "traceparent": valid.replace("00-", "ff-") }),
        json!({ "traceparent": "00-00000000000000000000000000000000-b7ad6b7169203331-01" }),
        json!({ "traceparent": "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01" }),
        json!({ "traceparent": format!("{valid}-{long}") }),
        json!({ "traceparent": format!("\u{0}{valid}\r\n") }),
        json!({ "tracestate": "a=b", "baggage": "tier=gold" }),
        Value::Object(many),
    ] {
        telemetry.clear();
        genai.mcp_server("ping").with_meta(&meta).start().end();
        telemetry.assert_span(span("ping").server().root());
    }
    // What else is wrong does not take the parent away.
    for (tracestate, baggage) in
        [(json!(long), json!(long)), (json!([]), json!({})), (json!("=,;"), json!("=,;%zz"))]
    {
        telemetry.clear();
        let meta = json!({ "traceparent": valid, "tracestate": tracestate, "baggage": baggage });
        genai.mcp_server("ping").with_meta(&meta).start().end();
        assert_eq!(telemetry.span("ping").parent_span_id.to_string(), "b7ad6b7169203331");
    }
}

#[test]
fn nothing_is_recorded_while_telemetry_is_suppressed() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let mut tool = genai.execute_tool("lookup").start();
    tool.run(|| {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        genai.mcp_client("tools/call").with_tool("lookup").start().end();
        genai.mcp_client_session().fail("broken_pipe");
    });
    tool.end();
    telemetry.assert_span(span("execute_tool lookup").has_no("mcp.method.name"));
    assert!(telemetry.metrics().is_empty());
}

#[test]
fn later_conventions_do_not_blame_a_server_for_what_it_was_asked() {
    let telemetry = TestTelemetry::new();
    let policy = ContentPolicy::builder().with_span_attributes().build();
    let builder = mcp_builder(&telemetry).with_content_policy(policy);
    let genai = builder.with_conventions(GenAiConventions::Latest).build();
    for (code, failed) in [(-32602, false), (-32603, true), (-32050, true)] {
        telemetry.clear();
        let mut served = genai.mcp_server("tools/call").with_tool("lookup").start();
        served.set_error(code, "no such order");
        served.end();
        let span = telemetry.span("tools/call lookup");
        assert_eq!(span.status, if failed { Status::error("no such order") } else { Status::Unset });
        assert_eq!(span.attribute("error.type").is_some(), failed, "{code}");
        assert!(span.has("rpc.response.status_code", code.to_string()));
    }
    // Also where the server's own function has said so: the protocol's word counts.
    telemetry.clear();
    let mut served = genai.mcp_server("tools/call").with_tool("lookup").start();
    let answer = served.call(std::future::ready(Err::<(), _>(std::fmt::Error)));
    answer.now_or_never().unwrap().unwrap_err();
    served.respond(&json!({"error": {"code": -32602, "message": "no such order"}}));
    served.end();
    telemetry.assert_span(span("tools/call lookup").not_failed().has_no("error.type"));
}

#[test]
fn the_caller_is_the_parent_and_what_has_carried_the_message_is_linked() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let meta = meta_of_a_call(&genai, &Context::new());
    let tracer = telemetry.tracer_provider().tracer("http");
    tracer.in_span("POST /mcp", |_| genai.mcp_server("ping").with_meta(&meta).start().end());
    let served = telemetry.span("ping");
    assert!(served.is_child_of(&telemetry.span("tools/call lookup")), "{}", telemetry.tree());
    telemetry.assert_span(span("ping").linked_to("POST /mcp"));
    // Nothing in the message: what has carried it is the parent.
    telemetry.clear();
    tracer.in_span("POST /mcp", |_| {
        genai.mcp_server("ping").with_meta(&json!({ "traceparent": "x", "progressToken": 1 })).start().end();
    });
    assert!(telemetry.span("ping").is_child_of(&telemetry.span("POST /mcp")));
}

#[test]
fn baggage_travels_too_but_strangers_are_not_believed() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let context = Context::new().with_baggage([KeyValue::new("tier", "gold")]);
    let meta = meta_of_a_call(&genai, &context);
    let served = genai.mcp_server("ping").with_meta(&meta).start();
    assert_eq!(served.context().baggage().get("tier").map(|value| value.as_str()), Some("gold"));
    drop(served);
    // As in the headers of HTTP, baggage needs no trace.
    let alone = json!({ "baggage": "tier=gold" });
    let served = genai.mcp_server("ping").with_meta(&alone).start();
    assert_eq!(served.context().baggage().get("tier").map(|value| value.as_str()), Some("gold"));
    drop(served);

    let public = mcp_builder(&telemetry).with_public_endpoint(true).build();
    telemetry.clear();
    let meta = meta_of_a_call(&public, &context);
    let served = public.mcp_server("ping").with_meta(&meta).start();
    assert!(served.context().baggage().is_empty());
    served.end();
    telemetry.assert_span(span("ping").root().linked_to("tools/call lookup"));
    for meta in [meta, alone, Value::Null] {
        let served = public.mcp_server("ping").with_meta(&meta).start_in(&context);
        assert!(served.context().baggage().is_empty(), "{meta}");
    }
}

#[test]
fn a_tool_that_is_executed_through_mcp_has_one_span() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let mut tool = genai.execute_tool("lookup").start();
    let mut meta = Map::new();
    tool.run(|| {
        let mut call = genai.mcp_client("tools/call").with_tool("lookup").start();
        call.set_request_id(3);
        call.inject(&mut meta);
        call.set_tool_error();
        call.end();
    });
    tool.fail("tool_error");
    assert_conventions_of_joined(&telemetry);
    let span_id = telemetry.span("execute_tool lookup").span_context.span_id().to_string();
    assert!(meta["traceparent"].as_str().unwrap().contains(&span_id));
    assert!(telemetry.points(CLIENT)[0].attributes.has("error.type", "tool_error"));
    // Another tool is another matter.
    telemetry.clear();
    let mut tool = genai.execute_tool("lookup").start();
    tool.run(|| genai.mcp_client("tools/call").with_tool("other").start().end());
    tool.end();
    otel_testing::assert_trace!(telemetry, "execute_tool lookup" => { "tools/call other" });
}

/// "[`error.type`] If and only if the operation fails" holds for the message as for the tool, and the span is that of both.
#[test]
fn the_span_of_a_tool_has_the_error_of_its_message() {
    let joined = |answers: &[Value], end: fn(GenAiTool)| {
        let telemetry = TestTelemetry::new();
        let genai = mcp(&telemetry);
        let mut tool = genai.execute_tool("lookup").start();
        for answer in answers {
            tool.run(|| {
                let mut call = genai.mcp_client("tools/call").with_tool("lookup").start();
                call.respond(answer);
                call.end();
            });
        }
        end(tool);
        let recorded = telemetry.span("execute_tool lookup");
        let is_error = |pair: &&KeyValue| pair.key.as_str() == "error.type";
        let said = recorded.attributes.iter().filter(is_error).count();
        let error_type = recorded.attribute("error.type").map(ToString::to_string);
        assert_eq!(said, usize::from(error_type.is_some()), "twice");
        assert_eq!(matches!(recorded.status, Status::Error { .. }), error_type.is_some());
        error_type
    };
    let (refused, fine) = (json!({ "error": { "code": -32602 } }), json!({ "result": {} }));
    let failed = json!({ "result": { "isError": true } });
    assert_eq!(joined(from_ref(&refused), GenAiTool::end).as_deref(), Some("-32602"));
    assert_eq!(joined(from_ref(&refused), drop).as_deref(), Some("-32602"));
    assert_eq!(joined(&[refused.clone(), failed], GenAiTool::end).as_deref(), Some("tool_error"));
    // What is said of the tool itself counts more, and so does a message that was sent again.
    assert_eq!(joined(from_ref(&refused), |tool| tool.fail("no_order")).as_deref(), Some("no_order"));
    assert_eq!(joined(&[refused, fine], GenAiTool::end), None);
}

/// A call that is tried again, or two at the same time: a span must not say a thing twice, and it is the last to end that it
/// tells of.
#[test]
fn of_two_messages_that_share_the_span_of_a_tool_it_has_the_last() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let mut tool = genai.execute_tool("lookup").start();
    tool.run(|| {
        let call = || genai.mcp_client("tools/call").with_tool("lookup");
        let mut slow = call().start();
        let mut quick = call().with_request_id(2).start();
        slow.set_request_id(3);
        slow.set_request_id(4);
        quick.respond(&json!({ "error": { "code": -32602 } }));
        quick.end();
        slow.end();
    });
    tool.end();
    let recorded = telemetry.span("execute_tool lookup");
    assert_eq!(recorded.attributes.len(), recorded.attribute_map().len(), "{}", telemetry.tree());
    assert!(recorded.has("jsonrpc.request.id", "3") && recorded.has("mcp.method.name", "tools/call"));
    assert!(
        recorded.attribute("rpc.response.status_code").is_none()
            && recorded.attribute("error.type").is_none()
    );
    assert_eq!(telemetry.histogram_count(CLIENT), 2);

    // One that has not ended when the tool does is told of as far as it is known.
    telemetry.clear();
    let mut tool = genai.execute_tool("lookup").start();
    let late = tool.run(|| genai.mcp_client("tools/call").with_tool("lookup").with_request_id(4).start());
    tool.end();
    drop(late);
    telemetry.assert_span(span("execute_tool lookup").has("jsonrpc.request.id", "4"));
}

/// The joined span is of the kind of the outer one, which the checker takes for an MCP span.
#[track_caller]
fn assert_conventions_of_joined(telemetry: &TestTelemetry) {
    assert_eq!(telemetry.spans().len(), 1, "{}", telemetry.tree());
    let joined = span("execute_tool lookup").internal().has("mcp.method.name", "tools/call");
    telemetry.assert_span(joined.has("jsonrpc.request.id", "3").has("gen_ai.tool.name", "lookup"));
    assert_eq!(telemetry.histogram_count(CLIENT), 1);
    let recorded = telemetry.span("execute_tool lookup");
    assert_eq!(
        recorded.attributes.len(),
        recorded.attribute_map().len(),
        "no key twice: {}",
        telemetry.tree()
    );
}

#[test]
fn methods_and_tools_that_strangers_make_up_do_not_flood_the_metrics() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    for number in 0..500 {
        genai.mcp_server("tools/call").with_tool(format!("tool-{number}")).start().end();
        genai.mcp_server(format!("method/{number}")).start().end();
    }
    telemetry.assert_metric(SERVER).has_at_most_series(202);
}

#[test]
fn sessions() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let session = genai.mcp_server_session().with_transport(McpTransport::Stdio);
    genai.mcp_server("initialize").start().end();
    drop(session.with_protocol_version("2025-06-18"));
    genai.mcp_server_session().fail("broken_pipe");
    assert_conventions(&telemetry);
    telemetry.assert_metric("mcp.server.session.duration").has_unit("s").has_series(2);
    // One that broke off before the first message is one.
    genai.mcp_client_session().with_peer("mcp.test", 443).fail("connect");
    let metric = telemetry.assert_metric("mcp.client.session.duration");
    metric.has_series(1).has_only_attributes(["error.type", "server.address", "server.port"]);
}

/// Whoever answers chooses the code.
#[test]
fn codes_and_versions_of_strangers_are_bounded() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    for code in 0..1_000 {
        let mut call = genai.mcp_client("tools/call").with_tool("lookup").start();
        call.respond(&json!({ "error": { "code": code, "message": "" } }));
        call.end();
    }
    assert!(telemetry.points(CLIENT).len() <= 201, "{}", telemetry.points(CLIENT).len());
    for version in 0..1_000 {
        drop(genai.mcp_server_session().with_protocol_version(format!("v{version}")));
    }
    let sessions = telemetry.points("mcp.server.session.duration").len();
    assert!(sessions <= 201, "{sessions}");
}

/// Tools that nobody has do not take the names of the protocol's own methods.
#[test]
fn made_up_tools_leave_methods_their_names() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    for tool in 0..300 {
        genai.mcp_server("tools/call").with_tool(format!("tool-{tool}")).start().end();
    }
    genai.mcp_server("prompts/get").with_prompt("greet").start().end();
    assert!(telemetry.spans().last().unwrap().name.starts_with("prompts/get"), "{}", telemetry.tree());
    assert!(telemetry.points(SERVER).iter().any(|point| point.has("mcp.method.name", "prompts/get")));
}

#[test]
fn what_strangers_say_at_length_is_cut() {
    let telemetry = TestTelemetry::new();
    let genai = mcp(&telemetry);
    let long = "x".repeat(1 << 20);
    let call = genai.mcp_server(long.clone()).with_tool(long.clone()).with_prompt(long.clone());
    let call = call.with_resource_uri(long.clone()).with_session_id(long.clone()).with_request_id(&long);
    call.with_protocol_version(long.clone()).start().end();
    let mut client = genai.mcp_client("tools/call").start();
    client.set_request_id(&long);
    client.end();
    for span in telemetry.spans() {
        for pair in &span.attributes {
            assert!(pair.value.to_string().len() <= 8 * 1024, "{}", pair.key);
        }
    }
}
