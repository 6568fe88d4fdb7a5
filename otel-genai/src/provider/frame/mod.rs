//! How a body is cut into events.

mod array;
mod event_stream;
mod sse;

use std::ops::Range;

pub(super) use array::Array;
pub(super) use event_stream::{EventStream, Headers, Message};
pub(super) use sse::Sse;

/// Where the bytes of the events go.
pub(super) trait Events {
    /// The next bytes of an event.
    fn bytes(&mut self, bytes: &[u8]);
    /// All bytes of an event, which is at `data` within its frame.
    fn framed(&mut self, event: &[u8], data: Range<usize>);
    /// Takes an event in its frame, and ends it, if it is at the beginning of `bytes` and nothing new: returns what follows.
    fn repeat<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]>;
    /// The event has ended.
    fn end_event(&mut self);
}
