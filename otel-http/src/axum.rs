//! What axum knows of a request.

use std::any::Any;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, OriginalUri};
use bytes::{Buf, Bytes};
use http::{Extensions, Uri};
use http_body::{Body as _, Frame, SizeHint};
use otel_core::{BodyObserver, ObservedBody};

use crate::HttpRequest;
use crate::capture::Captured;
use crate::server::Passed;

/// The template of the route that matched; with nested routers the whole of it.
pub(crate) fn matched_route<'a>(request: &HttpRequest<'a>) -> Option<Cow<'a, str>> {
    request.extensions.get::<MatchedPath>().map(|path| Cow::Borrowed(path.as_str()))
}

/// The URI that the outermost router was asked for.
pub(crate) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<OriginalUri>().map(|OriginalUri(uri)| uri)
}

/// The address that `into_make_service_with_connect_info` has noted.
pub(crate) fn peer_address(request: &HttpRequest<'_>) -> Option<SocketAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address)
}

/// Lets a copy of the beginning of an axum request's body be taken as it passes; other bodies are left alone.
pub(crate) fn capture_body<A: 'static>(request: &mut http::Request<A>, place: Captured) {
    if let Some(body) = body_of(request) {
        *body = observed(std::mem::take(body), Copies(place));
    }
}

/// Counts the bytes of an axum request's body as they pass, if there are any; `None` for other bodies.
pub(crate) fn count_body<A: 'static>(request: &mut http::Request<A>) -> Option<Passed> {
    let body = body_of(request).filter(|body| !body.is_end_stream())?;
    let passed = Passed::default();
    *body = observed(std::mem::take(body), Counts(passed.clone()));
    Some(passed)
}

fn body_of<A: 'static>(request: &mut http::Request<A>) -> Option<&mut Body> {
    let request: &mut dyn Any = request;
    request.downcast_mut::<http::Request<Body>>().map(http::Request::body_mut)
}

fn observed(body: Body, observer: impl BodyObserver<axum::Error> + Send + Unpin + 'static) -> Body {
    Body::new(SameErrors(ObservedBody::new(body, observer)))
}

/// axum wraps the errors of each body in its own, and looks for what it knows ("length limit exceeded") only two deep, so one
/// more would make a 400 of a 413.
struct SameErrors<O: BodyObserver<axum::Error>>(ObservedBody<Body, O>);

impl<O: BodyObserver<axum::Error> + Unpin> http_body::Body for SameErrors<O> {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let polled = Pin::new(&mut self.0).poll_frame(cx);
        polled.map(|frame| frame.map(|frame| frame.map_err(axum::Error::into_inner)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

struct Copies(Captured);

impl<E> BodyObserver<E> for Copies {
    fn chunk(&mut self, chunk: &impl Buf) {
        self.0.add(chunk);
    }

    fn end(self) {}

    fn error(self, _: &E) {}
}

struct Counts(Passed);

impl<E> BodyObserver<E> for Counts {
    fn chunk(&mut self, chunk: &impl Buf) {
        self.0.add(chunk.remaining());
    }

    fn end(self) {
        self.0.add(0);
    }

    fn error(self, _: &E) {}
}
