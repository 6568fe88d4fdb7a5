//! A bounded cache of decisions about short texts, without a lock.

use std::sync::OnceLock;

/// How many texts are remembered.
const PLACES: usize = 256;
/// So many slots are looked at before a text counts as not remembered.
const PROBES: usize = 4;
/// Of a text that is remembered.
const LONGEST: usize = 128;

/// Decisions about texts that come again and again, such as keys. There is no lock, and no end of a decision's life: the
/// first few hundred stay, and whatever comes when the slots are taken is decided anew each time.
#[derive(Debug)]
pub(super) struct Memory<T>(Box<[Slot<T>]>);

type Slot<T> = OnceLock<(Box<str>, T)>;

impl<T: Copy> Memory<T> {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(PLACES).collect())
    }

    pub(super) fn recall(&self, text: &str, decide: impl FnOnce() -> T) -> T {
        if text.len() > LONGEST {
            return decide();
        }
        let first = hash(text.as_bytes());
        for slot in (first..first + PROBES).map(|place| &self.0[place % PLACES]) {
            match slot.get() {
                Some((known, decision)) if **known == *text => return *decision,
                Some(_) => {}
                None => {
                    let decision = decide();
                    // Another thread may have been faster, with whatever text.
                    let _ = slot.set((text.into(), decision));
                    return decision;
                }
            }
        }
        decide()
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

    use super::{LONGEST, Memory, PLACES};

    #[test]
    fn a_text_is_decided_once_and_never_taken_for_another() {
        let memory = Memory::new();
        let decided = Cell::new(0);
        let len = |text: &str| {
            memory.recall(text, || {
                decided.set(decided.get() + 1);
                text.len()
            })
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
