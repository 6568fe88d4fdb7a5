//! The body of a response: a call ends when it has passed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use otel_core::{BodyObserver, ObservedBody};
use pin_project_lite::pin_project;
use tonic::Code;

use crate::call::Call;
use crate::code;
use crate::error::code_of;
use crate::side::Side;

pin_project! {
    /// A response's body, unchanged. The call's span ends with the trailers, when the body fails, or when it is dropped.
    #[derive(Debug)]
    pub struct GrpcResponseBody<B: Body, S: Side>
    where
        B::Error: 'static,
    {
        #[pin]
        body: ObservedBody<B, EndsCall<S>>,
    }
}

impl<B: Body, S: Side> GrpcResponseBody<B, S>
where
    B::Error: 'static,
{
    pub(crate) fn new(body: B, call: EndsCall<S>) -> Self {
        Self { body: ObservedBody::new(body, call).until_trailers() }
    }

    pub(crate) fn unobserved(body: B) -> Self {
        Self { body: ObservedBody::unobserved(body) }
    }
}

impl<B: Body, S: Side> Body for GrpcResponseBody<B, S>
where
    B::Error: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body + Default, S: Side> Default for GrpcResponseBody<B, S>
where
    B::Error: 'static,
{
    fn default() -> Self {
        Self::unobserved(B::default())
    }
}

/// The call that ends with the body.
#[derive(Debug)]
pub(crate) struct EndsCall<S: Side> {
    pub(crate) call: Call<S>,
    /// What a body without trailers stands for.
    pub(crate) without_status: Code,
}

impl<E: 'static, S: Side> BodyObserver<E> for EndsCall<S> {
    /// A server's stream is made by the application, which works in the call's context. What a client polls is the
    /// transport.
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        if S::IS_SERVER { self.call.run(poll) } else { poll() }
    }

    fn chunk(&mut self, chunk: &impl Buf) {
        self.call.on_data(chunk);
    }

    /// Nothing comes after trailers, and a server may drop the body without asking for more.
    fn trailers(&mut self, trailers: &HeaderMap) {
        self.call.end(code::in_headers(trailers).unwrap_or(self.without_status), Some(trailers));
    }

    fn end(mut self) {
        self.call.end(self.without_status, None);
    }

    fn error(mut self, error: &E) {
        self.call.fail(code_of(error));
    }
}
