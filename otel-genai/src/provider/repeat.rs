//! Events that repeat the one before them.
//!
//! The chunks of a stream differ in a text and perhaps a number, of which nothing is wanted but whether there is any. An
//! event that is the same but for such values says the same, so it is compared and not read. That is several times faster,
//! and exact: what the comparison does not explain is read.

use memchr::memchr2;

/// Of an event that is remembered. A longer one is read each time.
const LENGTH: usize = 1024;
/// Values that may differ. An event with more is read each time.
const GAPS: usize = 32;

/// The last event, if to read it again would change nothing but the number of events.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    text: Vec<u8>,
    gaps: Gaps,
}

/// Values of an event that no fact is read from, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaps {
    list: [Gap; GAPS],
    count: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) kind: GapKind,
    /// Of the value without its quotes.
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GapKind {
    Text,
    /// A text of which it matters whether it is empty.
    Output,
    /// A number or a literal.
    Bare,
}

impl Repeat {
    /// Whether `event` repeats the last one; if so, whether it carries output.
    pub(super) fn output_of(&self, event: &[u8]) -> Option<bool> {
        if self.text.is_empty() {
            return None;
        }
        let (mut known, mut rest, mut at) = (self.text.as_slice(), event, 0);
        let mut gaps = self.gaps.all().iter().peekable();
        let mut output = false;
        loop {
            let same = common_length(known, rest);
            while let Some(gap) = gaps.next_if(|gap| gap.end < at + same) {
                output |= gap.kind == GapKind::Output && gap.start < gap.end;
            }
            if same == known.len() {
                return (same == rest.len()).then_some(output);
            }
            // They differ in a value, or at its end, or this is another event.
            let gap = gaps.next().filter(|gap| gap.start <= at + same)?;
            rest = rest.get(gap.start.checked_sub(at)?..)?;
            let length = gap.kind.length_in(rest)?;
            output |= gap.kind == GapKind::Output && length > 0;
            rest = rest.get(length..)?;
            known = self.text.get(gap.end..)?;
            at = gap.end;
        }
    }

    /// Remembers an event that came in one piece and has been read.
    pub(super) fn learn(&mut self, event: &[u8], gaps: &Gaps) {
        self.text.clear();
        if event.len() <= LENGTH && gaps.count <= GAPS {
            self.text.reserve_exact(LENGTH);
            self.text.extend_from_slice(event);
            self.gaps = *gaps;
        }
    }

    pub(super) fn forget(&mut self) {
        self.text.clear();
    }
}

impl Gaps {
    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }

    pub(super) fn note(&mut self, gap: Gap) {
        if let Some(slot) = self.list.get_mut(self.count) {
            *slot = gap;
        }
        self.count += 1;
    }

    fn all(&self) -> &[Gap] {
        self.list.get(..self.count).unwrap_or_default()
    }
}

impl Default for Gaps {
    fn default() -> Self {
        Self { list: [Gap { kind: GapKind::Text, start: 0, end: 0 }; GAPS], count: 0 }
    }
}

impl GapKind {
    /// The length of the value that `bytes` begin with, as the tokenizer would find it; `None` if that is another kind of
    /// value, or its end is not there.
    fn length_in(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Text | Self::Output => text_length(bytes),
            Self::Bare if matches!(bytes.first()?, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                bytes.iter().position(|byte| !is_bare(*byte))
            }
            Self::Bare => None,
        }
    }
}

/// A byte of a number or a literal.
pub(super) const fn is_bare(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'a'..=b'z' | b'E')
}

fn text_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += if bytes.get(at + 1)? == &b'u' { 6 } else { 2 };
    }
}

fn common_length(mut left: &[u8], mut right: &[u8]) -> usize {
    let mut length = 0;
    while let (Some((a, after_a)), Some((b, after_b))) =
        (left.split_first_chunk::<32>(), right.split_first_chunk::<32>())
    {
        if a != b {
            break;
        }
        (left, right) = (after_a, after_b);
        length += 32;
    }
    while let (Some((a, after_a)), Some((b, after_b))) =
        (left.split_first_chunk::<16>(), right.split_first_chunk::<16>())
    {
        let differing = u128::from_le_bytes(*a) ^ u128::from_le_bytes(*b);
        if differing != 0 {
            return length + (differing.trailing_zeros() / 8) as usize;
        }
        (left, right) = (after_a, after_b);
        length += 16;
    }
    length + left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_length_is_found_at_every_place() {
        let text: Vec<u8> = (0..100).collect();
        for at in 0..100 {
            let mut other = text.clone();
            if let Some(byte) = other.get_mut(at) {
                *byte = 255;
            }
            assert_eq!(common_length(&text, &other), at);
            assert_eq!(common_length(&text, text.split_at(at).0), at);
        }
    }

    #[test]
    fn a_text_ends_at_the_quote_that_no_backslash_hides() {
        for (bytes, expected) in [
            (&b"abc\"}"[..], Some(3)),
            (b"\"", Some(0)),
            (b"a\\\"b\\\\\"", Some(6)),
            (b"\\u00e9\"", Some(6)),
            (b"abc", None),
            (b"abc\\", None),
            (b"\\u00", None),
        ] {
            assert_eq!(text_length(bytes), expected, "{bytes:?}");
        }
    }
}
