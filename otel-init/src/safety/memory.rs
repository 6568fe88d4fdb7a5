//! What was decided before.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many texts are remembered, each in a place of its own.
pub(super) const PLACES: usize = 256;
/// So many slots are looked at before a text counts as not remembered.
const PROBES: usize = 4;
/// Of a text that is remembered.
const LONGEST: usize = 128;

/// Decisions about texts that come again and again, such as keys. There is no lock, and no end of a decision's life: the
/// first few hundred stay, and whatever comes when the slots are taken is decided anew each time.
#[derive(Debug)]
pub(super) struct Memory<T> {
    slots: Box<[Slot<T>]>,
    /// For each place, and for none, the place of the text that was asked for next when it was first asked.
    next: Box<[AtomicUsize]>,
}

/// No place, or that of no text.
pub(super) const NOWHERE: usize = PLACES;

type Slot<T> = OnceLock<(Box<str>, T)>;

impl<T: Copy> Memory<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: std::iter::repeat_with(OnceLock::new).take(PLACES).collect(),
            next: std::iter::repeat_with(|| AtomicUsize::new(NOWHERE)).take(PLACES + 1).collect(),
        }
    }

    /// As [`Self::recall`], where the text before had the place `before`: the spans of one instrumentation have their keys in
    /// one order.
    pub(super) fn recall_after(
        &self,
        before: usize,
        text: &str,
        decide: impl FnOnce() -> T,
    ) -> (T, Option<usize>) {
        let likely = self.next[before].load(Ordering::Relaxed);
        if let Some((known, decision)) = self.slots.get(likely).and_then(OnceLock::get)
            && **known == *text
        {
            return (*decision, Some(likely));
        }
        let (decision, place) = self.recall(text, decide);
        if let Some(place) = place.filter(|_| likely == NOWHERE) {
            // Once, so that threads with other orders do not write here all the time.
            self.next[before].store(place, Ordering::Relaxed);
        }
        (decision, place)
    }

    /// The decision, and the place where the text is remembered, if it is: two texts with one place are the same.
    pub(super) fn recall(&self, text: &str, decide: impl FnOnce() -> T) -> (T, Option<usize>) {
        if text.len() > LONGEST {
            return (decide(), None);
        }
        let first = hash(text.as_bytes());
        for place in (first..first + PROBES).map(|place| place % PLACES) {
            match self.slots[place].get() {
                Some((known, decision)) if **known == *text => return (*decision, Some(place)),
                Some(_) => {}
                None => {
                    let decision = decide();
                    // Another thread may have been faster, with whatever text.
                    let _ = self.slots[place].set((text.into(), decision));
                    return (decision, None);
                }
            }
        }
        (decide(), None)
    }
}

/// Of the length, the ends and the middle: good enough to spread names of attributes, and faster than those that also
/// withstand an attacker. Who finds texts that meet in one place gets each of them looked at, as without a memory.
pub(super) fn hash(text: &[u8]) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let middle = text.get(text.len() / 2..).and_then(|half| half.first_chunk());
    let words = [text.first_chunk(), middle, text.last_chunk()];
    let mut hash = text.len() as u64;
    let mut mix = |word: u64| hash = (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    if words[0].is_none() {
        text.iter().for_each(|byte| mix((*byte).into()));
    }
    words.into_iter().flatten().for_each(|word| mix(u64::from_le_bytes(*word)));
    (hash >> 40) as usize
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{LONGEST, Memory, NOWHERE, PLACES};

    #[test]
    fn texts_in_any_order_are_what_they_are() {
        let memory = Memory::new();
        let keys = ["http.route", "url.path", "server.address", "client.address"];
        for order in [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [3, 1, 0, 2], [0, 2, 1, 3], [1, 1, 0, 0]] {
            let (mut before, mut places) = (NOWHERE, Vec::new());
            for key in order.map(|index| keys[index]) {
                let (len, place) = memory.recall_after(before, key, || key.len());
                assert_eq!(len, key.len());
                before = place.unwrap_or(NOWHERE);
                places.extend(place.map(|place| (place, key)));
            }
            for (place, key) in &places {
                assert!(places.iter().all(|(other, text)| (other == place) == (text == key)));
            }
        }
    }

    #[test]
    fn a_text_is_decided_once_and_never_taken_for_another() {
        let memory = Memory::new();
        let decided = Cell::new(0);
        let len = |text: &str| {
            let (len, place) = memory.recall(text, || {
                decided.set(decided.get() + 1);
                text.len()
            });
            let text_there = place.and_then(|place| memory.slots[place].get()).map(|(text, _)| &**text);
            assert!(text_there.is_none_or(|there| there == text), "{text} has the place of {text_there:?}");
            len
        };
        let few = ["", "a", "http.route", "http.request.method", "http.request.header.x"];
        for text in few.iter().cycle().take(100) {
            assert_eq!(len(text), text.len());
        }
        assert_eq!(decided.get(), few.len());
        // More than there are slots, and longer than is remembered.
        for round in 0..2 {
            for number in 0..PLACES * 4 {
                let text = "k".repeat(number % (LONGEST + 10)) + &number.to_string();
                assert_eq!(len(&text), text.len(), "round {round}");
            }
        }
        assert!(decided.get() > PLACES * 4);
    }
}
