//! What a layer may be told, and the setters of what it records only when it is asked to.

use std::net::SocketAddr;
use std::sync::Arc;

use super::layer::HttpServerLayerBuilder;
use super::trace_response::MayKnow;
use crate::hooks::{PeerOf, RouteOf};
use crate::{BodyCapture, HttpRequest, TrustedProxies};

/// What a server alone may be told.
#[derive(Clone, Default)]
pub(super) struct ServerOptions {
    pub(super) route: Option<RouteOf>,
    pub(super) peer: Option<PeerOf>,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) scheme: Option<&'static str>,
    pub(super) request_attributes: bool,
    pub(super) synthetic_type: bool,
    pub(super) upgrades: bool,
    pub(super) trace_response: Option<MayKnow>,
    pub(super) request_body: Option<Arc<BodyCapture>>,
    pub(super) response_body: Option<Arc<BodyCapture>>,
}

impl HttpServerLayerBuilder {
    /// Records the metric `http.server.active_requests` (stability: development). Default: `false`.
    pub fn with_active_requests(mut self, record: bool) -> Self {
        self.metrics.active_requests = record;
        self
    }

    /// Records the metrics `http.server.response.body.size` and `http.server.request.body.size` (stability: development): the
    /// bytes that have passed, or what the request says of its length. Without that, bodies of axum's requests are counted
    /// as they pass, and of others the size is unknown and not recorded. Default: `false`.
    pub fn with_body_sizes(mut self, record: bool) -> Self {
        self.metrics.body_sizes = record;
        self
    }

    /// Counts requests that do not continue a trace of their caller in the metric `otel_http.server.remote_contexts`, by
    /// `otel_http.remote_context`: `absent` (no header), `invalid` (a header of a known format that no propagator here could
    /// read), `restarted` (a public endpoint began anew). A service that is called by services with telemetry finds here
    /// where a trace breaks. Default: `false`.
    pub fn with_remote_context_counter(mut self, count: bool) -> Self {
        self.metrics.remote_contexts = count;
        self
    }

    /// Records `user_agent.synthetic.type` (stability: development) on span and metrics: `bot` or `test`, where the
    /// `User-Agent` says so. Default: `false`.
    pub fn with_synthetic_type(mut self, record: bool) -> Self {
        self.server.synthetic_type = record;
        self
    }

    /// Gives each request an [`HttpUpgrade`](crate::HttpUpgrade) in its extensions, with which the handler of a WebSocket
    /// keeps the span open until the connection's end. Default: `false`, the span of a 101 ends with its head.
    pub fn with_upgrades(mut self, give: bool) -> Self {
        self.server.upgrades = give;
        self
    }

    /// Tells callers the ids of the request's span, in the headers `traceresponse` and `Server-Timing`, if `to` says that
    /// they may know them. It gets the socket's other end too, as far as it is known. Ids let strangers tell how much a
    /// service does, and find their requests in what it logs. Default: nobody.
    ///
    /// ```
    /// use otel_http::HttpServerLayer;
    ///
    /// let layer = HttpServerLayer::builder()
    ///     .with_trace_response(|_, peer| peer.is_some_and(|peer| peer.ip().is_loopback()))
    ///     .build();
    /// ```
    pub fn with_trace_response(
        mut self,
        to: impl Fn(&HttpRequest<'_>, Option<SocketAddr>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.server.trace_response = Some(Arc::new(to));
        self
    }

    /// Records the beginning of axum's request bodies, as far as the handler reads them. Bodies of other types pass as they
    /// are. Default: none.
    #[cfg(feature = "axum")]
    pub fn with_captured_request_body(mut self, capture: BodyCapture) -> Self {
        self.server.request_body = Some(Arc::new(capture));
        self
    }

    /// Records the beginning of response bodies. Default: none.
    pub fn with_captured_response_body(mut self, capture: BodyCapture) -> Self {
        self.server.response_body = Some(Arc::new(capture));
        self
    }
}
