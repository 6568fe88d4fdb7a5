//! The layer and its options.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use otel_core::Instrumenter;
use otel_core::propagation::InboundTrust;
use tower_layer::Layer;

use super::service::GrpcServer;
use super::settings::{Settings, tonic_peer};
use crate::convention::{GrpcConvention, PeerOf};
use crate::options::{Options, grpc_setters};
use crate::{GrpcRequest, scope};

/// Gives each call that a server answers a server span and a duration.
///
/// ```
/// use otel_grpc::GrpcServerLayer;
/// use tonic::transport::Server;
///
/// let server = Server::builder().layer(GrpcServerLayer::new());
/// // server.add_service(..).serve(..)
/// ```
///
/// Around a router that answers plain HTTP as well, only gRPC calls are observed. Put it inside of tonic's layer for
/// gRPC-Web, which makes plain gRPC of that.
#[derive(Clone)]
pub struct GrpcServerLayer {
    settings: Arc<Settings>,
}

impl GrpcServerLayer {
    /// A layer for tonic's `Server::builder().layer(..)`.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A layer for a tonic router inside of axum: the peer's address from axum's `ConnectInfo<SocketAddr>`.
    #[cfg(feature = "axum")]
    #[must_use]
    pub fn for_axum() -> Self {
        Self::builder().for_axum().build()
    }

    /// A layer with options.
    pub fn builder() -> GrpcServerLayerBuilder {
        GrpcServerLayerBuilder::default()
    }
}

impl Default for GrpcServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for GrpcServerLayer {
    type Service = GrpcServer<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcServer::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for GrpcServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServerLayer")
            .field("instrumenter", &self.settings.instrumenter)
            .field("trust", &self.settings.trust)
            .finish_non_exhaustive()
    }
}

/// Options of a [`GrpcServerLayer`].
#[derive(Clone, Default)]
#[must_use]
pub struct GrpcServerLayerBuilder {
    options: Options,
    peer: Option<PeerOf>,
    public_endpoint: bool,
    sampled_flag_ignored: bool,
    request_attributes: bool,
    timeout: Option<Duration>,
}

impl GrpcServerLayerBuilder {
    grpc_setters!();

    /// For an edge that anybody can call: each call starts a trace of its own that links to the caller's, the caller's
    /// sampling decision does not count, and its baggage stays out. Default: `false`, callers are trusted.
    pub fn with_public_endpoint(mut self, public: bool) -> Self {
        self.public_endpoint = public;
        self
    }

    /// For callers whose traces go on here, but who do not decide what is recorded: the caller's sampled flag, or wish for
    /// debugging, does not count, and the sampler decides as if the trace began here. Needs a sampler that knows of it, as
    /// `otel-init` installs; others take such a trace as one that is not sampled. Default: `false`.
    pub fn with_sampled_flag_ignored(mut self, ignored: bool) -> Self {
        self.sampled_flag_ignored = ignored;
        self
    }

    /// Finds the address of the socket's other end. Default: as tonic's server knows it.
    pub fn with_peer_address(
        mut self,
        peer: impl Fn(&GrpcRequest<'_>) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// The time that `Server::timeout` gives to a call. It is outside of all layers, and does not tell them: with it, a call that
    /// is dropped after this time and before its response has begun ends as `DEADLINE_EXCEEDED`, an error of this server.
    /// Default: not known, and such a call is `CANCELLED`, as if its caller had gone.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use otel_grpc::GrpcServerLayer;
    /// use tonic::transport::Server;
    ///
    /// let timeout = Duration::from_secs(5);
    /// let layer = GrpcServerLayer::builder().with_timeout(timeout).build();
    /// let server = Server::builder().timeout(timeout).layer(layer);
    /// ```
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Gives each call a [`RequestAttributes`](crate::RequestAttributes) in its extensions, through which handlers add
    /// attributes until the call has ended. Of two layers around one server the outer one must be built so. Default: `false`.
    ///
    /// ```
    /// use otel_grpc::{GrpcServerLayer, RequestAttributes};
    /// use tonic::{Request, Response, Status};
    ///
    /// async fn search(request: Request<String>) -> Result<Response<u64>, Status> {
    ///     if let Some(attributes) = request.extensions().get::<RequestAttributes>() {
    ///         attributes.span("shop.results", 12); // on the span only
    ///         attributes.both("shop.cached", true); // few values: on the metric too
    ///     }
    ///     Ok(Response::new(12))
    /// }
    ///
    /// let layer = GrpcServerLayer::builder().with_request_attributes(true).build();
    /// ```
    pub fn with_request_attributes(mut self, give: bool) -> Self {
        self.request_attributes = give;
        self
    }

    /// Records the metric `grpc.server.active_requests`: calls that have started and not ended. Default: `false`.
    pub fn with_active_requests(mut self, record: bool) -> Self {
        self.options.rules.active_requests = record;
        self
    }

    /// Counts calls that do not continue a trace of their caller in the metric `otel_grpc.server.remote_contexts`, by
    /// `otel_grpc.remote_context`: `absent` (no header), `invalid` (a header of a known format that no propagator here could
    /// read), `restarted` (a public endpoint began anew). A service that is called by services with telemetry finds here
    /// where a trace breaks. Default: `false`.
    pub fn with_remote_context_counter(mut self, count: bool) -> Self {
        self.options.rules.remote_contexts = count;
        self
    }

    /// The peer's address from axum's `ConnectInfo<SocketAddr>`, unless a hook of yours finds it.
    #[cfg(feature = "axum")]
    pub fn for_axum(mut self) -> Self {
        self.peer.get_or_insert_with(|| Arc::new(super::settings::axum_peer));
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> GrpcServerLayer {
        let Options { providers, filter, methods, trace_bin, report, head, rules } = self.options;
        let settings = Settings {
            filter,
            methods,
            trace_bin,
            report,
            request_attributes: self.request_attributes,
            timeout: self.timeout,
            head: head.map(Arc::new),
            peer: self.peer.unwrap_or_else(|| Arc::new(tonic_peer)),
            trust: InboundTrust::of(self.public_endpoint, self.sampled_flag_ignored),
            instrumenter: Instrumenter::new(scope(), providers, GrpcConvention::new(rules)),
        };
        GrpcServerLayer { settings: Arc::new(settings) }
    }
}

impl fmt::Debug for GrpcServerLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServerLayerBuilder")
            .field("options", &self.options)
            .field("public_endpoint", &self.public_endpoint)
            .finish_non_exhaustive()
    }
}
