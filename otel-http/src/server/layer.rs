//! The layer and its options.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Tracer, TracerProvider};
use otel_core::{Instrumenter, Providers};
use tower_layer::Layer;

use super::convention::ServerConvention;
use super::service::HttpServer;
use crate::{HttpRequest, scope};

type Filter = Arc<dyn Fn(&HttpRequest<'_>) -> bool + Send + Sync>;
type RouteOf = Arc<dyn for<'a> Fn(&HttpRequest<'a>) -> Option<Cow<'a, str>> + Send + Sync>;
type PeerOf = Arc<dyn Fn(&HttpRequest<'_>) -> Option<SocketAddr> + Send + Sync>;

/// What the services of one layer share.
pub(crate) struct Settings {
    pub(crate) instrumenter: Instrumenter<ServerConvention>,
    pub(crate) filter: Option<Filter>,
    pub(crate) route: Option<RouteOf>,
    pub(crate) peer: Option<PeerOf>,
    pub(crate) public_endpoint: bool,
}

/// Gives each request that a service answers a server span and a duration.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::get};
/// use otel_http::HttpServerLayer;
///
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "Ada" }))
///     .layer(HttpServerLayer::for_axum());
/// # }
/// ```
///
/// Put it outside of layers whose work belongs to the request (timeouts, panics, compression): a request that times out
/// is then a response with its status, and the span lasts until the compressed body has been sent.
#[derive(Clone)]
pub struct HttpServerLayer {
    settings: Arc<Settings>,
}

impl HttpServerLayer {
    /// A layer for any tower service. Its routes are those that the service puts into the response
    /// ([`HttpRoute`](crate::HttpRoute)), or that [`with_route`](HttpServerLayerBuilder::with_route) finds.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A layer for an axum router: routes from `MatchedPath`, the peer's address from `ConnectInfo<SocketAddr>`.
    ///
    /// Add it with `Router::layer`, after the routes it is meant for: axum knows the route only inside the router.
    #[cfg(feature = "axum")]
    #[must_use]
    pub fn for_axum() -> Self {
        Self::builder().for_axum().build()
    }

    /// A layer with options.
    pub fn builder() -> HttpServerLayerBuilder {
        HttpServerLayerBuilder::default()
    }
}

impl Default for HttpServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for HttpServerLayer {
    type Service = HttpServer<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpServer::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for HttpServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerLayer")
            .field("instrumenter", &self.settings.instrumenter)
            .field("public_endpoint", &self.settings.public_endpoint)
            .finish_non_exhaustive()
    }
}

/// Options of an [`HttpServerLayer`].
#[derive(Clone, Default)]
#[must_use]
pub struct HttpServerLayerBuilder {
    providers: Providers,
    filter: Option<Filter>,
    route: Option<RouteOf>,
    peer: Option<PeerOf>,
    public_endpoint: bool,
    active_requests: bool,
}

impl HttpServerLayerBuilder {
    /// Spans from this provider. Default: the global one, also if it is set later.
    pub fn with_tracer_provider<P>(mut self, provider: P) -> Self
    where
        P: TracerProvider + Send + Sync + 'static,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as Tracer>::Span: Send + Sync + 'static,
    {
        self.providers.set_tracer_provider(provider);
        self
    }

    /// Instruments from this provider. Default: the global one, also if it is set later.
    pub fn with_meter_provider(mut self, provider: impl MeterProvider + Send + Sync + 'static) -> Self {
        self.providers.set_meter_provider(provider);
        self
    }

    /// Reads the caller's context with this propagator. Default: the global one.
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.providers.set_propagator(propagator);
        self
    }

    /// Observes only requests for which `wanted` says yes; others pass without span and metrics. Default: all.
    pub fn with_filter(mut self, wanted: impl Fn(&HttpRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// Finds `http.route` of a request. It must be a template with few different values, never the path.
    pub fn with_route(
        mut self,
        route: impl for<'a> Fn(&HttpRequest<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        self.route = Some(Arc::new(route));
        self
    }

    /// Finds the address of the socket's other end. Default: not known, except with axum's `ConnectInfo`.
    pub fn with_peer_address(
        mut self,
        peer: impl Fn(&HttpRequest<'_>) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// For an edge that anybody can call: each request starts a trace of its own that links to the caller's, the
    /// caller's sampling decision does not count, and its baggage stays out. Default: `false`, callers are trusted.
    pub fn with_public_endpoint(mut self, public: bool) -> Self {
        self.public_endpoint = public;
        self
    }

    /// Records the metric `http.server.active_requests` (stability: development). Default: `false`.
    pub fn with_active_requests(mut self, record: bool) -> Self {
        self.active_requests = record;
        self
    }

    /// Routes from axum's `MatchedPath`, the peer's address from its `ConnectInfo<SocketAddr>`.
    #[cfg(feature = "axum")]
    pub fn for_axum(self) -> Self {
        self.with_route(crate::axum::matched_route).with_peer_address(crate::axum::peer_address)
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> HttpServerLayer {
        let convention = ServerConvention { with_active_requests: self.active_requests };
        let settings = Settings {
            instrumenter: Instrumenter::new(scope(), self.providers, convention),
            filter: self.filter,
            route: self.route,
            peer: self.peer,
            public_endpoint: self.public_endpoint,
        };
        HttpServerLayer { settings: Arc::new(settings) }
    }
}

impl fmt::Debug for HttpServerLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerLayerBuilder")
            .field("providers", &self.providers)
            .field("public_endpoint", &self.public_endpoint)
            .field("active_requests", &self.active_requests)
            .finish_non_exhaustive()
    }
}
