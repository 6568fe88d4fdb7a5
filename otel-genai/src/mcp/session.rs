//! Sessions.

use std::time::Instant;

use opentelemetry::KeyValue;
use otel_core::{Attributes, current_context};

use super::convention::on_network;
use super::facts::{McpFacts, McpTransport, Side};
use crate::GenAi;
use crate::names::attribute;
use crate::operation::{Server, bounded};

/// A session of MCP, from its start until this is dropped: `mcp.client.session.duration` or `mcp.server.session.duration`.
#[derive(Debug)]
#[must_use = "the session ends when this is dropped"]
pub struct McpSession {
    genai: GenAi,
    facts: Box<McpFacts>,
    started: Instant,
    is_suppressed: bool,
    error_type: Option<String>,
}

impl GenAi {
    /// A client's session begins.
    pub fn mcp_client_session(&self) -> McpSession {
        self.session(Side::Client)
    }

    /// A server's session begins.
    pub fn mcp_server_session(&self) -> McpSession {
        self.session(Side::Server)
    }

    fn session(&self, side: Side) -> McpSession {
        let facts = Box::new(McpFacts::new(side, "".into()));
        let is_suppressed = current_context().is_telemetry_suppressed();
        McpSession { genai: self.clone(), facts, started: Instant::now(), is_suppressed, error_type: None }
    }
}

impl McpSession {
    /// `network.transport`
    pub fn with_transport(mut self, transport: McpTransport) -> Self {
        self.facts.transport = Some(transport);
        self
    }

    /// `mcp.protocol.version`
    pub fn with_protocol_version(mut self, version: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        self.facts.protocol_version = Some(version.into());
        self
    }

    /// The server, of a client: `server.address` and `server.port`. Of clients a metric would have too many.
    pub fn with_peer(mut self, address: impl Into<std::borrow::Cow<'static, str>>, port: u16) -> Self {
        self.facts.peer = Some(Server { address: address.into(), port: Some(port) });
        self
    }

    /// The session was broken off: `error.type`, one of few values.
    pub fn fail(mut self, error_type: impl Into<String>) {
        self.error_type = Some(error_type.into());
    }
}

impl Drop for McpSession {
    fn drop(&mut self) {
        if self.is_suppressed {
            return;
        }
        let (mut span, mut metric) = (Vec::new(), Vec::new());
        let mut attributes = Attributes::to_lists(&mut span, &mut metric);
        on_network(&self.facts, &mut attributes);
        let instrumenter = self.genai.mcp(self.facts.side);
        if let Some(version) = &self.facts.protocol_version {
            let versions = &instrumenter.convention().versions;
            bounded(&mut attributes, attribute::MCP_PROTOCOL_VERSION, version, versions);
        }
        if let Some(error_type) = self.error_type.take() {
            metric.push(KeyValue::new(attribute::ERROR_TYPE, error_type));
        }
        instrumenter.with_metrics(|metrics| {
            metrics.session.record(self.started.elapsed().as_secs_f64(), &metric);
        });
    }
}
