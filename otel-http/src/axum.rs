//! What axum knows of a request.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath};

use crate::HttpRequest;

/// The template of the route that matched; with nested routers the whole of it.
pub(crate) fn matched_route<'a>(request: &HttpRequest<'a>) -> Option<Cow<'a, str>> {
    request.extensions.get::<MatchedPath>().map(|path| Cow::Borrowed(path.as_str()))
}

/// The address that `into_make_service_with_connect_info` has noted.
pub(crate) fn peer_address(request: &HttpRequest<'_>) -> Option<SocketAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address)
}
