//! The service that the layer puts around another one.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use otel_core::{AlreadyObserved, RequestAttributes, ServerLayer};
use tower_service::Service;

use super::HttpUpgrade;
use super::future::HttpServerResponseFuture;
use super::handed::{ForOuterLayer, Handed};
use super::request_size::RequestSize;
use super::settings::Settings;
use crate::HttpRequest;
use crate::body::HttpResponseBody;
use crate::cached::Route;

/// A service that gives each request a server span and a duration; made by [`HttpServerLayer`](crate::HttpServerLayer).
#[derive(Clone)]
pub struct HttpServer<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> HttpServer<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, A, B> Service<Request<A>> for HttpServer<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: 'static,
    B: Body,
{
    type Response = Response<HttpResponseBody<B>>;
    type Error = S::Error;
    type Future = HttpServerResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        // A handler may ask for them whether or not the request is observed.
        let settings = &*self.settings;
        let attributes =
            settings.options.request_attributes.then(|| RequestAttributes::of(request.extensions_mut()));
        let upgrade = settings.options.upgrades.then(|| HttpUpgrade::of(&mut request));
        if settings.instrumenter.is_idle() {
            return HttpServerResponseFuture::unobserved(self.inner.call(request));
        }
        AlreadyObserved::unmark(request.extensions_mut());
        let http = HttpRequest::as_it_came(&request);
        if ServerLayer::Http.is_marked(http.extensions) {
            // A layer further out observes this request; it may be one that does not know the route.
            let route = settings.route_of(&http).map(Route::into_http_route);
            let handed = ForOuterLayer { route, handed: Handed { attributes, upgrade } };
            return HttpServerResponseFuture::nested(self.inner.call(request), handed);
        }
        let Some(mut operation) = settings.begin(&http, attributes.as_ref()) else {
            return HttpServerResponseFuture::unobserved(self.inner.call(request));
        };
        // A layer inside is silent, unless this one only hands the context on.
        if !operation.is_inert() {
            if settings.records_body_sizes() {
                operation.tally().request = size_of(&mut request);
            }
            ServerLayer::Http.mark(request.extensions_mut());
        }
        #[cfg(feature = "axum")]
        if let Some(place) = operation.tally().bodies.as_ref().and_then(|bodies| bodies.request()) {
            crate::axum::capture_body(&mut request, place.clone());
        }
        if settings.options.upgrades {
            let upgrade = HttpUpgrade::new(operation.context().clone());
            request.extensions_mut().insert(upgrade.clone());
            operation.tally().upgrade = Some(upgrade);
        }
        // Not in a closure, which would be one more place that the request is copied to.
        let entered = operation.enter();
        let response = self.inner.call(request);
        drop(entered);
        HttpServerResponseFuture::observed(response, operation)
    }
}

/// Without a length in its head, a body is counted as it passes, where that is possible.
fn size_of<A: 'static>(request: &mut Request<A>) -> RequestSize {
    if let Some(said) = RequestSize::said(request.headers()) {
        return said;
    }
    #[cfg(feature = "axum")]
    if let Some(passed) = crate::axum::count_body(request) {
        return RequestSize::Passed(passed);
    }
    RequestSize::Unknown
}

impl<S: fmt::Debug> fmt::Debug for HttpServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("inner", &self.inner).finish_non_exhaustive()
    }
}
