//! The response: its head, and its body, which is read as it passes.

use std::any::{Any, type_name};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use otel_core::{BodyObserver, ErrorType, HttpFailure, ObservedBody};
use pin_project_lite::pin_project;

use super::request_body::each_slice;
use super::settings::Call;
use crate::reading::Reading;

pin_project! {
    /// The response to a request through a [`GenAiLayer`](crate::GenAiLayer), polled in the context of the call's span.
    #[derive(Debug)]
    pub struct GenAiResponseFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F> GenAiResponseFuture<F> {
    pub(super) fn new(inner: F, call: Option<Call>) -> Self {
        Self { inner, call }
    }
}

impl<F, B, E> Future for GenAiResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: 'static,
{
    type Output = Result<Response<GenAiResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(match this.call.as_mut() {
            Some(call) => call.inference.run(|| this.inner.poll(cx)),
            None => this.inner.poll(cx),
        });
        let Some(call) = this.call.take() else {
            return Poll::Ready(result.map(|response| response.map(GenAiResponseBody::unobserved)));
        };
        Poll::Ready(match result {
            Ok(response) => {
                let reading = call.respond(response.status(), response.headers());
                Ok(response.map(|body| GenAiResponseBody::new(body, reading)))
            }
            Err(error) => {
                call.fail(&error);
                Err(error)
            }
        })
    }
}

fn failure_of(error: &dyn Any) -> Option<HttpFailure> {
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref() {
        return HttpFailure::of_reqwest(error);
    }
    HttpFailure::of_any(error)
}

impl Call {
    /// There was no response.
    pub(crate) fn fail<E: 'static>(mut self, error: &E) {
        let of_named = || self.client_errors.iter().find_map(|failure_of| failure_of(error));
        let failure = failure_of(error).or_else(of_named);
        let error_type = failure.map_or_else(ErrorType::of::<E>, HttpFailure::error_type);
        self.inference.guard.finish(crate::operation::Exit::Fail(error_type));
    }
}

pin_project! {
    /// A response's body, unchanged. The call's span ends when the last of it has passed, when it fails, or when it is
    /// dropped.
    #[derive(Debug)]
    pub struct GenAiResponseBody<B: Body> {
        #[pin]
        body: ObservedBody<B, BodyReading>,
    }
}

impl<B: Body> GenAiResponseBody<B> {
    fn new(body: B, reading: Reading) -> Self {
        Self { body: ObservedBody::new(body, BodyReading::new(reading, !is_hypers::<B>())) }
    }

    fn unobserved(body: B) -> Self {
        Self { body: ObservedBody::unobserved(body) }
    }
}

impl<B: Body> Body for GenAiResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body + Default> Default for GenAiResponseBody<B> {
    fn default() -> Self {
        Self::unobserved(B::default())
    }
}

/// Whether `B` is what hyper's client has received: nothing runs in there that could ask for a context, and to attach one
/// twice for each chunk costs more than to read it.
///
/// Bodies that borrow have no `TypeId`, and this crate does without hyper. A type of the same name would be polled without
/// the context, and nothing else.
fn is_hypers<B>() -> bool {
    type_name::<B>() == "hyper::body::incoming::Incoming"
}

/// Reads what passes.
#[derive(Debug)]
pub(crate) struct BodyReading {
    pub(crate) reading: Reading,
    /// Whether the body is polled in the context of the span.
    attaches: bool,
}

impl BodyReading {
    pub(crate) const fn new(reading: Reading, attaches: bool) -> Self {
        Self { reading, attaches }
    }
}

impl<E> BodyObserver<E> for BodyReading {
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        match self.attaches {
            true => self.reading.run(poll),
            false => self.reading.run_outside(poll),
        }
    }

    fn chunk(&mut self, data: &impl Buf) {
        if !each_slice(data, |slice| self.reading.read(slice)) {
            self.reading.stop();
        }
    }

    fn end(self) {
        self.reading.end();
    }

    fn error(self, _: &E) {
        self.reading.fail(HttpFailure::Body.error_type());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_hyper_is_known() {
        assert!(is_hypers::<hyper::body::Incoming>());
        assert!(!is_hypers::<&hyper::body::Incoming>());
        assert!(!is_hypers::<GenAiResponseBody<hyper::body::Incoming>>());
    }
}
