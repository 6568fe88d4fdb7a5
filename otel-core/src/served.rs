//! Layers of servers around one another.

use http::Extensions;

/// A server layer that observes requests, and its mark in the extensions of those that it does observe.
///
/// Two layers of one kind around a service give one span: the one further in is silent. Of two kinds the one further in has a
/// child of the other's span. The mark travels with the request, through buffers and into other tasks, and a request of its
/// own has none.
///
/// ```
/// use otel_core::ServerLayer;
///
/// let mut request = http::Request::new(());
/// ServerLayer::Http.mark(request.extensions_mut());
/// assert!(ServerLayer::Http.is_marked(request.extensions()));
/// assert!(!ServerLayer::Grpc.is_marked(request.extensions()));
/// ServerLayer::unmark(request.extensions_mut());
/// assert!(!ServerLayer::Http.is_marked(request.extensions()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerLayer {
    /// Of HTTP requests, whatever they carry.
    Http,
    /// Of gRPC calls.
    Grpc,
}

/// The marks. Without a size, so that none is allocated.
#[derive(Clone, Copy, Debug)]
struct ServedAsHttp;

#[derive(Clone, Copy, Debug)]
struct ServedAsGrpc;

impl ServerLayer {
    /// Lets layers further in know that one of this kind observes the request that has these extensions.
    pub fn mark(self, extensions: &mut Extensions) {
        match self {
            Self::Http => drop(extensions.insert(ServedAsHttp)),
            Self::Grpc => drop(extensions.insert(ServedAsGrpc)),
        }
    }

    /// Whether a layer of this kind further out observes the request that has these extensions.
    #[must_use]
    pub fn is_marked(self, extensions: &Extensions) -> bool {
        match self {
            Self::Http => extensions.get::<ServedAsHttp>().is_some(),
            Self::Grpc => extensions.get::<ServedAsGrpc>().is_some(),
        }
    }

    /// A request that a client sends on is another one, even if it came in here.
    pub fn unmark(extensions: &mut Extensions) {
        extensions.remove::<ServedAsHttp>();
        extensions.remove::<ServedAsGrpc>();
    }
}
