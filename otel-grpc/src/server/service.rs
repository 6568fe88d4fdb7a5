//! The service that the layer puts around another one.

use std::fmt;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use otel_core::{AlreadyObserved, RequestAttributes, ServerLayer};
use tower_service::Service;

use super::settings::Settings;
use crate::GrpcRequest;
use crate::body::GrpcResponseBody;
use crate::future::GrpcResponseFuture;
use crate::request::is_grpc;
use crate::side::ServerSide;

/// A service that gives each call a server span and a duration; made by [`GrpcServerLayer`](crate::GrpcServerLayer).
#[derive(Clone)]
pub struct GrpcServer<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> GrpcServer<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, A, B> Service<Request<A>> for GrpcServer<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: 'static,
    A: 'static,
    B: Body,
    B::Error: 'static,
{
    type Response = Response<GrpcResponseBody<B, ServerSide>>;
    type Error = S::Error;
    type Future = GrpcResponseFuture<S::Future, ServerSide>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        // A handler may ask for them whether or not the call is observed.
        let gives_attributes = self.settings.request_attributes;
        let added = gives_attributes.then(|| RequestAttributes::of(request.extensions_mut()));
        if self.settings.instrumenter.is_idle() || !is_grpc(request.headers()) {
            return GrpcResponseFuture::unobserved(self.inner.call(request));
        }
        AlreadyObserved::unmark(request.extensions_mut());
        if ServerLayer::Grpc.is_marked(request.extensions()) {
            return GrpcResponseFuture::unobserved(self.inner.call(request));
        }
        let Some(mut call) = self.settings.begin(&GrpcRequest::new(&request), added) else {
            return GrpcResponseFuture::unobserved(self.inner.call(request));
        };
        if !call.is_inert() {
            ServerLayer::Grpc.mark(request.extensions_mut());
        }
        let request = call.watch_request(request);
        let future = call.run(|| self.inner.call(request));
        GrpcResponseFuture::observed(future, call)
    }
}

impl<S: fmt::Debug> fmt::Debug for GrpcServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServer").field("inner", &self.inner).finish_non_exhaustive()
    }
}

// tonic asks for the name of a service that is added to a server.
impl<S: tonic::server::NamedService> tonic::server::NamedService for GrpcServer<S> {
    const NAME: &'static str = S::NAME;
}
