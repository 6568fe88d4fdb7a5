//! The one message of a unary gRPC request, and that of its answer.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>: "Length-Prefixed-Message → Compressed-Flag
//! Message-Length Message"

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// The flag, and four bytes of length.
const PREFIX: usize = 5;

/// The message as a body, in two pieces: it is not copied.
#[derive(Debug)]
pub(super) struct Message {
    prefix: Bytes,
    content: Bytes,
}

impl Message {
    /// `content` has less than 4 GiB.
    pub(super) fn new(content: Bytes, is_compressed: bool) -> Self {
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.put_u8(is_compressed.into());
        prefix.put_u32(content.len() as u32);
        Self { prefix: prefix.freeze(), content }
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { prefix, content } = self.get_mut();
        let next = if prefix.is_empty() { content } else { prefix };
        let next = std::mem::take(next);
        Poll::Ready((!next.is_empty()).then(|| Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty() && self.content.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.prefix.len() + self.content.len()) as u64)
    }
}

/// What the answer's body holds, if it is one message that is not compressed: nobody asked for that.
pub(super) fn content(body: &Bytes) -> Option<Bytes> {
    let [0, length @ ..] = *body.first_chunk::<PREFIX>()? else { return None };
    let content = body.slice(PREFIX..);
    (u32::from_be_bytes(length) as usize == content.len()).then_some(content)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::BodyExt;

    use super::{Message, content};

    #[test]
    fn what_is_framed_is_found_again_and_what_is_no_message_is_not() {
        for text in ["", "a", "some more"] {
            let framed = futures_executor::block_on(Message::new(text.into(), false).collect()).unwrap();
            let framed = framed.to_bytes();
            assert_eq!(framed[..5], [0, 0, 0, 0, text.len() as u8]);
            assert_eq!(content(&framed).unwrap(), text);
            assert_eq!(content(&framed.slice(..framed.len() - 1)), None);
            assert_eq!(content(&[&framed[..], b"more"].concat().into()), None);
        }
        let compressed = futures_executor::block_on(Message::new("a".into(), true).collect()).unwrap();
        assert_eq!(content(&compressed.to_bytes()), None);
        assert_eq!(content(&Bytes::new()), None);
    }
}
