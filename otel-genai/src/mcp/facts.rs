//! What is known of a message of MCP.

use std::borrow::Cow;

use opentelemetry::trace::SpanKind;
use otel_core::ErrorType;

use crate::operation::Server;

/// Who looks at the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn span_kind(self) -> SpanKind {
        match self {
            Self::Client => SpanKind::Client,
            Self::Server => SpanKind::Server,
        }
    }
}

/// How messages travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum McpTransport {
    /// Standard input and output of a process: `network.transport` is `pipe`.
    Stdio,
    /// HTTP: `network.transport` is `tcp`, `network.protocol.name` is `http`.
    Http,
}

#[derive(Clone, Debug)]
pub(crate) struct McpFacts {
    pub(crate) side: Side,
    pub(crate) method: Cow<'static, str>,
    pub(crate) request_id: Option<String>,
    pub(crate) tool: Option<Cow<'static, str>>,
    pub(crate) prompt: Option<Cow<'static, str>>,
    pub(crate) resource_uri: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) protocol_version: Option<Cow<'static, str>>,
    pub(crate) transport: Option<McpTransport>,
    /// The server, for a client; the client, for a server.
    pub(crate) peer: Option<Server>,
}

/// How a message was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct McpAnswer {
    /// The code of JSON-RPC.
    pub(crate) code: Option<i64>,
    pub(crate) error_type: Option<ErrorType>,
}

impl McpFacts {
    pub(crate) fn new(side: Side, method: Cow<'static, str>) -> Self {
        Self {
            side,
            method,
            request_id: None,
            tool: None,
            prompt: None,
            resource_uri: None,
            session_id: None,
            protocol_version: None,
            transport: None,
            peer: None,
        }
    }

    /// What names the span besides the method.
    pub(crate) fn target(&self) -> Option<&str> {
        self.tool.as_deref().or(self.prompt.as_deref())
    }
}
