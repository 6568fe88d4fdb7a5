//! Clients and servers of the crate `rmcp`.
//!
//! A server is wrapped, and everything that it is asked has a span, as a child of the caller's:
//!
//! ```no_run
//! # use rmcp::{ServerHandler, ServiceExt};
//! # #[derive(Clone)] struct Shop;
//! # impl ServerHandler for Shop {}
//! # async fn example(transport: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
//! use otel_genai::{GenAi, mcp::McpTransport, rmcp::McpServer};
//!
//! let server = McpServer::new(GenAi::new(), Shop).with_transport(McpTransport::Stdio);
//! server.serve(transport).await?.waiting().await?;
//! # Ok(()) }
//! ```
//!
//! A client sends its requests through [`McpClient`]:
//!
//! ```no_run
//! # use rmcp::service::{Peer, RoleClient};
//! # async fn example(peer: Peer<RoleClient>) -> Result<(), rmcp::ServiceError> {
//! use otel_genai::{GenAi, rmcp::McpClient};
//! use rmcp::model::CallToolRequestParams;
//!
//! let client = McpClient::new(GenAi::new(), peer);
//! let result = client.call_tool(CallToolRequestParams::new("lookup_order")).await?;
//! # Ok(()) }
//! ```
//!
//! What a server asks of its client has spans too: [`McpServerPeer`] sends it, [`McpClientHandler`] observes what arrives.

mod cancel;
mod to_client;

use std::borrow::Cow;

use ::rmcp::ErrorData;
use ::rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientNotification, ClientRequest, GetMeta,
    NotificationMetaObject, ProtocolVersion, ServerConfig, ServerResult,
};
use ::rmcp::service::{
    NotificationContext, Peer, PeerRequestOptions, RequestContext, RoleClient, RoleServer, Service,
    ServiceError, ServiceRole,
};

use self::cancel::CancelOnDrop;
pub use self::to_client::{McpClientHandler, McpServerPeer};
use crate::GenAi;
use crate::mcp::{McpMessage, McpMessageBuilder, McpTransport};

/// A server whose requests and notifications are observed.
#[derive(Clone, Debug)]
pub struct McpServer<S> {
    genai: GenAi,
    inner: S,
    transport: Option<McpTransport>,
}

impl<S> McpServer<S> {
    /// Observes what `inner` is asked.
    #[must_use]
    pub fn new(genai: GenAi, inner: S) -> Self {
        Self { genai, inner, transport: None }
    }

    /// `network.transport`. Default: not recorded.
    #[must_use]
    pub fn with_transport(mut self, transport: McpTransport) -> Self {
        self.transport = Some(transport);
        self
    }
}

impl<S: Service<RoleServer>> Service<RoleServer> for McpServer<S> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let message = self.genai.mcp_server(request.method().to_owned()).with_request_id(&context.id);
        let message = message.with_meta(&serde_json::Value::Object(context.meta.0.0.clone()));
        let message = described(about(message, &request), self.transport, context.protocol_version());
        let mut message = message.start();
        let result = message.call(self.inner.handle_request(request, context)).await;
        note_tool_error(&mut message, &result);
        finish(message, result.as_ref().err());
        result
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let message = notified(&self.genai, &notification, &context);
        let mut message = described(message, self.transport, None).start();
        let result = message.call(self.inner.handle_notification(notification, context)).await;
        finish(message, result.as_ref().err());
        result
    }

    fn get_info(&self) -> ServerConfig {
        self.inner.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }
}

/// Sends the requests of a client, each with a span, and hands the context on in `params._meta`.
#[derive(Clone, Debug)]
pub struct McpClient {
    genai: GenAi,
    peer: Peer<RoleClient>,
    transport: Option<McpTransport>,
}

impl McpClient {
    /// Sends through `peer`; a running service of rmcp has it as `peer()`.
    #[must_use]
    pub fn new(genai: GenAi, peer: Peer<RoleClient>) -> Self {
        Self { genai, peer, transport: None }
    }

    /// `network.transport`. Default: not recorded.
    #[must_use]
    pub fn with_transport(mut self, transport: McpTransport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What sends: its requests are not observed.
    #[must_use]
    pub fn peer(&self) -> &Peer<RoleClient> {
        &self.peer
    }

    /// Calls a tool. Dropped before the answer is there, it cancels the call, as rmcp's own method does.
    ///
    /// # Errors
    ///
    /// What rmcp returns, unchanged; [`ServiceError::UnexpectedResponse`] when the server asks for more input, which
    /// [`request`](Self::request) hands out.
    pub async fn call_tool(&self, params: CallToolRequestParams) -> Result<CallToolResult, ServiceError> {
        match self.request(CallToolRequest::new(params).into()).await? {
            ServerResult::CallToolResult(result) => Ok(result),
            _ => Err(ServiceError::UnexpectedResponse),
        }
    }

    /// Sends any request. Dropped before the answer is there, it cancels the request.
    ///
    /// # Errors
    ///
    /// What rmcp returns, unchanged.
    pub async fn request(&self, request: ClientRequest) -> Result<ServerResult, ServiceError> {
        let message = about(self.genai.mcp_client(request.method().to_owned()), &request);
        let version = self.peer.peer_info().map(|server| server.protocol_version.clone());
        let mut message = described(message, self.transport, version).start();
        // "A client MUST NOT attempt to cancel its `initialize` request."
        let cancels = !matches!(request.method(), "initialize" | "server/discover");
        let result = answered(&mut message, &self.peer, request, cancels).await;
        note_tool_error(&mut message, &result);
        finish_sent(message, &result);
        result
    }
}

/// The tool, prompt or resource that a request is about.
fn about(message: McpMessageBuilder, request: &ClientRequest) -> McpMessageBuilder {
    match request {
        ClientRequest::CallToolRequest(request) => message.with_tool(request.params.name.clone()),
        ClientRequest::GetPromptRequest(request) => message.with_prompt(request.params.name.clone()),
        ClientRequest::ReadResourceRequest(request) => message.with_resource_uri(request.params.uri.clone()),
        ClientRequest::SubscribeRequest(request) => message.with_resource_uri(request.params.uri.clone()),
        ClientRequest::UnsubscribeRequest(request) => message.with_resource_uri(request.params.uri.clone()),
        _ => message,
    }
}

fn described(
    message: McpMessageBuilder,
    transport: Option<McpTransport>,
    version: Option<ProtocolVersion>,
) -> McpMessageBuilder {
    let message = match version {
        Some(version) => message.with_protocol_version(version.to_string()),
        None => message,
    };
    match transport {
        Some(transport) => message.with_transport(transport),
        None => message,
    }
}

/// A notification that has arrived.
fn notified<R: ServiceRole>(
    genai: &GenAi,
    notification: &R::PeerNot,
    context: &NotificationContext<R>,
) -> McpMessageBuilder {
    let value = serde_json::to_value(notification).unwrap_or_default();
    let method = value["method"].as_str().unwrap_or("_OTHER");
    let mut message = genai.mcp_server(method.to_owned());
    if let ("notifications/resources/updated", Some(uri)) = (method, value["params"]["uri"].as_str()) {
        message = message.with_resource_uri(uri);
    }
    // rmcp reads it into the extensions, and looks for it in the notification when they are gone from there.
    let meta = context.extensions.get::<NotificationMetaObject>().unwrap_or(&context.meta);
    message.with_meta(&serde_json::Value::Object(meta.0.0.clone()))
}

/// Sends a request inside of the message's operation, and waits for the answer.
async fn answered<R: ServiceRole>(
    message: &mut McpMessage,
    peer: &Peer<R>,
    mut request: R::Req,
    cancels: bool,
) -> Result<R::PeerResp, ServiceError> {
    message.inject(&mut request.get_meta_mut().0.0);
    let sent = peer.send_cancellable_request(request, PeerRequestOptions::no_options());
    let handle = message.call(sent).await?;
    message.set_request_id(&handle.id);
    let waiting = cancels.then(|| CancelOnDrop::new(peer, handle.id.clone()));
    let answer = message.call(handle.await_response()).await;
    waiting.into_iter().for_each(CancelOnDrop::answered);
    answer
}

fn note_tool_error<E>(message: &mut McpMessage, result: &Result<ServerResult, E>) {
    let failed = |result: &ServerResult| match result {
        ServerResult::CallToolResult(result) => result.is_error == Some(true),
        _ => false,
    };
    if result.as_ref().is_ok_and(failed) {
        message.set_tool_error();
    }
}

/// The protocol says more of an error than its type.
fn finish(mut message: McpMessage, error: Option<&ErrorData>) {
    if let Some(error) = error {
        message.clear_error();
        message.set_error(i64::from(error.code.0), &error.message);
    }
    message.end();
}

/// Ends a message that was sent.
fn finish_sent<T>(message: McpMessage, result: &Result<T, ServiceError>) {
    match result {
        Err(ServiceError::McpError(error)) => finish(message, Some(error)),
        Err(ServiceError::TransportSend(_) | ServiceError::TransportClosed) => {
            message.fail("connection_lost");
        }
        Err(ServiceError::Cancelled { .. }) => message.fail("cancelled"),
        _ => message.end(),
    }
}
