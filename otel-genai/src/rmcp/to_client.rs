//! What a server asks of its client, at both ends.

use std::borrow::Cow;

use ::rmcp::ErrorData;
use ::rmcp::model::{
    ClientConfig, ClientResult, ConstString as _, ProtocolVersion, ServerNotification, ServerRequest,
};
use ::rmcp::service::{
    NotificationContext, Peer, RequestContext, RoleClient, RoleServer, Service, ServiceError,
};

use super::{answered, described, finish, finish_sent, notified};
use crate::GenAi;
use crate::mcp::McpTransport;

/// A client whose server may ask it for something: for input, for what a model says, for its roots. What it is asked is
/// observed, and the notifications that it is sent.
///
/// The span is of kind server and its metric `mcp.server.operation.duration`: they are of whoever receives.
///
/// ```no_run
/// # use rmcp::{ClientHandler, ServiceExt};
/// # struct Desk;
/// # impl ClientHandler for Desk {}
/// # async fn example(transport: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
/// use otel_genai::{GenAi, rmcp::McpClientHandler};
///
/// let running = McpClientHandler::new(GenAi::new(), Desk).serve(transport).await?;
/// # drop(running);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct McpClientHandler<S> {
    genai: GenAi,
    inner: S,
    transport: Option<McpTransport>,
}

impl<S> McpClientHandler<S> {
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

impl<S: Service<RoleClient>> Service<RoleClient> for McpClientHandler<S> {
    async fn handle_request(
        &self,
        request: ServerRequest,
        context: RequestContext<RoleClient>,
    ) -> Result<ClientResult, ErrorData> {
        let message = self.genai.mcp_server(method(&request).to_owned()).with_request_id(&context.id);
        let message = message.with_meta(&serde_json::Value::Object(context.meta.0.0.clone()));
        let version = context.peer.peer_info().map(|server| server.protocol_version.clone());
        let mut message = described(message, self.transport, version).start();
        let result = message.call(self.inner.handle_request(request, context)).await;
        finish(message, result.as_ref().err());
        result
    }

    async fn handle_notification(
        &self,
        notification: ServerNotification,
        context: NotificationContext<RoleClient>,
    ) -> Result<(), ErrorData> {
        let message = notified(&self.genai, &notification, &context);
        let mut message = described(message, self.transport, None).start();
        let result = message.call(self.inner.handle_notification(notification, context)).await;
        finish(message, result.as_ref().err());
        result
    }

    fn get_info(&self) -> ClientConfig {
        self.inner.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }
}

/// Sends what a server asks of its client, each request with a span, and hands the context on in `params._meta`.
///
/// The span is of kind client and its metric `mcp.client.operation.duration`: they are of whoever sends.
///
/// ```no_run
/// # use rmcp::model::{ClientResult, ServerRequest};
/// # use rmcp::service::{RequestContext, RoleServer};
/// # async fn example(
/// #     context: RequestContext<RoleServer>,
/// #     question: ServerRequest,
/// # ) -> Result<ClientResult, rmcp::ServiceError> {
/// use otel_genai::{GenAi, rmcp::McpServerPeer};
///
/// McpServerPeer::new(GenAi::new(), context.peer.clone()).request(question).await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct McpServerPeer {
    genai: GenAi,
    peer: Peer<RoleServer>,
    transport: Option<McpTransport>,
}

impl McpServerPeer {
    /// Sends through `peer`, which the context of each request has.
    #[must_use]
    pub fn new(genai: GenAi, peer: Peer<RoleServer>) -> Self {
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
    pub fn peer(&self) -> &Peer<RoleServer> {
        &self.peer
    }

    /// Sends any request.
    ///
    /// # Errors
    ///
    /// What rmcp returns, unchanged.
    pub async fn request(&self, request: ServerRequest) -> Result<ClientResult, ServiceError> {
        let message = self.genai.mcp_client(method(&request).to_owned());
        let version = self.peer.peer_info().map(|client| client.protocol_version.clone());
        let mut message = described(message, self.transport, version).start();
        let result = answered(&mut message, &self.peer, request, false).await;
        finish_sent(message, &result);
        result
    }
}

fn method(request: &ServerRequest) -> &str {
    match request {
        ServerRequest::PingRequest(request) => request.method.as_str(),
        ServerRequest::CreateMessageRequest(request) => request.method.as_str(),
        ServerRequest::ListRootsRequest(request) => request.method.as_str(),
        ServerRequest::ElicitRequest(request) => request.method.as_str(),
        ServerRequest::CustomRequest(request) => request.method.as_str(),
        _ => "_OTHER",
    }
}
