//! The service that the layer puts around a client.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use opentelemetry::Context;
use otel_core::{AlreadyObserved, ServerLayer, current_context};
use tower_service::Service;

use super::future::HttpClientResponseFuture;
use super::resend::ResendCount;
use super::settings::{ClientSettings, RequestFacts, Sending};
use crate::HttpRequest;
use crate::body::HttpResponseBody;

/// A client that gives each request a client span and a duration, and hands the context on in the request's headers;
/// made by [`HttpClientLayer`](crate::HttpClientLayer).
#[derive(Clone)]
pub struct HttpClient<S> {
    inner: S,
    settings: Arc<ClientSettings>,
}

impl<S> HttpClient<S> {
    pub(crate) fn new(inner: S, settings: Arc<ClientSettings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, A, B> Service<Request<A>> for HttpClient<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: 'static,
    A: Body,
    B: Body,
{
    type Response = Response<HttpResponseBody<B>>;
    type Error = S::Error;
    type Future = HttpClientResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        if AlreadyObserved::is_marked(request.extensions()) {
            // A gRPC client further out tells of this request, and has handed its context on, perhaps to a stranger.
            let propagate = self.settings.propagate_to(&HttpRequest::new(&request));
            self.settings.restrict(&propagate, request.headers_mut());
            return HttpClientResponseFuture::new(self.inner.call(request), Arc::clone(&self.settings));
        }
        let parent = current_context();
        ServerLayer::unmark(request.extensions_mut());
        let sending = self.start(&parent, &request);
        self.settings.inject(&parent, &sending, request.headers_mut());
        let Some(mut observed) = sending.observed else {
            return HttpClientResponseFuture::new(self.inner.call(request), Arc::clone(&self.settings));
        };
        // Nobody may wrap the body: the inner service takes its very type. A body that does not say how long it is
        // has no size.
        let request_bytes = if observed.counts_bytes() { request.body().size_hint().exact() } else { None };
        let future = observed.operation.run(|| self.inner.call(request));
        HttpClientResponseFuture::new(future, Arc::clone(&self.settings)).observed(observed, request_bytes)
    }
}

impl<S> HttpClient<S> {
    fn start<A>(&self, parent: &Context, request: &Request<A>) -> Sending {
        let extensions = request.extensions();
        let facts =
            RequestFacts { template: extensions.get(), resend_count: ResendCount::count_in(extensions) };
        self.settings.start(parent, &HttpRequest::new(request), &facts)
    }
}

impl<S: fmt::Debug> fmt::Debug for HttpClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("inner", &self.inner).finish_non_exhaustive()
    }
}
