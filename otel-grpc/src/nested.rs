//! Two server layers around one service give one span.

use http::Extensions;

/// In a request's extensions: a server layer further out observes the call. The mark travels with the request, through
/// buffers and into other tasks, and a call of its own has none.
#[derive(Clone, Copy, Debug)]
struct Served;

/// Whether a server layer further out observes the call with these extensions.
pub(crate) fn is_served(extensions: &Extensions) -> bool {
    extensions.get::<Served>().is_some()
}

/// Lets layers further in know that the call is observed.
pub(crate) fn mark_served(extensions: &mut Extensions) {
    extensions.insert(Served);
}

/// A call that a client passes on is another one, even if it came in here.
pub(crate) fn unmark_served(extensions: &mut Extensions) {
    extensions.remove::<Served>();
}
