//! The service that the layer puts around a client.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use opentelemetry::Context;
use otel_core::carrier::HeaderInjector;
use tower_service::Service;

use super::future::ClientResponseFuture;
use super::layer::Settings;
use crate::HttpRequest;
use crate::body::ResponseBody;
use crate::hook::call_hook;
use crate::server::with_serving;

/// A client that gives each request a client span and a duration, and hands the context on in the request's headers;
/// made by [`HttpClientLayer`](crate::HttpClientLayer).
#[derive(Clone)]
pub struct HttpClient<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> HttpClient<S> {
    pub(crate) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, A, B> Service<Request<A>> for HttpClient<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ClientResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let settings = &self.settings;
        let parent = Context::current();
        let view = HttpRequest::new(&request);
        let wanted = settings.filter.as_ref().is_none_or(|wanted| call_hook(|| wanted(&view), true));
        let mut operation = wanted.then(|| settings.instrumenter.start(&parent, &view));
        // A request without a span of its own still belongs to its caller's trace.
        let context = operation.as_ref().map_or(&parent, |operation| operation.context());
        let mut carrier = HeaderInjector::new(request.headers_mut());
        settings.instrumenter.providers().inject(context, &mut carrier);
        let future = match &mut operation {
            Some(operation) => operation.run(|| with_serving(false, || self.inner.call(request))),
            None => self.inner.call(request),
        };
        ClientResponseFuture::new(future, operation, settings.end_at_body)
    }
}

impl<S: fmt::Debug> fmt::Debug for HttpClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("inner", &self.inner).finish_non_exhaustive()
    }
}
