//! A request that is observed already.

use http::Extensions;

/// In the extensions of an `http::Request`: a client layer further out observes this request, so layers below stay silent.
///
/// A gRPC call is an HTTP request, and one span tells of both. The marker travels with the request, through buffers and
/// into other tasks, where the current context is lost; other requests of the same call (a token that is fetched, say)
/// are observed as ever.
///
/// ```
/// use otel_core::AlreadyObserved;
///
/// let mut request = http::Request::new(());
/// assert!(AlreadyObserved::mark(request.extensions_mut()));
/// assert!(AlreadyObserved::is_marked(request.extensions()));
/// assert!(!AlreadyObserved::mark(request.extensions_mut()));
/// AlreadyObserved::unmark(request.extensions_mut());
/// assert!(!AlreadyObserved::is_marked(request.extensions()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AlreadyObserved(());

impl AlreadyObserved {
    /// Marks the request that has these extensions. Whether it was not marked before.
    pub fn mark(extensions: &mut Extensions) -> bool {
        extensions.insert(Self(())).is_none()
    }

    /// Whether a layer further out observes the request that has these extensions.
    #[must_use]
    pub fn is_marked(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some()
    }

    /// A request that has reached its server, in the same process, is another one when the server sends it on.
    pub fn unmark(extensions: &mut Extensions) {
        extensions.remove::<Self>();
    }
}
