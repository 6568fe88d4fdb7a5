//! A message that has not been sent, or not been looked at.

use std::borrow::Cow;
use std::fmt::Display;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, TraceContextExt};
use otel_core::{UrlSecrets, current_context};
use serde_json::{Map, Value};

use super::facts::{McpFacts, McpTransport, Side};
use super::meta::MetaExtractor;
use super::operation::McpMessage;
use crate::GenAi;
use crate::operation::{Scope, Server, ToolScope};

impl GenAi {
    /// A request or a notification that a client of MCP sends, by its method: `tools/call`.
    ///
    /// When the tool is being executed by [`execute_tool`](Self::execute_tool) around it, there is one span of both: "the
    /// MCP instrumentation SHOULD add [its attributes] to the existing tool execution span". Of several calls in one
    /// execution the span tells of the last to end; the metric counts each.
    pub fn mcp_client(&self, method: impl Into<Cow<'static, str>>) -> McpMessageBuilder {
        McpMessageBuilder::new(self, Side::Client, method.into())
    }

    /// A request or a notification that a server of MCP has received, by its method: `tools/call`.
    pub fn mcp_server(&self, method: impl Into<Cow<'static, str>>) -> McpMessageBuilder {
        McpMessageBuilder::new(self, Side::Server, method.into())
    }
}

/// A message of MCP whose operation has not started. What is not set is not recorded.
#[derive(Debug)]
#[must_use = "nothing happens until it is started"]
pub struct McpMessageBuilder {
    genai: GenAi,
    facts: Box<McpFacts>,
    /// What the caller has sent.
    meta: Map<String, Value>,
}

impl McpMessageBuilder {
    fn new(genai: &GenAi, side: Side, method: Cow<'static, str>) -> Self {
        let facts = Box::new(McpFacts::new(side, method));
        Self { genai: genai.clone(), facts, meta: Map::new() }
    }

    /// `jsonrpc.request.id`; a notification has none.
    pub fn with_request_id(mut self, id: impl Display) -> Self {
        self.facts.request_id = Some(id.to_string());
        self
    }

    /// `gen_ai.tool.name`
    pub fn with_tool(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.facts.tool = Some(name.into());
        self
    }

    /// `gen_ai.prompt.name`
    pub fn with_prompt(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.facts.prompt = Some(name.into());
        self
    }

    /// `mcp.resource.uri`, as URLs are recorded: without user and password, without the values of secret keys in its query
    /// (`sig`, `X-Amz-Signature` and the others of the conventions), and without a fragment.
    pub fn with_resource_uri(mut self, uri: impl Into<String>) -> Self {
        self.facts.resource_uri = Some(UrlSecrets::default().redact_url(&uri.into()));
        self
    }

    /// `mcp.session.id`
    pub fn with_session_id(mut self, id: impl Into<String>) -> Self {
        self.facts.session_id = Some(id.into());
        self
    }

    /// `mcp.protocol.version`
    pub fn with_protocol_version(mut self, version: impl Into<Cow<'static, str>>) -> Self {
        self.facts.protocol_version = Some(version.into());
        self
    }

    /// `network.transport`
    pub fn with_transport(mut self, transport: McpTransport) -> Self {
        self.facts.transport = Some(transport);
        self
    }

    /// The other end: `server.address` and `server.port` on a client, `client.address` and `client.port` on a server.
    pub fn with_peer(mut self, address: impl Into<Cow<'static, str>>, port: u16) -> Self {
        self.facts.peer = Some(Server { address: address.into(), port: Some(port) });
        self
    }

    /// The request's `params._meta`, on a server: the caller's context in it is the parent. Whatever is no object is as
    /// good as none.
    pub fn with_meta(mut self, meta: &Value) -> Self {
        if let Value::Object(meta) = meta {
            // Of what else is in it only texts could be fields of a propagator.
            let texts = meta.iter().filter(|(_, value)| value.is_string()).take(64);
            self.meta = texts.map(|(key, value)| (key.clone(), value.clone())).collect();
        }
        self
    }

    /// Starts the operation as a child of the caller's span on a server, of what is current otherwise.
    pub fn start(self) -> McpMessage {
        self.start_in(&current_context())
    }

    /// Starts the operation; `ambient` is in the place of what is current.
    pub fn start_in(self, ambient: &Context) -> McpMessage {
        if let Some(tool) = self.same_tool(ambient) {
            return McpMessage::joined(self.genai, ambient, &self.facts, tool);
        }
        let (parent, links) = match self.facts.side {
            Side::Client => (ambient.clone(), Vec::new()),
            Side::Server => self.caller(ambient),
        };
        McpMessage::start(self.genai, &parent, &self.facts, links)
    }

    /// The execution of the tool that is called, if its span is the innermost one.
    fn same_tool(&self, ambient: &Context) -> Option<ToolScope> {
        let tool = Scope::of(ambient).tool.filter(|_| !ambient.is_telemetry_suppressed())?;
        let is_innermost = ambient.span().span_context().span_id() == tool.span_id;
        let is_call = self.facts.side == Side::Client && self.facts.method == "tools/call";
        (is_innermost && is_call && self.facts.tool.as_deref() == Some(&*tool.name)).then_some(tool)
    }

    /// "The server uses [the context in `_meta`] as parent, and links to the ambient context", such as the span of the HTTP
    /// request that has carried the message.
    fn caller(&self, ambient: &Context) -> (Context, Vec<Link>) {
        let is_public = self.genai.is_public_endpoint();
        if self.meta.is_empty() {
            let context = if is_public { ambient.with_cleared_baggage() } else { ambient.clone() };
            return (context, Vec::new());
        }
        let ambient_span = ambient.span().span_context().clone();
        // Extracted into a context without a span, or what is not there would be the ambient span.
        let bare = ambient.with_remote_span_context(opentelemetry::trace::SpanContext::NONE);
        let caller = self.genai.providers().extract(&bare, &MetaExtractor(&self.meta));
        let of_caller = caller.span().span_context().clone();
        if is_public {
            let link = of_caller.is_valid().then(|| Link::with_context(of_caller));
            return (ambient.with_cleared_baggage(), link.into_iter().collect());
        }
        if !of_caller.is_valid() {
            // What else there is, such as baggage.
            return (self.genai.providers().extract(ambient, &MetaExtractor(&self.meta)), Vec::new());
        }
        let other = ambient_span.is_valid() && ambient_span.span_id() != of_caller.span_id();
        (caller, if other { vec![Link::with_context(ambient_span)] } else { Vec::new() })
    }
}
