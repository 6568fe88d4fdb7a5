//! The body of a response: an operation may end when it has passed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use otel_core::{BodyObserver, ErrorType, ObservedBody, Operation};
use pin_project_lite::pin_project;

use crate::client::ClientBody;
use crate::server::ServerConvention;

pin_project! {
    /// A response's body, unchanged. On a server, and on a client that was told to
    /// [wait for it](crate::HttpClientLayerBuilder::with_end_at_body), the request's span ends when the last of it has
    /// passed, when it fails, or when it is dropped.
    #[derive(Debug)]
    pub struct HttpResponseBody<B: Body> {
        #[pin]
        body: ObservedBody<B, EndsOperation>,
    }
}

impl<B: Body> HttpResponseBody<B> {
    pub(crate) fn new(body: B, operation: EndsOperation) -> Self {
        Self { body: ObservedBody::new(body, operation) }
    }

    pub(crate) fn with_announced_length(self, length: Option<u64>) -> Self {
        Self { body: self.body.with_announced_length(length) }
    }

    pub(crate) fn unobserved(body: B) -> Self {
        Self { body: ObservedBody::unobserved(body) }
    }
}

impl<B: Body> Body for HttpResponseBody<B> {
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

impl<B: Body + Default> Default for HttpResponseBody<B> {
    fn default() -> Self {
        Self::unobserved(B::default())
    }
}

/// The operation that ends with the body.
#[derive(Debug)]
pub(crate) enum EndsOperation {
    Server(Operation<ServerConvention>),
    Client(ClientBody),
}

impl<E> BodyObserver<E> for EndsOperation {
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        match self {
            Self::Server(operation) => operation.run(poll),
            Self::Client(client) => BodyObserver::<E>::around_poll(client, poll),
        }
    }

    fn chunk(&mut self, chunk: &impl Buf) {
        match self {
            Self::Server(operation) => operation.tally().on_response_data(chunk),
            Self::Client(client) => BodyObserver::<E>::chunk(client, chunk),
        }
    }

    fn end(self) {
        match self {
            Self::Server(operation) => operation.end(),
            Self::Client(client) => BodyObserver::<E>::end(client),
        }
    }

    fn error(self, error: &E) {
        match self {
            Self::Server(operation) => operation.fail(ErrorType::of::<E>()),
            Self::Client(client) => client.error(error),
        }
    }
}
