//! Two layers around one service give one span.

use http::Extensions;

/// In a request's extensions: a server layer further out observes it. The mark travels with the request, through buffers
/// and into other tasks, and a request of its own has none.
#[derive(Clone, Copy, Debug)]
struct Served;

/// Whether a server layer further out observes the request with these extensions.
pub(super) fn is_served(extensions: &Extensions) -> bool {
    extensions.get::<Served>().is_some()
}

/// Lets layers further in know that the request is observed.
pub(super) fn mark_served(extensions: &mut Extensions) {
    extensions.insert(Served);
}

/// A request that a client sends on is another one, even if it came in here.
pub(crate) fn unmark_served(extensions: &mut Extensions) {
    extensions.remove::<Served>();
}
