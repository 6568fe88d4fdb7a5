//! What hooks and conventions see of a request: a view, borrowed from the application's own types.

use http::{Extensions, HeaderMap, HeaderName, Method, StatusCode, Version};

use crate::url::Url;

/// A request as filters and other hooks see it.
///
/// ```
/// use otel_http::HttpServerLayer;
///
/// let layer = HttpServerLayer::builder().with_filter(|request| request.path() != "/healthz").build();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: Url<'a>,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
}

impl<'a> HttpRequest<'a> {
    pub(crate) fn new<B>(request: &'a http::Request<B>) -> Self {
        Self {
            method: request.method(),
            url: Url::from_uri(request.uri()),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// A request as it came to the server: nested routers of axum hand on only the rest of the path.
    pub(crate) fn as_it_came<B>(request: &'a http::Request<B>) -> Self {
        let seen = Self::new(request);
        #[cfg(feature = "axum")]
        if let Some(uri) = crate::axum::original_uri(seen.extensions) {
            return Self { url: Url::from_uri(uri), ..seen };
        }
        seen
    }

    /// The method as it was sent.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The path as it was sent, without the query: unbounded, never a name or a metric attribute.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.url.path
    }

    /// The query without its question mark, with whatever secrets it holds.
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.url.query
    }

    /// The headers, with whatever secrets they hold.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What layers outside of this one have put into the request; on a reqwest client always empty, other than on its
    /// middleware.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The value of a header that is there exactly once and is text.
    pub(crate) fn text(&self, name: &HeaderName) -> Option<&'a str> {
        let value = self.headers.get(name)?;
        // Counted only where any header comes twice, which is rare.
        let comes_once = self.headers.len() == self.headers.keys_len()
            || self.headers.get_all(name).iter().nth(1).is_none();
        if comes_once { value.to_str().ok() } else { None }
    }
}

/// A filter for a server that answers gRPC as well, where `otel-grpc` observes those calls: the content types
/// `application/grpc`, `application/grpc-web` and `application/grpc-web-text`, with whatever follows a plus sign or a
/// semicolon, are left out.
///
/// ```
/// use otel_http::{HttpServerLayer, not_grpc};
///
/// let layer = HttpServerLayer::builder().with_filter(not_grpc).build();
/// ```
#[must_use]
pub fn not_grpc(request: &HttpRequest<'_>) -> bool {
    let content_type = request.headers.get(http::header::CONTENT_TYPE);
    !content_type.is_some_and(|value| is_grpc(value.as_bytes()))
}

/// What only begins like it is for no gRPC layer either, so that nobody would observe it.
fn is_grpc(content_type: &[u8]) -> bool {
    let Some(rest) = without_prefix(content_type, b"application/grpc") else { return false };
    let of_web = without_prefix(rest, b"-web").map(|web| without_prefix(web, b"-text").unwrap_or(web));
    let rest = of_web.unwrap_or(rest);
    matches!(rest, [] | [b'+' | b';' | b' ', ..])
}

/// "The type and subtype tokens are case-insensitive."
fn without_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A response's head as hooks see it.
#[derive(Clone, Copy, Debug)]
pub struct HttpResponse<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
}

impl<'a> HttpResponse<'a> {
    pub(crate) fn new<B>(response: &'a http::Response<B>) -> Self {
        let (headers, extensions) = (response.headers(), response.extensions());
        Self { status: response.status(), headers, extensions }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers, with whatever secrets they hold.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What layers inside of this one have put into the response.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }
}
