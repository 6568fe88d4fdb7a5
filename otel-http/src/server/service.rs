//! The service that the layer puts around another one.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::RequestAttributes;
use super::future::{Observed, ResponseFuture};
use super::nested::{is_serving, with_serving};
use super::settings::{Begun, Settings};
use crate::HttpRequest;
use crate::body::ResponseBody;
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
    B: Body,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let http = HttpRequest::new(&request);
        if is_serving() {
            // A layer further out observes this request; it may be one that does not know the route.
            let route = self.settings.route_of(&http).map(Route::into_http_route);
            return ResponseFuture::nested(self.inner.call(request), route);
        }
        let Some(Begun { mut operation, has_route }) = self.settings.begin(&http) else {
            return ResponseFuture::unobserved(self.inner.call(request));
        };
        if self.settings.request_attributes {
            let attributes = RequestAttributes::default();
            request.extensions_mut().insert(attributes.clone());
            operation.add_at_end(move |to| attributes.write(to));
        }
        operation.tally().request = content_length(request.headers());
        let method = request.method().clone();
        let future = operation.run(|| with_serving(true, || self.inner.call(request)));
        ResponseFuture::observed(future, Observed { operation, method, has_route })
    }
}

/// What the request says of its body's length.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<S: fmt::Debug> fmt::Debug for HttpServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("inner", &self.inner).finish_non_exhaustive()
    }
}
