//! The layer and its options.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Tracer, TracerProvider};
use otel_core::propagation::InboundTrust;
use otel_core::{Attributes, Instrumenter, Providers};
use tower_layer::Layer;

use super::convention::ServerConvention;
use super::service::HttpServer;
use super::settings::{Filter, PeerOf, RouteOf, Settings};
use super::trace_response::MayKnow;
use crate::exception::{self, exception_log};
use crate::{BodyCapture, HttpRequest, HttpResponse, TrustedProxies, scope};

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
            .field("trust", &self.settings.trust)
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
    proxies: Option<TrustedProxies>,
    scheme: Option<&'static str>,
    public_endpoint: bool,
    sampled_flag_ignored: bool,
    request_attributes: bool,
    synthetic_type: bool,
    upgrades: bool,
    trace_response: Option<MayKnow>,
    request_body: Option<Arc<BodyCapture>>,
    response_body: Option<Arc<BodyCapture>>,
    convention: ServerConvention,
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

    /// Observes only requests for which `wanted` says yes; others pass without span and metrics, in their caller's
    /// context. Default: all.
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
        self.scheme = Some(scheme);
        self
    }

    /// Records the metric `http.server.active_requests` (stability: development). Default: `false`.
    pub fn with_active_requests(mut self, record: bool) -> Self {
        self.convention.metrics.active_requests = record;
        self
    }

    /// Records the metric `http.server.response.body.size` (stability: development), the bytes that have passed, and
    /// `http.server.request.body.size` when the request says its length. Default: `false`.
    pub fn with_body_sizes(mut self, record: bool) -> Self {
        self.convention.metrics.body_sizes = record;
        self
    }

    /// Believes these senders of `Forwarded`, `X-Forwarded-For`, `-Host`, `-Proto` and `X-Real-IP`. Default: nobody.
    pub fn with_trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// Names the span of a request; `None` keeps the convention's name. A name must have few different values.
    pub fn with_span_name(
        mut self,
        name: impl Fn(&HttpRequest<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        self.convention.span_name = Some(Arc::new(name));
        self
    }

    /// Adds attributes from the request, before sampling. A second call replaces the first.
    ///
    /// ```
    /// use otel_http::HttpServerLayer;
    ///
    /// let layer = HttpServerLayer::builder()
    ///     .with_attributes(|request, attributes| {
    ///         attributes.both("app.is_api", request.path().starts_with("/api/"));
    ///     })
    ///     .build();
    /// ```
    pub fn with_attributes(
        mut self,
        add: impl Fn(&HttpRequest<'_>, &mut Attributes<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.convention.add_request = Some(Arc::new(add));
        self
    }

    /// Adds attributes from the response's head. A second call replaces the first.
    pub fn with_response_attributes(
        mut self,
        add: impl Fn(&HttpResponse<'_>, &mut Attributes<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.convention.add_response = Some(Arc::new(add));
        self
    }

    /// Gives each request a [`RequestAttributes`](crate::RequestAttributes) in its extensions, through which handlers
    /// add attributes. Default: `false`.
    pub fn with_request_attributes(mut self, give: bool) -> Self {
        self.request_attributes = give;
        self
    }

    /// Counts requests that do not continue a trace of their caller in the metric `otel_http.server.remote_contexts`, by
    /// `otel_http.remote_context`: `absent` (no header), `invalid` (a header of a known format that no propagator here could
    /// read), `restarted` (a public endpoint began anew). A service that is called by services with telemetry finds here
    /// where a trace breaks. Default: `false`.
    pub fn with_remote_context_counter(mut self, count: bool) -> Self {
        self.convention.metrics.remote_contexts = count;
        self
    }

    /// Records `user_agent.synthetic.type` (stability: development) on span and metrics: `bot` or `test`, where the
    /// `User-Agent` says so. Default: `false`.
    pub fn with_synthetic_type(mut self, record: bool) -> Self {
        self.synthetic_type = record;
        self
    }

    /// Gives each request an [`HttpUpgrade`](crate::HttpUpgrade) in its extensions, with which the handler of a WebSocket
    /// keeps the span open until the connection's end. Default: `false`, the span of a 101 ends with its head.
    pub fn with_upgrades(mut self, give: bool) -> Self {
        self.upgrades = give;
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
        self.trace_response = Some(Arc::new(to));
        self
    }

    /// Writes a log event `http.server.request.exception` (stability: development), severity ERROR, for each error or panic
    /// that ends a request: `exception.type`, in the span's context, and not the error's text, which may hold a secret. A
    /// status is not an exception. Default: none.
    pub fn with_exception_events<P>(mut self, logger_provider: &P) -> Self
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        self.convention.exceptions = Some(exception_log(logger_provider, exception::SERVER));
        self
    }

    /// Records the beginning of axum's request bodies, as far as the handler reads them. Bodies of other types pass as they
    /// are. Default: none.
    #[cfg(feature = "axum")]
    pub fn with_captured_request_body(mut self, capture: BodyCapture) -> Self {
        self.request_body = Some(Arc::new(capture));
        self
    }

    /// Records the beginning of response bodies. Default: none.
    pub fn with_captured_response_body(mut self, capture: BodyCapture) -> Self {
        self.response_body = Some(Arc::new(capture));
        self
    }

    /// Records these request headers as `http.request.header.*`. Names in any case, with `*` and `?`; a name that
    /// begins with `!` is left out. Names that sound like a secret (`authorization`, `cookie`, tokens, keys, sessions) and
    /// values marked sensitive are recorded as `REDACTED`, at most 32 headers. Prefer names to stars: with a star the
    /// client chooses attribute keys. Default: none.
    pub fn with_captured_request_headers(
        mut self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.convention.request_headers.add(names);
        self
    }

    /// Records these response headers as `http.response.header.*`, in the way of
    /// [`with_captured_request_headers`](Self::with_captured_request_headers). Default: none.
    pub fn with_captured_response_headers(
        mut self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.convention.response_headers.add(names);
        self
    }

    /// Replaces the values of these headers too by `REDACTED`, in both directions.
    pub fn with_sensitive_headers(
        mut self,
        names: impl IntoIterator<Item = impl Into<String> + Clone>,
    ) -> Self {
        for name in names {
            self.convention.request_headers.add_sensitive([name.clone()]);
            self.convention.response_headers.add_sensitive([name]);
        }
        self
    }

    /// Copies these entries of the caller's baggage to the span, under their own names. Default: none.
    pub fn with_baggage_attributes(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.convention.baggage_keys.extend(keys.into_iter().map(Into::into));
        self
    }

    /// Routes from axum's `MatchedPath`, the peer's address from its `ConnectInfo<SocketAddr>`, as far as no hook of
    /// yours finds them.
    #[cfg(feature = "axum")]
    pub fn for_axum(mut self) -> Self {
        self.route.get_or_insert_with(|| Arc::new(crate::axum::matched_route));
        self.peer.get_or_insert_with(|| Arc::new(crate::axum::peer_address));
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(mut self) -> HttpServerLayer {
        self.convention.has_own_meter_provider = self.providers.has_own_meter_provider();
        let settings = Settings {
            instrumenter: Instrumenter::new(scope(), self.providers, self.convention),
            filter: self.filter,
            route: self.route,
            peer: self.peer,
            proxies: self.proxies,
            scheme: self.scheme,
            trust: match (self.public_endpoint, self.sampled_flag_ignored) {
                (true, _) => InboundTrust::Public,
                (false, true) => InboundTrust::IgnoreSampledFlag,
                (false, false) => InboundTrust::Full,
            },
            request_attributes: self.request_attributes,
            synthetic_type: self.synthetic_type,
            upgrades: self.upgrades,
            trace_response: self.trace_response,
            request_body: self.request_body,
            response_body: self.response_body,
        };
        HttpServerLayer { settings: Arc::new(settings) }
    }
}

impl fmt::Debug for HttpServerLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerLayerBuilder")
            .field("providers", &self.providers)
            .field("public_endpoint", &self.public_endpoint)
            .field("convention", &self.convention)
            .finish_non_exhaustive()
    }
}
