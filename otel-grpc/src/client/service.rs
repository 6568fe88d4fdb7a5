//! The service that the layer puts around a channel.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::settings::Settings;
use crate::body::GrpcResponseBody;
use crate::future::GrpcResponseFuture;
use crate::side::ClientSide;

/// A channel that gives each call a client span and a duration, and hands the context on in the call's metadata; made by
/// [`GrpcClientLayer`](crate::GrpcClientLayer).
#[derive(Clone)]
pub struct GrpcClient<S> {
    inner: S,
    settings: Arc<Settings>,
    /// Shared by the clones: whether attempts on this channel are measured apart.
    has_attempts_apart: Arc<AtomicBool>,
}

impl<S> GrpcClient<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings, has_attempts_apart: Arc::default() }
    }
}

impl<S, A, B> Service<Request<A>> for GrpcClient<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: 'static,
    A: 'static,
    B: Body,
    B::Error: 'static,
{
    type Response = Response<GrpcResponseBody<B, ClientSide>>;
    type Error = S::Error;
    type Future = GrpcResponseFuture<S::Future, ClientSide>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let Some(mut call) = self.settings.begin(&mut request, &self.has_attempts_apart) else {
            return GrpcResponseFuture::unobserved(self.inner.call(request));
        };
        let request = call.watch_request(request);
        let future = call.run(|| self.inner.call(request));
        GrpcResponseFuture::observed(future, call)
    }
}

impl<S: fmt::Debug> fmt::Debug for GrpcClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcClient").field("inner", &self.inner).finish_non_exhaustive()
    }
}
