//! The attempts of a call, measured one by one inside of a retry layer.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};

use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use otel_core::{Instrumenter, current_context};
use tower_layer::Layer;
use tower_service::Service;

use super::settings::method_of;
use crate::GrpcRequest;
use crate::body::GrpcResponseBody;
use crate::call::{Call, CallParts};
use crate::convention::{CallStart, GrpcConvention};
use crate::deadline::Deadline;
use crate::future::GrpcResponseFuture;
use crate::messages::{MessageReport, Messages};
use crate::side::AttemptSide;

/// "The number of preceding attempts for the RPC", so that a server may tell: gRPC's proposal A6.
static PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// Measures each attempt of a call by itself; made by
/// [`GrpcClientLayer::attempt_layer`](crate::GrpcClientLayer::attempt_layer).
#[derive(Clone)]
#[must_use]
pub struct GrpcAttemptLayer {
    settings: Arc<AttemptSettings>,
}

/// What the attempts of one client share.
pub(super) struct AttemptSettings {
    pub(super) instrumenter: Instrumenter<GrpcConvention<AttemptSide>>,
    pub(super) methods: Option<HashSet<&'static str>>,
}

/// In a request's extensions: how many attempts its call has made, and when all of them must have ended.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    pub(super) count: Arc<AttemptCount>,
    pub(super) deadline: Option<Deadline>,
}

/// How many attempts a call has made, as far as they are measured apart.
#[derive(Debug)]
pub(crate) struct AttemptCount {
    made: AtomicU64,
    /// Of the call's channel: an attempt layer is further in. Known from its first attempt on.
    is_apart: Arc<AtomicBool>,
}

impl AttemptCount {
    pub(super) fn new(is_apart: Arc<AtomicBool>) -> Self {
        Self { made: AtomicU64::new(0), is_apart }
    }

    /// `None` where the call is its only attempt: another channel of the same layer may have the attempt layer.
    pub(crate) fn made_apart(&self) -> Option<u64> {
        self.is_apart.load(Ordering::Relaxed).then(|| self.made.load(Ordering::Relaxed))
    }

    /// How many there were before.
    fn add(&self) -> u64 {
        // A line that all threads write would be slower than to look first.
        if !self.is_apart.load(Ordering::Relaxed) {
            self.is_apart.store(true, Ordering::Relaxed);
        }
        self.made.fetch_add(1, Ordering::Relaxed)
    }
}

impl GrpcAttemptLayer {
    pub(super) fn new(settings: Arc<AttemptSettings>) -> Self {
        Self { settings }
    }
}

impl<S> Layer<S> for GrpcAttemptLayer {
    type Service = GrpcAttempt<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcAttempt { inner, settings: Arc::clone(&self.settings) }
    }
}

impl fmt::Debug for GrpcAttemptLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcAttemptLayer").finish_non_exhaustive()
    }
}

/// A channel whose attempts are measured; made by [`GrpcAttemptLayer`].
#[derive(Clone)]
pub struct GrpcAttempt<S> {
    inner: S,
    settings: Arc<AttemptSettings>,
}

impl<S, A, B> Service<Request<A>> for GrpcAttempt<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: 'static,
    A: 'static,
    B: Body,
    B::Error: 'static,
{
    type Response = Response<GrpcResponseBody<B, AttemptSide>>;
    type Error = S::Error;
    type Future = GrpcResponseFuture<S::Future, AttemptSide>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let Some(of_call) = number(&mut request) else {
            return GrpcResponseFuture::unobserved(self.inner.call(request));
        };
        let mut call = self.settings.begin(&GrpcRequest::new(&request), of_call.deadline);
        let request = call.watch_request(request);
        let future = call.run(|| self.inner.call(request));
        GrpcResponseFuture::observed(future, call)
    }
}

impl<S: fmt::Debug> fmt::Debug for GrpcAttempt<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcAttempt").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Counts the attempt, and tells the server of those before it. `None` when no call further out is measured.
fn number<A>(request: &mut Request<A>) -> Option<Attempts> {
    let attempts: Attempts = request.extensions().get().cloned()?;
    let previous = attempts.count.add();
    let headers = request.headers_mut();
    if previous > 0 {
        // A map at its limit keeps what it has.
        let _ = headers.try_insert(PREVIOUS_ATTEMPTS.clone(), HeaderValue::from(previous));
    } else {
        // Of a call that is handed on with the metadata it came with, it would be that of another client.
        headers.remove(&PREVIOUS_ATTEMPTS);
    }
    Some(attempts)
}

impl AttemptSettings {
    fn begin(&self, grpc: &GrpcRequest<'_>, of_call: Option<Deadline>) -> Call<AttemptSide> {
        let parent = current_context();
        let method = method_of(grpc, self.methods.as_ref());
        let is_counted = method.is_known();
        let start = CallStart {
            grpc: *grpc,
            method,
            name: None,
            peer: None,
            context: &parent,
            names: None,
            is_counted,
        };
        let operation = self.instrumenter.start(&parent, &start);
        if operation.is_inert() {
            return Call::inert(operation);
        }
        let rules = &self.instrumenter.convention().rules;
        let messages = Messages::wanted(MessageReport::default(), rules, is_counted, None);
        let deadline = Deadline::earlier(of_call, Deadline::start(grpc.headers));
        let parts = CallParts { deadline, standing: method.standing(), messages, ..CallParts::default() };
        Call::new(operation, parts)
    }
}
