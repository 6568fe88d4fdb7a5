//! How a body is cut into events.

mod array;
mod event_stream;
mod sse;

pub(super) use array::Array;
pub(super) use event_stream::{EventStream, Headers, Message};
pub(super) use sse::Sse;

/// Where the bytes of the events go.
pub(super) trait Events {
    /// The next bytes of an event.
    fn bytes(&mut self, bytes: &[u8]);
    /// The event has ended.
    fn end_event(&mut self);
}
