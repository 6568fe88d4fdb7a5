//! What axum knows of a request.

use std::any::Any;
use std::borrow::Cow;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath};
use bytes::Buf;
use otel_core::{BodyObserver, ObservedBody};

use crate::HttpRequest;
use crate::capture::Captured;

/// The template of the route that matched; with nested routers the whole of it.
pub(crate) fn matched_route<'a>(request: &HttpRequest<'a>) -> Option<Cow<'a, str>> {
    request.extensions.get::<MatchedPath>().map(|path| Cow::Borrowed(path.as_str()))
}

/// The address that `into_make_service_with_connect_info` has noted.
pub(crate) fn peer_address(request: &HttpRequest<'_>) -> Option<SocketAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address)
}

/// Lets a copy of the beginning of an axum request's body be taken as it passes; other bodies are left alone.
pub(crate) fn capture_body<A: 'static>(request: &mut http::Request<A>, place: Captured) {
    let request: &mut dyn Any = request;
    if let Some(request) = request.downcast_mut::<http::Request<Body>>() {
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = Body::new(ObservedBody::new(body, Copies(place)));
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
