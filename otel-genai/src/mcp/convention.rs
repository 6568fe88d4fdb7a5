//! The convention of MCP: <https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/>

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue, Value};
use otel_core::{Attributes, Convention, ErrorType};

use super::facts::{McpAnswer, McpFacts, McpTransport, Side};
use super::metrics::McpMetrics;
use crate::bounded::BoundedNames;
use crate::names::attribute;
use crate::operation::bounded;

/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/mcp/>
const METHODS: &[&str] = &[
    "completion/complete",
    "elicitation/create",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/message",
    "notifications/progress",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/roots/list_changed",
    "notifications/tools/list_changed",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "roots/list",
    "sampling/createMessage",
    "tools/call",
    "tools/list",
];

#[derive(Debug)]
pub(crate) struct McpConvention {
    pub(crate) side: Side,
    /// Servers must not be flooded by what clients ask for: methods, tools and prompts that do not exist.
    names: BoundedNames,
    codes: BoundedNames,
    pub(super) versions: BoundedNames,
}

impl McpConvention {
    pub(crate) fn new(side: Side) -> Self {
        let names = BoundedNames::default;
        Self { side, names: names(), codes: names(), versions: names() }
    }

    /// The protocol's own methods are known, whatever else has come.
    fn method(&self, method: &str) -> Value {
        METHODS
            .iter()
            .find(|known| **known == method)
            .map_or_else(|| self.names.value(method), |known| Value::from(*known))
    }

    /// Whoever answers chooses the code.
    pub(super) fn error_type(&self, code: i64) -> ErrorType {
        let known = self.codes.known(&code.to_string());
        known.map_or(ErrorType::OTHER, |code| ErrorType::from_code(&*code))
    }
}

impl Convention for McpConvention {
    const SPAN_KIND: SpanKind = SpanKind::Client;
    type Request<'a> = &'a McpFacts;
    type Response<'a> = &'a McpAnswer;
    type Metrics = McpMetrics;
    type Tally = ();

    fn metrics(&self, meter: &Meter) -> McpMetrics {
        McpMetrics::new(meter, self.side)
    }

    fn span_kind(&self, facts: &&McpFacts) -> SpanKind {
        facts.side.span_kind()
    }

    fn span_name(&self, facts: &&McpFacts) -> Cow<'static, str> {
        let method = self.method(&facts.method);
        let method = method.as_str();
        Cow::Owned(match facts.target().and_then(|target| self.names.known(target)) {
            Some(target) => format!("{method} {target}"),
            None => method.into_owned(),
        })
    }

    fn on_start(&self, facts: &&McpFacts, attributes: &mut Attributes<'_>) {
        attributes.span(attribute::MCP_METHOD_NAME, otel_core::bounded(&facts.method).to_owned());
        attributes.metric(attribute::MCP_METHOD_NAME, self.method(&facts.method));
        if facts.method == "tools/call" {
            attributes.both(attribute::OPERATION_NAME, "execute_tool");
        }
        if let Some(tool) = &facts.tool {
            bounded(attributes, attribute::TOOL_NAME, tool, &self.names);
        }
        if let Some(prompt) = &facts.prompt {
            bounded(attributes, attribute::PROMPT_NAME, prompt, &self.names);
        }
        if let Some(version) = &facts.protocol_version {
            bounded(attributes, attribute::MCP_PROTOCOL_VERSION, version, &self.versions);
        }
        on_network(facts, attributes);
        for (key, value) in [
            (attribute::JSONRPC_REQUEST_ID, &facts.request_id),
            (attribute::MCP_RESOURCE_URI, &facts.resource_uri),
            (attribute::MCP_SESSION_ID, &facts.session_id),
        ] {
            if let Some(value) = value {
                attributes.span(key, otel_core::bounded(value).to_owned());
            }
        }
    }

    fn on_response(&self, answer: &&McpAnswer, attributes: &mut Attributes<'_>) -> Result<(), ErrorType> {
        if let Some(code) = answer.code {
            bounded(attributes, attribute::RPC_RESPONSE_STATUS_CODE, &code.to_string(), &self.codes);
        }
        answer.error_type.clone().map_or(Ok(()), Err)
    }

    fn record(&self, metrics: &McpMetrics, elapsed: Duration, (): &(), attributes: &[KeyValue], _: &Context) {
        metrics.operation.record(elapsed.as_secs_f64(), attributes);
    }
}

pub(super) fn on_network(facts: &McpFacts, attributes: &mut Attributes<'_>) {
    match facts.transport {
        Some(McpTransport::Stdio) => attributes.both(attribute::NETWORK_TRANSPORT, "pipe"),
        Some(McpTransport::Http) => {
            attributes.both(attribute::NETWORK_TRANSPORT, "tcp");
            attributes.both(attribute::NETWORK_PROTOCOL_NAME, "http");
        }
        None => {}
    }
    let Some(peer) = &facts.peer else { return };
    let port = peer.port.map(i64::from);
    match facts.side {
        Side::Client => {
            attributes.both(attribute::SERVER_ADDRESS, peer.address.clone());
            port.into_iter().for_each(|port| attributes.both(attribute::SERVER_PORT, port));
        }
        // Clients are too many for a metric.
        Side::Server => {
            attributes.span(attribute::CLIENT_ADDRESS, peer.address.clone());
            port.into_iter().for_each(|port| attributes.span(attribute::CLIENT_PORT, port));
        }
    }
}
