//! The service that the layer puts around another one.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use otel_core::carrier::HeaderExtractor;
use otel_core::{Operation, link_from};
use tower_service::Service;

use super::convention::{ServerConvention, ServerRequest};
use super::future::{Observed, ResponseFuture};
use super::layer::Settings;
use crate::HttpRequest;
use crate::body::ResponseBody;
use crate::cached::Route;
use crate::hook::call_hook;

/// A service that gives each request a server span and a duration; made by [`HttpServerLayer`](crate::HttpServerLayer).
#[derive(Clone)]
pub struct HttpServer<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> HttpServer<S> {
    pub(crate) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, A, B> Service<Request<A>> for HttpServer<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let Some(mut observed) = self.settings.start(&HttpRequest::new(&request)) else {
            return ResponseFuture::new(self.inner.call(request), None);
        };
        let future = observed.operation.run(|| self.inner.call(request));
        ResponseFuture::new(future, Some(observed))
    }
}

impl Settings {
    /// Starts the request's operation, unless the filter says no.
    fn start(&self, http: &HttpRequest<'_>) -> Option<Observed> {
        if self.filter.as_ref().is_some_and(|wanted| !call_hook(|| wanted(http), true)) {
            return None;
        }
        let route = self.route.as_ref().and_then(|route| call_hook(|| route(http), None));
        let route = route.as_deref().map(Route::new);
        let peer = self.peer.as_ref().and_then(|peer| call_hook(|| peer(http), None));
        let request = ServerRequest { http: *http, route, peer };
        let operation = self.start_operation(&request);
        if operation.is_inert() && !hands_on(operation.context()) {
            return None;
        }
        Some(Observed { operation, method: http.method.clone(), has_route: request.route.is_some() })
    }

    fn start_operation(&self, request: &ServerRequest<'_>) -> Operation<ServerConvention> {
        let providers = self.instrumenter.providers();
        let carrier = HeaderExtractor::new(request.http.headers);
        let current = Context::current();
        if self.public_endpoint {
            // Whoever calls from outside is neither parent nor sampler here, and its baggage stays out.
            let links = link_from(providers, &carrier).into_iter().collect();
            let root = current.with_remote_span_context(SpanContext::empty_context());
            return self.instrumenter.start_with_links(&root, request, links);
        }
        self.instrumenter.start(&providers.extract(&current, &carrier), request)
    }
}

/// Whether there is something of the caller's that calls made while serving must carry on, even with no SDK here.
fn hands_on(context: &Context) -> bool {
    context.has_active_span() || !context.baggage().is_empty()
}

impl<S: fmt::Debug> fmt::Debug for HttpServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("inner", &self.inner).finish_non_exhaustive()
    }
}
