//! Attributes that the application adds while it serves.

use std::sync::{Arc, Mutex, PoisonError};

use http::Extensions;
use opentelemetry::{Key, KeyValue, Value};

use crate::Attributes;

/// More than this from one request is dropped: a loop in a handler must not fill the memory.
const MAX_ATTRIBUTES: usize = 64;

/// Adds attributes to the request's span and metrics from inside of a handler.
///
/// Server layers built `with_request_attributes(true)` put one into each request's extensions. At most 64 attributes of a
/// request are kept. Of one name the last value counts; a name that the layer gives itself (`http.route`, `error.type` and
/// their like), or that a hook of the layer has given before, is left out.
///
/// ```
/// # use otel_core::RequestAttributes;
/// fn search(request: &http::Request<()>) {
///     let Some(attributes) = request.extensions().get::<RequestAttributes>() else { return };
///     attributes.span("shop.results", 12); // on the span only
///     attributes.both("shop.cached", true); // few values: on the metric too
/// }
/// # search(&http::Request::new(()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestAttributes {
    added: Arc<Mutex<Vec<(Target, KeyValue)>>>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Span,
    Both,
}

impl RequestAttributes {
    /// Adds an attribute to the span.
    pub fn span(&self, key: impl Into<Key>, value: impl Into<Value>) {
        self.add(Target::Span, KeyValue::new(key, value));
    }

    /// Adds an attribute to the span and to the duration metric: its values must be few.
    pub fn both(&self, key: impl Into<Key>, value: impl Into<Value>) {
        self.add(Target::Both, KeyValue::new(key, value));
    }

    /// For server layers: those of the request with these extensions, of a layer further out or new ones.
    pub fn of(extensions: &mut Extensions) -> Self {
        extensions.get_or_insert_with(Self::default).clone()
    }

    /// For server layers: hands what was added to the operation that ends, once. It stays for that of a layer further out: of
    /// HTTP around gRPC, say.
    pub fn write(&self, attributes: &mut Attributes<'_>) {
        let added = self.added.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (target, KeyValue { key, value, .. }) in added {
            match target {
                Target::Span => attributes.span(key, value),
                Target::Both => attributes.both(key, value),
            }
        }
    }

    fn add(&self, target: Target, attribute: KeyValue) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = added.iter().position(|(_, earlier)| earlier.key == attribute.key);
        match earlier {
            Some(place) => added[place] = (target, attribute),
            None if added.len() < MAX_ATTRIBUTES => added.push((target, attribute)),
            None => {}
        }
    }
}
