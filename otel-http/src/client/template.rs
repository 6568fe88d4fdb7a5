//! `url.template`: what a client's URLs have in common.

use std::borrow::Cow;
use std::sync::Arc;

use crate::HttpRequest;
use crate::cached::Route;

/// The template of the URL that a request is sent to, such as `/users/{id}`.
///
/// Put it into the extensions of a request, and its span is named `{method} {template}`, and span and metrics carry
/// `url.template` (stability: development). It must have few different values: never the path itself. A layer that follows
/// redirects may hand it on to requests for other paths; the reqwest client that follows them itself does not.
///
/// ```
/// use otel_http::UrlTemplate;
///
/// let id = 42;
/// let request = http::Request::get(format!("http://users.example/users/{id}"))
///     .extension(UrlTemplate::new("/users/{id}"))
///     .body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(Cow<'static, str>);

impl UrlTemplate {
    /// A template, by convention with its variable parts in braces.
    pub fn new(template: impl Into<Cow<'static, str>>) -> Self {
        Self(template.into())
    }

    /// The template as it is recorded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The templates that a client knows, the most exact ones first.
#[derive(Clone, Debug, Default)]
pub(crate) struct UrlTemplates(Arc<[Template]>);

#[derive(Clone, Debug)]
struct Template {
    text: String,
    segments: Vec<Segment>,
}

/// The order is that of exactness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Text(String),
    Any,
    /// All that is left of the path, which may be several segments.
    Rest,
}

impl UrlTemplates {
    pub(crate) fn new(templates: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut templates: Vec<_> = templates.into_iter().map(|text| Template::new(text.into())).collect();
        templates.sort_by(|one, other| one.segments.cmp(&other.segments));
        Self(templates.into())
    }

    /// The template of a request: its own, or the first of the table that fits the path.
    pub(crate) fn find(&self, own: Option<&UrlTemplate>, request: &HttpRequest<'_>) -> Option<Route> {
        if let Some(own) = own {
            return Some(Route::new(own.as_str()));
        }
        let path = request.path();
        self.0.iter().find(|template| template.fits(path)).map(|template| Route::new(&template.text))
    }
}

impl Template {
    fn new(text: String) -> Self {
        let segments = text.split('/').map(|segment| match segment {
            _ if !(segment.starts_with('{') && segment.ends_with('}')) => Segment::Text(segment.to_owned()),
            _ if segment.starts_with("{*") => Segment::Rest,
            _ => Segment::Any,
        });
        Self { segments: segments.collect(), text }
    }

    fn fits(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        for segment in &self.segments {
            let Some(part) = parts.next() else { return false };
            match segment {
                Segment::Text(text) if text == part => {}
                Segment::Any if !part.is_empty() => {}
                Segment::Rest => return true,
                Segment::Text(_) | Segment::Any => return false,
            }
        }
        parts.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_template_that_fits_counts() {
        let table = UrlTemplates::new([
            "/{*rest}",
            "/users/{id}",
            "/users/me",
            "/users/{id}/orders/{order}",
            "/files/{*path}",
            "no slash",
        ]);
        for (path, expected) in [
            ("/users/42", "/users/{id}"),
            ("/users/me", "/users/me"),
            ("/users/42/orders/7", "/users/{id}/orders/{order}"),
            ("/users/", "/{*rest}"),
            ("/files/a/b", "/files/{*path}"),
            ("/other", "/{*rest}"),
            ("/", "/{*rest}"),
        ] {
            let found = table.0.iter().find(|template| template.fits(path));
            assert_eq!(found.map(|template| &*template.text), Some(expected), "{path}");
        }
        assert!(!UrlTemplates::new(["/users/{id}"]).0[0].fits("/users/42/more"));
    }
}
