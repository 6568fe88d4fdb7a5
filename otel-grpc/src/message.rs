//! Counts the messages in a stream of bytes.

use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Buf;

/// Messages of one direction, and their bytes as they went over the wire: compressed, without the framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Totals that grow in another task: a request's body is sent while its response is awaited.
#[derive(Debug, Default)]
pub(crate) struct SharedTotals {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl SharedTotals {
    pub(crate) fn set(&self, totals: Totals) {
        self.messages.store(totals.messages, Ordering::Relaxed);
        self.bytes.store(totals.bytes, Ordering::Relaxed);
    }

    pub(crate) fn load(&self) -> Totals {
        Totals { messages: self.messages.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}

/// A message that has passed whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// From 0.
    pub(crate) sequence_number: u64,
    pub(crate) bytes: u32,
    pub(crate) is_compressed: bool,
}

/// "Length-Prefixed-Message → Compressed-Flag Message-Length Message": one byte, and four with the length.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
const PREFIX: usize = 5;

/// More pieces than any body gives at once.
const MAX_SLICES: usize = 16;

/// Reads the framing of the messages that pass; they may be cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    prefix: [u8; PREFIX],
    /// How much of the prefix is there.
    filled: usize,
    /// Bytes of the current message that are still to come.
    left: u32,
    totals: Totals,
    /// What passed could not be looked at: from here on nothing is known.
    is_lost: bool,
}

impl MessageReader {
    /// Looks at data that passes, and tells of each message that it ends.
    pub(crate) fn read(&mut self, data: &impl Buf, mut ended: impl FnMut(Message)) {
        if data.chunk().len() == data.remaining() {
            return self.read_slice(data.chunk(), &mut ended);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let filled = data.chunks_vectored(&mut slices);
        let slices = &slices[..filled];
        self.is_lost |= slices.iter().map(|slice| slice.len()).sum::<usize>() != data.remaining();
        for slice in slices {
            self.read_slice(slice, &mut ended);
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    fn read_slice(&mut self, mut bytes: &[u8], ended: &mut impl FnMut(Message)) {
        while !self.is_lost && !bytes.is_empty() {
            if self.filled < PREFIX {
                let taken = bytes.len().min(PREFIX - self.filled);
                self.prefix[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
                self.filled += taken;
                bytes = &bytes[taken..];
                self.left = self.length();
            } else {
                let taken = bytes.len().min(self.left as usize);
                self.totals.bytes += taken as u64;
                self.left -= u32::try_from(taken).unwrap_or(self.left);
                bytes = &bytes[taken..];
            }
            if self.filled == PREFIX && self.left == 0 {
                let message = Message {
                    sequence_number: self.totals.messages,
                    bytes: self.length(),
                    is_compressed: self.prefix[0] != 0,
                };
                self.totals.messages += 1;
                self.filled = 0;
                ended(message);
            }
        }
    }

    fn length(&self) -> u32 {
        let [_, length @ ..] = self.prefix;
        u32::from_be_bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(message: &[u8], is_compressed: bool) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&[u8::from(is_compressed)][..], &length.to_be_bytes(), message].concat()
    }

    fn read(chunks: &[&[u8]]) -> (Totals, Vec<Message>) {
        let (mut reader, mut messages) = (MessageReader::default(), Vec::new());
        for chunk in chunks {
            reader.read(chunk, |message| messages.push(message));
        }
        (reader.totals(), messages)
    }

    #[test]
    fn whole_messages_are_counted_and_half_ones_only_in_bytes() {
        let stream = [framed(b"abc", false), framed(b"", false), framed(b"zz", true)].concat();
        let (totals, messages) = read(&[&stream]);
        assert_eq!(totals, Totals { messages: 3, bytes: 5 });
        assert_eq!(messages[2], Message { sequence_number: 2, bytes: 2, is_compressed: true });

        let (totals, messages) = read(&[&stream[..stream.len() - 1]]);
        assert_eq!((totals, messages.len()), (Totals { messages: 2, bytes: 4 }, 2));
        assert_eq!(read(&[&stream[..3]]).0, Totals::default());
    }

    #[test]
    fn data_in_several_pieces() {
        let stream = framed(b"abcdef", false);
        let (front, back) = stream.split_at(7);
        let mut reader = MessageReader::default();
        reader.read(&front.chain(back), |_| ());
        assert_eq!(reader.totals(), Totals { messages: 1, bytes: 6 });
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_where_the_stream_is_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|message| framed(message, false)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            let (totals, _) = read(&chunks);
            let bytes = messages.iter().map(Vec::len).sum::<usize>() as u64;
            prop_assert_eq!(totals, Totals { messages: messages.len() as u64, bytes });
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = read(&[&bytes]);
        }
    }
}
