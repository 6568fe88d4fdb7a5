//! The layer and its options.

use std::fmt;
use std::sync::Arc;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Tracer, TracerProvider};
use otel_core::{Instrumenter, Providers};
use tower_layer::Layer;

use super::convention::ClientConvention;
use super::service::HttpClient;
use crate::{HttpRequest, scope};

type Filter = Arc<dyn Fn(&HttpRequest<'_>) -> bool + Send + Sync>;

/// What the services of one layer share.
pub(crate) struct Settings {
    pub(crate) instrumenter: Instrumenter<ClientConvention>,
    pub(crate) filter: Option<Filter>,
    pub(crate) end_at_body: bool,
}

/// Gives each request that a client sends a client span and a duration, and hands the context on.
///
/// For any tower service that takes `http::Request`, such as hyper-util's client:
///
/// ```
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use otel_http::HttpClientLayer;
/// use tower::ServiceBuilder;
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
/// let client = ServiceBuilder::new().layer(HttpClientLayer::new()).service(client);
/// ```
///
/// Inside a retry layer each attempt gets a span of its own, as the convention asks for.
#[derive(Clone)]
pub struct HttpClientLayer {
    settings: Arc<Settings>,
}

impl HttpClientLayer {
    /// A layer with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A layer with options.
    pub fn builder() -> HttpClientLayerBuilder {
        HttpClientLayerBuilder::default()
    }
}

impl Default for HttpClientLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for HttpClientLayer {
    type Service = HttpClient<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpClient::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for HttpClientLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientLayer")
            .field("instrumenter", &self.settings.instrumenter)
            .field("end_at_body", &self.settings.end_at_body)
            .finish_non_exhaustive()
    }
}

/// Options of an [`HttpClientLayer`].
#[derive(Clone, Default)]
#[must_use]
pub struct HttpClientLayerBuilder {
    providers: Providers,
    filter: Option<Filter>,
    end_at_body: bool,
}

impl HttpClientLayerBuilder {
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

    /// Writes the context into the request with this propagator. Default: the global one.
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.providers.set_propagator(propagator);
        self
    }

    /// Observes only requests for which `wanted` says yes; others pass without span and metrics. Default: all.
    pub fn with_filter(mut self, wanted: impl Fn(&HttpRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// Ends span and duration when the response's body has passed instead of at its head. Default: `false`, since a
    /// client may keep a body for as long as it likes.
    pub fn with_end_at_body(mut self, end_at_body: bool) -> Self {
        self.end_at_body = end_at_body;
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> HttpClientLayer {
        let settings = Settings {
            instrumenter: Instrumenter::new(scope(), self.providers, ClientConvention),
            filter: self.filter,
            end_at_body: self.end_at_body,
        };
        HttpClientLayer { settings: Arc::new(settings) }
    }
}

impl fmt::Debug for HttpClientLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientLayerBuilder")
            .field("providers", &self.providers)
            .field("end_at_body", &self.end_at_body)
            .finish_non_exhaustive()
    }
}
