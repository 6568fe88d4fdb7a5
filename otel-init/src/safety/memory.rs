//! What was decided before.

use std::sync::OnceLock;

const SLOTS: usize = 256;
/// So many slots are looked at before a text counts as not remembered.
const PROBES: usize = 4;
/// Of a text that is remembered.
const LONGEST: usize = 128;

/// Decisions about texts that come again and again: keys, and names. There is no lock, and no end of a decision's life: the
/// first few hundred stay, and whatever comes when the slots are taken is decided anew each time.
#[derive(Debug)]
pub(super) struct Memory<T>(Box<[Slot<T>]>);

type Slot<T> = OnceLock<(Box<str>, T)>;

impl<T: Copy> Memory<T> {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(SLOTS).collect())
    }

    pub(super) fn recall(&self, text: &str, decide: impl FnOnce() -> T) -> T {
        if text.len() > LONGEST {
            return decide();
        }
        let first = hash(text.as_bytes());
        for slot in (first..first + PROBES).filter_map(|index| self.0.get(index % SLOTS)) {
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

/// Good enough to spread names of attributes, and faster than those that also withstand an attacker: who finds texts that
/// meet in one slot gets each of them looked at, as without a memory.
fn hash(text: &[u8]) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = text.len() as u64;
    let mut mix = |word: u64| hash = (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    match text.last_chunk::<8>() {
        // Some bytes of the last word were in the one before.
        Some(last) => mix(u64::from_le_bytes(*last)),
        None => rest.iter().for_each(|byte| mix((*byte).into())),
    }
    (hash >> 40) as usize
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{LONGEST, Memory, SLOTS};

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
            for number in 0..SLOTS * 4 {
                let text = "k".repeat(number % (LONGEST + 10)) + &number.to_string();
                assert_eq!(len(&text), text.len(), "round {round}");
            }
        }
        assert!(decided.get() > SLOTS * 4);
    }
}
