//! The body of a request, of which the beginning has been read.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::provider::RequestReader;
use otel_core::call_hook;

/// What is read of a body before it is sent: bodies beyond tell what stands in their beginning.
const MAX_READ_AHEAD: usize = 16 << 20;
const MAX_FRAMES: usize = 64;

pin_project! {
    /// The body of a request through a [`GenAiLayer`](crate::GenAiLayer), unchanged.
    pub struct GenAiRequestBody<B: Body> {
        ahead: VecDeque<Result<Frame<B::Data>, B::Error>>,
        #[pin]
        rest: B,
        // To ask once more is to ask too much: some bodies panic then.
        has_ended: bool,
    }
}

impl<B: Body> GenAiRequestBody<B> {
    pub(super) fn unread(body: B) -> Self {
        Self { ahead: VecDeque::new(), rest: body, has_ended: false }
    }
}

impl<B: Body + Unpin> GenAiRequestBody<B> {
    /// Reads what is there without waiting for more: the requests of all clients are there as a whole.
    pub(super) fn read(mut body: B, reader: &mut RequestReader) -> Self {
        let mut ahead = VecDeque::new();
        let (mut bytes, mut has_ended) = (0, false);
        while bytes < MAX_READ_AHEAD && ahead.len() < MAX_FRAMES && !body.is_end_stream() {
            // Whoever polls the body next brings a waker of its own.
            let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(frame) = polled else { break };
            let Some(frame) = frame else {
                has_ended = true;
                break;
            };
            let is_error = frame.is_err();
            if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                bytes += data.remaining();
                call_hook(|| each_slice(data, |slice| reader.read(slice)), false);
            }
            ahead.push_back(frame);
            if is_error {
                break;
            }
        }
        Self { ahead, rest: body, has_ended }
    }
}

impl<B: Body> Body for GenAiRequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        match this.ahead.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None if *this.has_ended => Poll::Ready(None),
            None => this.rest.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && (self.has_ended || self.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let frames = self.ahead.iter().filter_map(|frame| frame.as_ref().ok()?.data_ref());
        let ahead: u64 = frames.map(|data| data.remaining() as u64).sum();
        if self.has_ended {
            return SizeHint::with_exact(ahead);
        }
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ahead));
        }
        hint
    }
}

impl<B: Body> fmt::Debug for GenAiRequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenAiRequestBody").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

/// Hands out all slices of a buffer that must not be consumed; `false` if it does not show them all.
pub(super) fn each_slice(data: &impl Buf, mut read: impl FnMut(&[u8])) -> bool {
    let first = data.chunk();
    if first.len() == data.remaining() {
        read(first);
        return true;
    }
    each_of_several(data, read)
}

#[cold]
fn each_of_several(data: &impl Buf, mut read: impl FnMut(&[u8])) -> bool {
    let mut slices = [IoSlice::new(&[]); 16];
    let count = data.chunks_vectored(&mut slices);
    let shown: usize = slices[..count].iter().map(|slice| slice.len()).sum();
    slices[..count].iter().for_each(|slice| read(slice));
    shown == data.remaining()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_several_parts_is_read_whole() {
        let parts = Buf::chain(&b"abc"[..], &b"def"[..]);
        let mut read = Vec::new();
        assert!(each_slice(&parts, |slice| read.extend_from_slice(slice)));
        assert_eq!(read, b"abcdef");
    }
}
