//! Texts that were looked through and found clean, and come again: user agents, hosts, statements.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::memory::hash;

/// For each thread; with the longest texts, 8 KiB.
const SLOTS: usize = 32;
/// Shorter texts are looked through as fast as they are found here, if they are not the same each time.
const SHORTEST: usize = 24;
const LONGEST: usize = 256;

thread_local! {
    /// Each text with the rules that found it clean. A text takes the place of the one that was there before.
    static CLEAN: RefCell<Vec<(u64, String)>> = const { RefCell::new(Vec::new()) };
}

/// Tells the rules of one installation from those of another.
#[derive(Debug)]
pub(super) struct RulesId(u64);

impl RulesId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether `text` is clean by these rules: as it was found before, or as `look` finds it now.
    pub(super) fn recall(&self, text: &str, look: impl FnOnce() -> bool) -> bool {
        if text.len() < SHORTEST { look() } else { self.recall_name(text, look) }
    }

    /// As [`Self::recall`], for a text of which there are few: it is worth a place however short it is.
    pub(super) fn recall_name(&self, text: &str, look: impl FnOnce() -> bool) -> bool {
        if text.len() > LONGEST {
            return look();
        }
        let slot = hash(text.as_bytes()) % SLOTS;
        // A thread that is ending has no memory any more.
        let is_known = CLEAN.try_with(|clean| {
            let clean = clean.borrow();
            clean.get(slot).is_some_and(|(rules, known)| *rules == self.0 && known == text)
        });
        if is_known == Ok(true) {
            return true;
        }
        let is_clean = look();
        if is_clean {
            let _ = CLEAN.try_with(|clean| self.remember(&mut clean.borrow_mut(), slot, text));
        }
        is_clean
    }

    fn remember(&self, clean: &mut Vec<(u64, String)>, slot: usize, text: &str) {
        if clean.is_empty() {
            clean.resize_with(SLOTS, Default::default);
        }
        if let Some((rules, known)) = clean.get_mut(slot) {
            *rules = self.0;
            known.clear();
            known.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{LONGEST, RulesId, SHORTEST, SLOTS};

    #[test]
    fn only_the_same_text_under_the_same_rules_is_known() {
        let (rules, others) = (RulesId::new(), RulesId::new());
        let looks = Cell::new(0);
        let is_clean = |rules: &RulesId, text: &str, is_clean: bool| {
            rules.recall(text, || {
                looks.set(looks.get() + 1);
                is_clean
            })
        };
        let text = "x".repeat(SHORTEST);
        assert!(!is_clean(&rules, &text, false), "a text that is not clean");
        assert!(is_clean(&rules, &text, true) && is_clean(&rules, &text, false), "is kept, once it is");
        assert!(!is_clean(&others, &text, false), "others find it themselves");
        assert_eq!(looks.get(), 3);
        for _ in 0..2 {
            assert!(rules.recall_name("GET", || looks.replace(looks.get() + 1) < 10), "a name");
            assert!(is_clean(&rules, "GET", true), "no name");
        }
        assert_eq!(looks.get(), 6);
        // More texts than are kept, of every length: each answer is its own.
        for round in 0..2 {
            for number in 0..SLOTS * 20 {
                let text = format!("{number}{}", "y".repeat(number % (LONGEST + 20)));
                let (clean, again) = (number % 3 == 0, is_clean(&rules, &text, number % 3 == 0));
                assert_eq!(again, clean, "round {round}, {text}");
            }
        }
    }
}
