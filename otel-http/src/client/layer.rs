//! The layer and its options.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Extensions;
use otel_core::{ErrorType, HttpFailure};
use tower_layer::Layer;

use super::destination::DestinationPolicy;
use super::options::{ClientOptions, client_setters};
use super::service::HttpClient;
use super::settings::ClientSettings;

/// Gives each request that a client sends a client span and a duration, and hands the context on.
///
/// For any tower service that takes `http::Request`, such as hyper-util's client:
///
/// ```
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy, rt::TokioExecutor};
/// use otel_http::HttpClientLayer;
/// use tower::ServiceBuilder;
///
/// let client = legacy::Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
/// let layer = HttpClientLayer::builder().with_client_error::<legacy::Error>().build();
/// let client = ServiceBuilder::new().layer(layer).service(client);
/// ```
///
/// Inside a retry layer each attempt gets a span of its own, as the convention asks for;
/// [`ResendCountLayer`](crate::ResendCountLayer) numbers them. The same holds for a layer that follows redirects: a
/// client that follows them inside of this layer sends one set of headers to every host.
///
/// It goes outside of layers that hand requests to a task of their own, such as tower's `Buffer`: the parent of a span is the span
/// that is current where the layer is called.
#[derive(Clone)]
pub struct HttpClientLayer {
    settings: Arc<ClientSettings>,
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
        f.debug_struct("HttpClientLayer").field("settings", &self.settings).finish()
    }
}

/// Options of an [`HttpClientLayer`].
#[derive(Clone, Default)]
#[must_use]
pub struct HttpClientLayerBuilder {
    options: ClientOptions,
}

impl HttpClientLayerBuilder {
    client_setters!();

    /// Hands trace context and baggage only to the hosts that the policy names. Default: to all.
    ///
    /// The policy sees the request that passes this layer: redirects must be followed outside of it.
    pub fn with_destinations(mut self, destinations: DestinationPolicy) -> Self {
        self.options.destinations = Some(destinations);
        self
    }

    /// Finds the address of the socket's other end in the extensions of the response, where some clients put it.
    /// Default: not known.
    ///
    /// ```
    /// use hyper_util::client::legacy::connect::HttpInfo;
    /// use otel_http::HttpClientLayer;
    ///
    /// let layer = HttpClientLayer::builder()
    ///     .with_peer_address(|response| response.get::<HttpInfo>().map(HttpInfo::remote_addr))
    ///     .build();
    /// ```
    pub fn with_peer_address(
        mut self,
        peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.options.peer = Some(Arc::new(peer));
        self
    }

    /// Finds `error.type` of the inner service's errors of type `E`; `None` leaves it to what comes next. What is asked
    /// first was given first. Several types may be given.
    ///
    /// ```
    /// use otel_http::HttpClientLayer;
    ///
    /// # #[derive(Debug)]
    /// enum PoolError { Exhausted, Closed }
    /// let layer = HttpClientLayer::builder().with_error_type(|error: &PoolError| match error {
    ///     PoolError::Exhausted => Some("pool_exhausted"),
    ///     PoolError::Closed => None,
    /// });
    /// ```
    pub fn with_error_type<E: 'static>(
        mut self,
        error_type: impl Fn(&E) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let of = move |error: &dyn Any| error.downcast_ref().and_then(&error_type).map(ErrorType::new);
        self.options.error_types.push(Arc::new(of));
        self
    }

    /// Looks into the inner service's errors of type `E`, and into what caused them, for the classes that
    /// [What is emitted](crate#what-is-emitted) lists, `timeout` or `connect` for example. Without it only
    /// [`std::io::Error`] and boxed errors are looked into, because Rust gives a layer no way into other types; their
    /// `error.type` is the name of the type.
    pub fn with_client_error<E: Error + 'static>(mut self) -> Self {
        let of = |error: &dyn Any| {
            let class = error.downcast_ref::<E>().and_then(|error| HttpFailure::of(error));
            class.map(HttpFailure::error_type)
        };
        self.options.error_types.push(Arc::new(of));
        self
    }

    /// The layer.
    #[must_use]
    pub fn build(self) -> HttpClientLayer {
        HttpClientLayer { settings: self.options.build() }
    }
}

impl fmt::Debug for HttpClientLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientLayerBuilder").field("options", &self.options).finish()
    }
}
