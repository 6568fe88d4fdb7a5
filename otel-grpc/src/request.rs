//! What hooks and conventions see of a call: views, borrowed from the application's own types.

use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderValue, Uri, header};
use otel_core::AttributeNames;
use tonic::Code;

use crate::deadline::timeout_in;
use crate::header::value_of;
use crate::method::name_in;

/// A call as filters and other hooks see it.
///
/// ```
/// use otel_grpc::GrpcServerLayer;
///
/// let layer = GrpcServerLayer::builder().with_filter(|call| call.service() != "shop.v1.Debug").build();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GrpcRequest<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
}

impl<'a> GrpcRequest<'a> {
    pub(crate) fn new<B>(request: &'a http::Request<B>) -> Self {
        Self { uri: request.uri(), headers: request.headers(), extensions: request.extensions() }
    }

    /// The path as it was sent, `/package.Service/Method`: anybody may call anything, so it is unbounded.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.uri.path()
    }

    /// `package.Service`, or nothing when the path names no method.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.parts().0
    }

    /// `Method`, or nothing when the path names no method.
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.parts().1
    }

    /// The metadata, with whatever secrets it holds.
    #[must_use]
    pub fn metadata(&self) -> &'a HeaderMap {
        self.headers
    }

    /// How long the caller is willing to wait, as it says in `grpc-timeout`.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        timeout_in(self.headers)
    }

    /// What layers outside of this one, and tonic, have put into the request.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// Without what a client's origin, or a router, has put before them.
    fn parts(&self) -> (&'a str, &'a str) {
        let parts = name_in(self.path()).and_then(|name| name.rsplit_once('/'));
        let (service, method) = parts.unwrap_or_default();
        (service.rsplit_once('/').map_or(service, |(_prefix, service)| service), method)
    }
}

/// How a call ended, as hooks see it.
#[derive(Clone, Copy, Debug)]
pub struct GrpcResponse<'a> {
    pub(crate) code: Code,
    pub(crate) trailers: Option<&'a HeaderMap>,
    pub(crate) names: Option<&'a AttributeNames>,
}

impl<'a> GrpcResponse<'a> {
    /// The status code: the one that came, or what stands for how the call ended.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The metadata that came with the status, with whatever secrets it holds. `None` when the call ended without one:
    /// cancelled, out of time, broken off.
    #[must_use]
    pub fn trailers(&self) -> Option<&'a HeaderMap> {
        self.trailers
    }
}

/// A filter that leaves health checks and reflection out: `grpc.health.*` and `grpc.reflection.*`.
///
/// ```
/// use otel_grpc::{GrpcServerLayer, not_health_or_reflection};
///
/// let layer = GrpcServerLayer::builder().with_filter(not_health_or_reflection).build();
/// ```
#[must_use]
pub fn not_health_or_reflection(call: &GrpcRequest<'_>) -> bool {
    let service = call.service();
    !service.starts_with("grpc.health.") && !service.starts_with("grpc.reflection.")
}

const GRPC: &[u8] = b"application/grpc";

/// Whether the request is a gRPC call: others may pass the same layer in a router that has both.
///
/// gRPC-Web is none here: its trailers are in the body, and tonic's layer for it makes plain gRPC of it.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let is_grpc = |value: &HeaderValue| {
        // "The type and subtype tokens are case-insensitive": a call that is served is observed.
        let Some((name, rest)) = value.as_bytes().split_at_checked(GRPC.len()) else { return false };
        name.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';' | b' ', ..])
    };
    value_of(headers, &header::CONTENT_TYPE).is_some_and(is_grpc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_calls() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc+json; charset=utf-8", true),
            ("application/grpc;x", true),
            ("Application/gRPC+proto", true),
            ("Application/gRPC-Web", false),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(is_grpc(&headers), expected, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn the_infrastructure_is_filtered_and_nothing_that_looks_like_it() {
        for (path, wanted) in [
            ("/grpc.health.v1.Health/Check", false),
            ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", false),
            ("/api/grpc.health.v1.Health/Check", false),
            ("/grpc.healthy.v1.Health/Check", true),
            ("/shop.grpc.health.Health/Check", true),
            ("/shop.v1.Orders/Place", true),
            ("/", true),
        ] {
            let request = http::Request::post(path).body(()).unwrap();
            assert_eq!(not_health_or_reflection(&GrpcRequest::new(&request)), wanted, "{path}");
        }
    }
}
