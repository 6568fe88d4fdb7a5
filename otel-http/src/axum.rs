//! What axum knows of a request.

use std::any::Any;
use std::borrow::Cow;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, OriginalUri};
use bytes::Buf;
use http::{Extensions, Uri};
use http_body::Body as _;
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
        *body = Body::new(ObservedBody::new(std::mem::take(body), Copies(place)));
    }
}

/// Counts the bytes of an axum request's body as they pass, if there are any; `None` for other bodies.
pub(crate) fn count_body<A: 'static>(request: &mut http::Request<A>) -> Option<Passed> {
    let body = body_of(request).filter(|body| !body.is_end_stream())?;
    let passed = Passed::default();
    *body = Body::new(ObservedBody::new(std::mem::take(body), Counts(passed.clone())));
    Some(passed)
}

fn body_of<A: 'static>(request: &mut http::Request<A>) -> Option<&mut Body> {
    let request: &mut dyn Any = request;
    request.downcast_mut::<http::Request<Body>>().map(http::Request::body_mut)
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
