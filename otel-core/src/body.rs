//! Sees what becomes of an HTTP body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Told what happens to a body, at most one of [`end`](Self::end) and [`error`](Self::error); dropped when the body is
/// dropped before either.
pub trait BodyObserver<E> {
    /// Polls the body, or drops it while it is observed: attach a context around `poll` here.
    fn around_poll<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        poll()
    }

    /// A piece of data has passed.
    fn chunk(&mut self, chunk: &impl Buf) {
        let _ = chunk;
    }

    /// The trailers have passed.
    fn trailers(&mut self, trailers: &HeaderMap) {
        let _ = trailers;
    }

    /// The body has passed whole.
    fn end(self);

    /// The body has failed.
    fn error(self, error: &E);
}

pin_project! {
    /// A body that tells an observer how it passes, and passes unchanged.
    ///
    /// A body counts as ended as soon as nothing more can come: servers drop a body they know to be finished instead of
    /// polling it once more, and stop polling at the announced length.
    #[derive(Debug)]
    pub struct ObservedBody<B: Body, O: BodyObserver<B::Error>> {
        // `None` once it has been dropped, which the observer is around.
        #[pin]
        body: Option<B>,
        observer: Option<O>,
        // Bytes still to come, when the length is known. 0: dropping the body now is no early drop.
        remaining: Option<u64>,
    }

    impl<B: Body, O: BodyObserver<B::Error>> PinnedDrop for ObservedBody<B, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(observer) = this.observer.as_mut() {
                observer.around_poll(|| this.body.set(None));
            }
            if *this.remaining == Some(0) {
                end(this.observer);
            }
        }
    }
}

impl<B: Body, O: BodyObserver<B::Error>> ObservedBody<B, O> {
    /// Observes `body`. A body with nothing in it ends at once.
    pub fn new(body: B, observer: O) -> Self {
        let remaining = body.size_hint().exact();
        if body.is_end_stream() {
            observer.end();
            return Self::unobserved(body);
        }
        Self { body: Some(body), observer: Some(observer), remaining }
    }

    /// Says the length that is announced for a body that does not know its own: servers take no more of it.
    #[must_use]
    pub fn with_announced_length(mut self, length: Option<u64>) -> Self {
        self.remaining = self.remaining.or(length);
        self
    }

    /// For a body whose trailers say how it ended: it has not ended with its last byte, whatever length it announces.
    #[must_use]
    pub fn until_trailers(mut self) -> Self {
        self.remaining = None;
        self
    }

    /// A body that nobody observes, of the same type.
    pub fn unobserved(body: B) -> Self {
        Self { body: Some(body), observer: None, remaining: None }
    }
}

impl<B: Body, O: BodyObserver<B::Error>> Body for ObservedBody<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let Some(mut body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let Some(observer) = this.observer.as_mut() else { return body.poll_frame(cx) };
        let polled = observer.around_poll(|| body.as_mut().poll_frame(cx));
        let ended = match &polled {
            Poll::Pending => false,
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(frame))) => {
                observe_frame(observer, this.remaining, frame);
                // Nothing comes after trailers, whether or not the body says so.
                frame.is_trailers() || body.is_end_stream()
            }
            Poll::Ready(Some(Err(error))) => {
                if let Some(observer) = this.observer.take() {
                    observer.error(error);
                }
                false
            }
        };
        if ended {
            end(this.observer);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

fn observe_frame<D: Buf, E>(
    observer: &mut impl BodyObserver<E>,
    remaining: &mut Option<u64>,
    frame: &Frame<D>,
) {
    if let Some(data) = frame.data_ref() {
        observer.chunk(data);
        *remaining = remaining.map(|left| left.saturating_sub(data.remaining() as u64));
    } else if let Some(trailers) = frame.trailers_ref() {
        observer.trailers(trailers);
    }
}

fn end<E>(observer: &mut Option<impl BodyObserver<E>>) {
    if let Some(observer) = observer.take() {
        observer.end();
    }
}
