//! The layer and its options.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::propagation::TextMapPropagator;
use otel_core::Instrumenter;
use otel_core::propagation::InboundTrust;
use tower_layer::Layer;

use super::convention::ServerConvention;
use super::metrics::Wanted;
use super::options::ServerOptions;
use super::service::HttpServer;
use super::settings::Settings;
use crate::options::{Options, http_setters};
use crate::{HttpRequest, TrustedProxies, scope};

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
    /// Of a service that is no router (`nest_service` with `ServeDir`, for example) it knows none; a layer right around that
    /// one says it, [`with_route`](HttpServerLayerBuilder::with_route), and the two give one span.
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
            .field("trust", &self.settings.trust)
            .finish_non_exhaustive()
    }
}

/// Options of an [`HttpServerLayer`].
#[derive(Clone, Default)]
#[must_use]
pub struct HttpServerLayerBuilder {
    options: Options,
    pub(super) server: ServerOptions,
    pub(super) metrics: Wanted,
    public_endpoint: bool,
    sampled_flag_ignored: bool,
}

impl HttpServerLayerBuilder {
    http_setters!(options);

    /// Reads the caller's context with this propagator. Default: the global one.
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.options.providers.set_propagator(propagator);
        self
    }

    /// Finds `http.route` of a request. It must be a template with few different values, never the path.
    pub fn with_route(
        mut self,
        route: impl for<'a> Fn(&HttpRequest<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        self.server.route = Some(Arc::new(route));
        self
    }

    /// Finds the address of the socket's other end. Default: not known, except with axum's `ConnectInfo`.
    pub fn with_peer_address(
        mut self,
        peer: impl Fn(&HttpRequest<'_>) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.server.peer = Some(Arc::new(peer));
        self
    }

    /// For an edge that anybody can call: each request starts a trace of its own that links to the caller's, the
    /// caller's sampling decision does not count, and its baggage stays out. Default: `false`, callers are trusted.
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

    /// The scheme of the connections that this server takes: `"https"` behind a TLS acceptor. An HTTP/1.1 request does not
    /// say it. Default: what HTTP/2 says, else `http`; a trusted proxy's word counts more than either.
    pub fn with_scheme(mut self, scheme: &'static str) -> Self {
        self.server.scheme = Some(scheme);
        self
    }

    /// Believes these senders of `Forwarded`, `X-Forwarded-For`, `-Host`, `-Proto` and `X-Real-IP`. Default: nobody.
    pub fn with_trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.server.proxies = Some(proxies);
        self
    }

    /// Gives each request a [`RequestAttributes`](crate::RequestAttributes) in its extensions, through which handlers
    /// add attributes until the body has ended. It is enough that one of two layers around one service is built so; if that is
    /// the inner one, what it was given counts once there is a response, since it goes out to the span with that. Default:
    /// `false`.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::{Extension, Router, routing::get};
    /// use otel_http::{HttpServerLayer, RequestAttributes};
    ///
    /// async fn search(Extension(attributes): Extension<RequestAttributes>) -> &'static str {
    ///     attributes.span("shop.results", 12); // on the span only
    ///     attributes.both("shop.cached", true); // few values: on the metric too
    ///     "results"
    /// }
    ///
    /// let layer = HttpServerLayer::builder().for_axum().with_request_attributes(true).build();
    /// let app: Router = Router::new().route("/search", get(search)).layer(layer);
    /// # }
    /// ```
    pub fn with_request_attributes(mut self, give: bool) -> Self {
        self.server.request_attributes = give;
        self
    }

    /// Routes from axum's `MatchedPath`, the peer's address from its `ConnectInfo<SocketAddr>`, as far as no hook of
    /// yours finds them.
    #[cfg(feature = "axum")]
    pub fn for_axum(mut self) -> Self {
        self.server.route.get_or_insert_with(|| Arc::new(crate::axum::matched_route));
        self.server.peer.get_or_insert_with(|| Arc::new(crate::axum::peer_address));
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> HttpServerLayer {
        let Options { providers, filter, rules } = self.options;
        let has_own_meter_provider = providers.has_own_meter_provider();
        let convention = ServerConvention { rules, metrics: self.metrics, has_own_meter_provider };
        let settings = Settings {
            instrumenter: Instrumenter::new(scope(), providers, convention),
            trust: InboundTrust::of(self.public_endpoint, self.sampled_flag_ignored),
            filter,
            options: self.server,
        };
        HttpServerLayer { settings: Arc::new(settings) }
    }
}

impl fmt::Debug for HttpServerLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerLayerBuilder")
            .field("options", &self.options)
            .field("metrics", &self.metrics)
            .field("public_endpoint", &self.public_endpoint)
            .finish_non_exhaustive()
    }
}
