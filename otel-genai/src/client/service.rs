//! The service that the layer puts around a client.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::header::HOST;
use http::uri::Authority;
use http::{Method, Request, Response};
use http_body::Body;
use opentelemetry::Context;
use otel_core::current_context;
use tower_service::Service;

use super::request_body::GenAiRequestBody;
use super::response::{GenAiResponseBody, GenAiResponseFuture};
use super::settings::{LayerSettings, Recognised};

/// A client that gives each call of a model a span and metrics; made by [`GenAiLayer`](crate::GenAiLayer).
#[derive(Clone)]
pub struct GenAiService<S> {
    pub(crate) inner: S,
    pub(crate) settings: Arc<LayerSettings>,
}

impl<S> GenAiService<S> {
    pub(super) fn new(inner: S, settings: Arc<LayerSettings>) -> Self {
        Self { inner, settings }
    }

    /// The client inside: what it sends is not observed.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S, A, B> Service<Request<A>> for GenAiService<S>
where
    S: Service<Request<GenAiRequestBody<A>>, Response = Response<B>>,
    S::Error: 'static,
    A: Body + Unpin,
    B: Body,
{
    type Response = Response<GenAiResponseBody<B>>;
    type Error = S::Error;
    type Future = GenAiResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let parent = current_context();
        let Some(recognised) = self.recognise(&parent, &request) else {
            return GenAiResponseFuture::new(self.inner.call(request.map(GenAiRequestBody::unread)), None);
        };
        let mut reader = self.settings.request_reader(&recognised, request.headers());
        let request = request.map(|body| match &mut reader {
            Some(reader) => GenAiRequestBody::read(body, reader),
            None => GenAiRequestBody::unread(body),
        });
        let mut call = self.settings.start(&parent, recognised, reader);
        let future = call.inference.run(|| self.inner.call(request));
        GenAiResponseFuture::new(future, Some(call))
    }
}

impl<S> GenAiService<S> {
    /// A call of a model is a POST; what else is sent to the same hosts is not.
    fn recognise<A>(&self, parent: &Context, request: &Request<A>) -> Option<Recognised> {
        if request.method() != Method::POST {
            return None;
        }
        let uri = request.uri();
        let of_header = || -> Option<Authority> { request.headers().get(HOST)?.to_str().ok()?.parse().ok() };
        let authority = uri.authority().cloned().or_else(of_header)?;
        let is_https = uri.scheme_str() != Some("http");
        self.settings.recognise(parent, authority.host(), authority.port_u16(), is_https, uri.path())
    }
}

impl<S: fmt::Debug> fmt::Debug for GenAiService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAiService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
