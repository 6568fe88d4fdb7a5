//! `http.request.resend_count`: how often the same request was sent before.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

/// Counts how often one request is sent. In a request's extensions its clones share it, so the client layer inside of a
/// retry layer knows the first attempt from the others.
///
/// "The ordinal number of request resending attempt (for any reason, including redirects)."
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>
///
/// [`ResendCountLayer`] puts one into each request; a retry policy of your own may do so as well.
#[derive(Clone, Debug, Default)]
pub struct ResendCount(Arc<AtomicU32>);

impl ResendCount {
    /// A request that was not sent yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often the request was sent before; counts this time.
    fn count(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// How often the request with these extensions was sent before; counts this time.
    pub(crate) fn count_in(extensions: &Extensions) -> u32 {
        extensions.get::<Self>().map_or(0, Self::count)
    }
}

/// Lets an [`HttpClientLayer`](crate::HttpClientLayer) inside of a retry layer record `http.request.resend_count`.
///
/// It goes outside of the retry layer, and of a layer that follows redirects if that hands extensions on. tower-http's does so
/// from 0.7, with its standard policy only to the same origin, so the first request to another one has no number:
///
/// ```
/// use otel_http::{HttpClientLayer, ResendCountLayer};
/// use tower::retry::RetryLayer;
/// # use tower::retry::Policy;
/// # #[derive(Clone)]
/// # struct MyPolicy;
/// # impl<Q: Clone, P, E> Policy<Q, P, E> for MyPolicy {
/// #     type Future = std::future::Ready<()>;
/// #     fn retry(&mut self, _: &mut Q, _: &mut Result<P, E>) -> Option<Self::Future> { None }
/// #     fn clone_request(&mut self, request: &Q) -> Option<Q> { Some(request.clone()) }
/// # }
/// # let client = tower::service_fn(|_: http::Request<String>| async {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
/// # });
/// let client = tower::ServiceBuilder::new()
///     .layer(ResendCountLayer::new())
///     .layer(RetryLayer::new(MyPolicy))
///     .layer(HttpClientLayer::new())
///     .service(client);
/// # fn is_service(_: impl tower::Service<http::Request<String>>) {}
/// # is_service(client);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ResendCountLayer;

impl ResendCountLayer {
    /// The layer.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for ResendCountLayer {
    type Service = CountsResends<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountsResends { inner }
    }
}

/// A service that puts a [`ResendCount`] into each request that has none; made by [`ResendCountLayer`].
#[derive(Clone)]
pub struct CountsResends<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for CountsResends<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().get_or_insert_default::<ResendCount>();
        self.inner.call(request)
    }
}

impl<S: fmt::Debug> fmt::Debug for CountsResends<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountsResends").field("inner", &self.inner).finish()
    }
}
