//! Clients and servers of the crate `rmcp`, over a pipe.

use opentelemetry::trace::SpanKind;
use otel_genai::GenAi;
use otel_genai::mcp::McpTransport;
use otel_genai::rmcp::{McpClient, McpClientHandler, McpServer, McpServerPeer};
use otel_testing::{AssertTelemetry, SpanDataExt, TestTelemetry, span};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsRequest,
    ResourceUpdatedNotificationParam, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler, ServiceError, ServiceExt};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::mcp::mcp_builder;
use crate::support::assert_conventions;

struct Shop;

impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = vec![ContentBlock::text("c4n4ry-result")];
        match &*request.name {
            "lookup" => Ok(CallToolResult::success(text).into()),
            "broken" => Ok(CallToolResult::error(text).into()),
            _ => Err(ErrorData::invalid_params("c4n4ry-message", None)),
        }
    }
}

#[tokio::test]
async fn calls_over_a_pipe() {
    let telemetry = TestTelemetry::new();
    let genai = mcp_builder(&telemetry).build();
    let (client_end, server_end) = tokio::io::duplex(4096);
    let server = McpServer::new(genai.clone(), Shop).with_transport(McpTransport::Stdio);
    let served = tokio::spawn(async move { server.serve(server_end).await.unwrap().waiting().await });
    let running = ().serve(client_end).await.unwrap();
    let client = McpClient::new(genai, running.peer().clone()).with_transport(McpTransport::Stdio);

    let call = |name: &'static str| {
        let arguments = json!({ "q": "c4n4ry-argument" }).as_object().unwrap().clone();
        client.call_tool(CallToolRequestParams::new(name).with_arguments(arguments))
    };
    assert_eq!(call("lookup").await.unwrap().is_error, Some(false));
    assert_eq!(call("broken").await.unwrap().is_error, Some(true));
    assert!(matches!(call("unknown").await, Err(ServiceError::McpError(_))));
    client.request(ListToolsRequest::default().into()).await.unwrap();
    running.cancel().await.unwrap();
    served.await.unwrap().unwrap();

    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    for (name, error_type) in [("lookup", None), ("broken", Some("tool_error")), ("unknown", Some("-32602"))]
    {
        let spans = telemetry.spans_named(&format!("tools/call {name}"));
        assert_eq!(spans.len(), 2, "{}", telemetry.tree());
        assert!(spans[0].is_child_of(&spans[1]), "{}", telemetry.tree());
        for span in spans {
            let recorded = span.attribute("error.type").map(ToString::to_string);
            assert_eq!(recorded.as_deref(), error_type, "{}", telemetry.tree());
        }
    }
    let expected = span("tools/call lookup").client().has("network.transport", "pipe");
    let expected = expected.has("mcp.protocol.version", otel_testing::any_value());
    telemetry.assert_span(expected.has("jsonrpc.request.id", "1"));
    telemetry.assert_span(span("tools/list").server().child_of("tools/list"));
    telemetry.assert_span(span("notifications/initialized").server());
}

#[tokio::test]
async fn a_notification_is_a_child_of_the_span_in_its_meta() {
    let telemetry = TestTelemetry::new();
    let (client, server_end) = tokio::io::duplex(4096);
    let server = McpServer::new(mcp_builder(&telemetry).build(), Shop);
    let served = tokio::spawn(async move { server.serve(server_end).await.unwrap().waiting().await });
    let (read, mut write) = tokio::io::split(client);
    let mut answers = BufReader::new(read).lines();
    let client_info = json!({ "name": "c", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client_info });
    let meta = json!({ "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" });
    let progress = json!({ "progressToken": 1, "progress": 1, "_meta": meta });
    for (id, method, params) in [
        (Some(1), "initialize", params),
        (None, "notifications/initialized", json!({})),
        (None, "notifications/progress", progress),
        (None, "notifications/roots/list_changed", json!({ "_meta": meta })),
        (Some(2), "resources/subscribe", json!({ "uri": "shop://songs?sig=c4n4ry" })),
        (Some(3), "resources/unsubscribe", json!({ "uri": "shop://songs?sig=c4n4ry" })),
        (Some(4), "ping", json!({})),
    ] {
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if let Some(id) = id {
            message["id"] = json!(id);
        }
        write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        if id.is_some() {
            answers.next_line().await.unwrap().unwrap();
        }
    }
    drop((write, answers));
    served.await.unwrap().unwrap();
    for name in ["notifications/progress", "notifications/roots/list_changed"] {
        let span = telemetry.span(name);
        assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331", "{}", telemetry.tree());
    }
    for name in ["resources/subscribe", "resources/unsubscribe"] {
        telemetry.assert_span(span(name).server().has("mcp.resource.uri", "shop://songs?sig=REDACTED"));
    }
}

/// Asks whoever calls its tool.
struct Curious(GenAi);

impl ServerHandler for Curious {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let peer =
            McpServerPeer::new(self.0.clone(), context.peer.clone()).with_transport(McpTransport::Stdio);
        let url =
            json!({ "mode": "url", "message": "c4n4ry", "url": "https://shop.test", "elicitationId": "1" });
        for (method, params) in [
            ("elicitation/create", url),
            ("sampling/createMessage", json!({ "messages": [], "systemPrompt": "c4n4ry", "maxTokens": 1 })),
        ] {
            let request = serde_json::from_value(json!({ "method": method, "params": params })).unwrap();
            assert_eq!(peer.request(request).await.is_ok(), method == "elicitation/create");
        }
        let updated = ResourceUpdatedNotificationParam::new("shop://songs");
        context.peer.notify_resource_updated(updated).await.unwrap();
        context.peer.notify_tool_list_changed().await.unwrap();
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

/// "As observed on the sender" and "on the receiver": which of them is the server does not matter.
#[tokio::test]
async fn what_a_server_asks_of_its_client() {
    let telemetry = TestTelemetry::new();
    let genai = mcp_builder(&telemetry).build();
    let (client_end, server_end) = tokio::io::duplex(4096);
    let server = McpServer::new(genai.clone(), Curious(genai.clone()));
    let served = tokio::spawn(async move { server.serve(server_end).await.unwrap().waiting().await });
    let handler = McpClientHandler::new(genai.clone(), ()).with_transport(McpTransport::Stdio);
    let running = handler.serve(client_end).await.unwrap();
    let client = McpClient::new(genai, running.peer().clone());
    client.call_tool(CallToolRequestParams::new("ask")).await.unwrap();
    otel_testing::eventually(std::time::Duration::from_secs(60), || {
        let told = ["notifications/tools/list_changed", "notifications/resources/updated"];
        told.iter().all(|name| !telemetry.spans_named(name).is_empty())
    })
    .await;
    running.cancel().await.unwrap();
    served.await.unwrap().unwrap();

    assert_conventions(&telemetry);
    telemetry.assert_no_secrets(["c4n4ry"]);
    let updated = span("notifications/resources/updated").server();
    telemetry.assert_span(updated.has("mcp.resource.uri", "shop://songs"));
    for (name, error_type) in [("elicitation/create", None), ("sampling/createMessage", Some("-32601"))] {
        let spans = telemetry.spans_named(name);
        let [received, sent] = &spans[..] else { panic!("{}", telemetry.tree()) };
        assert_eq!((&sent.span_kind, &received.span_kind), (&SpanKind::Client, &SpanKind::Server));
        assert!(received.is_child_of(sent), "{}", telemetry.tree());
        assert!(telemetry.spans_named("tools/call ask").iter().any(|call| sent.is_child_of(call)));
        for span in [sent, received] {
            assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), error_type);
            assert!(
                span.has("network.transport", "pipe") && span.attribute("mcp.protocol.version").is_some()
            );
            assert!(span.attribute("jsonrpc.request.id").is_some());
        }
    }
}

/// Works until its caller has lost interest.
struct Patient(tokio::sync::watch::Sender<u32>);

impl ServerHandler for Patient {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.send_modify(|state| *state += 1);
        context.ct.cancelled().await;
        self.0.send_modify(|state| *state += 1);
        Err(ErrorData::internal_error("cancelled", None))
    }
}

/// As with rmcp's own client: a server is told that nobody waits any more.
#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_on_the_server() {
    let telemetry = TestTelemetry::new();
    let genai = mcp_builder(&telemetry).build();
    let (client_end, server_end) = tokio::io::duplex(4096);
    let (state, mut seen) = tokio::sync::watch::channel(0);
    let server = McpServer::new(genai.clone(), Patient(state));
    let served = tokio::spawn(async move { server.serve(server_end).await.unwrap().waiting().await });
    let running = ().serve(client_end).await.unwrap();
    let client = McpClient::new(genai, running.peer().clone());
    {
        let mut call = std::pin::pin!(client.call_tool(CallToolRequestParams::new("wait")));
        tokio::select! {
            result = &mut call => panic!("{result:?}"),
            begun = seen.wait_for(|state| *state == 1) => drop(begun.unwrap()),
        }
    }
    let told = tokio::time::timeout(std::time::Duration::from_secs(30), seen.wait_for(|state| *state == 2));
    drop(told.await.unwrap().unwrap());
    running.cancel().await.unwrap();
    served.await.unwrap().unwrap();
    telemetry.assert_span(span("tools/call wait").client().has("otel_genai.ended_early", true));
    telemetry.assert_span(span("tools/call wait").server().failed().has("error.type", "-32603"));
    assert_conventions(&telemetry);
}

/// The process of a server has ended, say.
#[tokio::test]
async fn a_server_that_is_gone() {
    let telemetry = TestTelemetry::new();
    let (client_end, server_end) = tokio::io::duplex(4096);
    let server = async {
        let (read, mut write) = tokio::io::split(server_end);
        let mut requests = BufReader::new(read).lines();
        requests.next_line().await.unwrap().unwrap();
        let info = json!({ "name": "s", "version": "1" });
        let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info });
        let answer = json!({ "jsonrpc": "2.0", "id": 0, "result": result });
        write.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        // That the client is initialized, and the call.
        requests.next_line().await.unwrap().unwrap();
        requests.next_line().await.unwrap().unwrap();
    };
    let call = async {
        let running = ().serve(client_end).await.unwrap();
        let client = McpClient::new(mcp_builder(&telemetry).build(), running.peer().clone());
        client.call_tool(CallToolRequestParams::new("wait")).await
    };
    let (result, ()) = tokio::join!(call, server);
    assert!(matches!(result, Err(ServiceError::TransportClosed)), "{result:?}");
    telemetry.assert_span(span("tools/call wait").client().failed().has("error.type", "connection_lost"));
    assert_conventions(&telemetry);
}
