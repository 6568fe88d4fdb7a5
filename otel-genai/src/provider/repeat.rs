//! Events that repeat the one before them.
//!
//! The chunks of a stream differ in a text and perhaps a number, of which nothing is wanted but whether there is any. An
//! event that is the same but for such values says the same, so it is compared and not read: with its frame, in as few
//! pieces as it has values that do differ. That is many times faster, and exact: what the comparison does not explain is
//! read.

use std::ops::Range;

/// Of an event that is remembered. A longer one is read each time.
const LENGTH: usize = 1024;
/// Values that may differ. An event with more is read each time.
const GAPS: usize = 32;

/// The last event that was read, if to read it again would change nothing but the number of events.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    text: Vec<u8>,
    /// Where the text has the event's data.
    data: Range<usize>,
    gaps: Gaps,
    /// Those that events have differed in. The others are compared with what is around them.
    varying: Vec<Gap>,
    /// There is output in a value that does not vary.
    output: bool,
    is_known: bool,
    /// The text has the event's frame, too: it ends nowhere else.
    pub(super) is_framed: bool,
}

/// Values of an event that no fact is read from, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gaps {
    list: [Gap; GAPS],
    count: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    kind: GapKind,
    /// Of the value without its quotes.
    start: usize,
    end: usize,
    /// Events have differed in it.
    varies: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GapKind {
    Text,
    /// A text of which it matters whether it is empty.
    Output,
    /// A number or a literal.
    Bare,
}

/// What `bytes` begin with.
pub(super) struct Repeated<'a> {
    pub(super) data: &'a [u8],
    /// It carries output.
    pub(super) output: bool,
    pub(super) rest: &'a [u8],
}

impl Repeat {
    /// The event at the beginning of `bytes`, if it repeats the last one.
    #[inline]
    pub(super) fn at_start_of<'a>(&self, bytes: &'a [u8]) -> Option<Repeated<'a>> {
        if !self.is_known {
            return None;
        }
        let (mut rest, mut at, mut output) = (bytes, 0, self.output);
        for gap in &self.varying {
            rest = rest.strip_prefix(self.text.get(at..gap.start)?)?;
            let length = gap.kind.length_in(rest)?;
            rest = rest.get(length..)?;
            output |= gap.kind == GapKind::Output && length > 0;
            at = gap.end;
        }
        rest = rest.strip_prefix(self.text.get(at..)?)?;
        let end = bytes.len() - rest.len() - (self.text.len() - self.data.end);
        Some(Repeated { data: bytes.get(self.data.start..end)?, output, rest })
    }

    /// Remembers an event that came in one piece and has been read. `gaps` are counted from where its data begin.
    pub(super) fn learn(&mut self, event: &[u8], data: Range<usize>, is_framed: bool, gaps: &Gaps) {
        self.is_known = event.len() <= LENGTH && gaps.count <= GAPS;
        if !self.is_known {
            return;
        }
        let mut gaps = *gaps;
        gaps.all_mut().iter_mut().for_each(|gap| gap.shift(data.start));
        if gaps.kinds().eq(self.gaps.kinds()) {
            for (gap, before) in gaps.all_mut().iter_mut().zip(self.gaps.all()) {
                gap.varies = before.varies || before.of(&self.text) != gap.of(event);
            }
        }
        self.varying.clear();
        self.varying.extend(gaps.all().iter().filter(|gap| gap.varies));
        let mut same = gaps.all().iter().filter(|gap| !gap.varies);
        self.output = same.any(|gap| gap.kind == GapKind::Output && gap.start < gap.end);
        self.text.clear();
        self.text.reserve_exact(LENGTH);
        self.text.extend_from_slice(event);
        (self.data, self.gaps, self.is_framed) = (data, gaps, is_framed);
    }

    pub(super) const fn forget(&mut self) {
        self.is_known = false;
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

    fn all_mut(&mut self) -> &mut [Gap] {
        self.list.get_mut(..self.count).unwrap_or_default()
    }

    fn kinds(&self) -> impl Iterator<Item = GapKind> {
        self.all().iter().map(|gap| gap.kind)
    }
}

impl Default for Gaps {
    fn default() -> Self {
        Self { list: [Gap::new(GapKind::Text, 0..0); GAPS], count: 0 }
    }
}

impl Gap {
    pub(super) const fn new(kind: GapKind, place: Range<usize>) -> Self {
        Self { kind, start: place.start, end: place.end, varies: false }
    }

    const fn shift(&mut self, by: usize) {
        self.start += by;
        self.end += by;
    }

    fn of<'a>(&self, event: &'a [u8]) -> Option<&'a [u8]> {
        event.get(self.start..self.end)
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

/// Up to the quote. A text with a control character is none: JSON has no such texts, and a frame may end there.
fn text_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += plain_length(bytes.get(at..)?);
        match bytes.get(at..)? {
            [b'"', ..] => return Some(at),
            [b'\\', b'u', digits @ ..] if digits.get(..4)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => at += 2,
            _ => return None,
        }
    }
}

/// How many bytes come before the first quote, backslash or control character. Most texts are a few bytes long, which is
/// less than it takes to call a search.
fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' ')).unwrap_or(tail.len())
}

/// The high bit of the first of eight bytes that is a quote, a backslash or a control character; of later ones perhaps, too.
/// <https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord>
const fn special_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xFF;
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(EACH * limit as u64) & !word & (EACH << 7)
    }
    let (quotes, backslashes) = (word ^ (EACH * b'"' as u64), word ^ (EACH * b'\\' as u64));
    below(quotes, 1) | below(backslashes, 1) | below(word, b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_byte_is_found_at_every_place() {
        for special in [0, b'\n', 0x1f, b'"', b'\\'] {
            for plain in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                for at in 0..40 {
                    let mut bytes = [plain; 40];
                    bytes[at] = special;
                    assert_eq!(plain_length(&bytes), at, "{special} among {plain}");
                }
                assert_eq!(plain_length(&[plain; 40]), 40);
            }
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
            (b"\\u00\"..\"", None),
            (b"\\\n\"", None),
            (b"a line\n\"", None),
        ] {
            assert_eq!(text_length(bytes), expected, "{bytes:?}");
        }
    }
}
