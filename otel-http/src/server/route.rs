//! `http.route`: the template, never the path.

use std::borrow::Cow;

/// The route that served a request, as a template such as `/users/{id}`.
///
/// A router that knows its route only while it serves puts this into the response's extensions, and the span and the
/// metric take it from there. With axum there is nothing to do: [`HttpServerLayer::for_axum`] reads `MatchedPath`.
///
/// "The matched route template for the request. This MUST be low-cardinality and include all static path segments, with
/// dynamic path segments represented with placeholders."
/// <https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/>
///
/// ```
/// use otel_http::HttpRoute;
///
/// let mut response = http::Response::new("hello");
/// response.extensions_mut().insert(HttpRoute::new("/users/{id}"));
/// ```
///
/// [`HttpServerLayer::for_axum`]: crate::HttpServerLayer::for_axum
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRoute(Cow<'static, str>);

impl HttpRoute {
    /// A route by its template.
    pub fn new(template: impl Into<Cow<'static, str>>) -> Self {
        Self(template.into())
    }

    /// The template.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
