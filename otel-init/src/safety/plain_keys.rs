//! Lists of keys that say nothing about their values, and come again: the spans of one instrumentation have their keys in
//! one order.

use std::sync::OnceLock;

use opentelemetry::KeyValue;

use super::memory::hash;

/// How many lists are remembered.
const PLACES: usize = 64;
/// So many places are looked at before a list counts as not remembered.
const PROBES: usize = 4;
/// Of a list that is remembered, all keys together.
const MOST_BYTES: usize = 1024;

/// As with [`Memory`](super::memory::Memory), there is no lock, and the first few lists stay.
#[derive(Debug)]
pub(super) struct PlainKeys(Box<[OnceLock<List>]>);

/// All keys in one piece, so that comparing them reads few cache lines.
#[derive(Debug)]
struct List {
    keys: Box<[u8]>,
    lengths: Box<[u8]>,
}

impl PlainKeys {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(PLACES).collect())
    }

    /// Whether these keys, in this order, are plain: as they were found before, or as `look` finds them now.
    pub(super) fn recall(&self, attributes: &[KeyValue], look: impl FnOnce() -> bool) -> bool {
        let Some(last) = attributes.last() else { return true };
        let first = hash(last.key.as_str().as_bytes()).wrapping_add(attributes.len());
        for place in (first..first + PROBES).filter_map(|place| self.0.get(place % PLACES)) {
            match place.get() {
                Some(list) if list.is_of(attributes) => return true,
                Some(_) => {}
                None => {
                    let is_plain = look();
                    if let Some(list) = is_plain.then(|| List::of(attributes)).flatten() {
                        // Another thread may have been faster, with whatever list.
                        let _ = place.set(list);
                    }
                    return is_plain;
                }
            }
        }
        look()
    }
}

impl List {
    /// `None` if it is too long.
    fn of(attributes: &[KeyValue]) -> Option<Self> {
        let keys = || attributes.iter().map(|attribute| attribute.key.as_str().as_bytes());
        let lengths: Option<_> = keys().map(|key| u8::try_from(key.len()).ok()).collect();
        let keys: Box<[u8]> = keys().flatten().copied().take(MOST_BYTES + 1).collect();
        (keys.len() <= MOST_BYTES).then_some(Self { keys, lengths: lengths? })
    }

    fn is_of(&self, attributes: &[KeyValue]) -> bool {
        let mut rest = &*self.keys;
        self.lengths.len() == attributes.len()
            && attributes.iter().zip(&self.lengths).all(|(attribute, length)| {
                let key = attribute.key.as_str().as_bytes();
                key.len() == usize::from(*length)
                    && rest.split_at_checked(key.len()).is_some_and(|(known, behind)| {
                        rest = behind;
                        known == key
                    })
            })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use opentelemetry::KeyValue;

    use super::{MOST_BYTES, PLACES, PlainKeys};

    fn list(keys: &[&str]) -> Vec<KeyValue> {
        keys.iter().map(|key| KeyValue::new((*key).to_owned(), 1)).collect()
    }

    #[test]
    fn only_the_same_keys_in_the_same_order_are_known() {
        let known = PlainKeys::new();
        let looks = Cell::new(0);
        let recall = |keys: &[&str], is_plain: bool| {
            known.recall(&list(keys), || {
                looks.set(looks.get() + 1);
                is_plain
            })
        };
        assert!(recall(&[], false), "nothing is plain");
        assert!(!recall(&["ab", "c"], false), "a list that is not plain");
        assert!(recall(&["ab", "c"], true) && recall(&["ab", "c"], false), "is kept, once it is");
        for other in [&["a", "bc"][..], &["c", "ab"], &["ab"], &["ab", "c", ""], &["", "ab", "c"], &["abc"]] {
            assert!(!recall(other, false), "{other:?}");
        }
        assert_eq!(looks.get(), 8);
    }

    #[test]
    fn more_and_longer_lists_than_are_kept_are_looked_at_each_time() {
        let known = PlainKeys::new();
        for round in 0..2 {
            for number in 0..PLACES * 4 {
                let (key, long) = (format!("key.{number}"), "k".repeat(number * 5));
                let attributes = list(&["http.route", &long, &key]);
                let is_plain = number % 3 == 0;
                assert_eq!(known.recall(&attributes, || is_plain), is_plain, "round {round}, {number}");
            }
        }
        let kept = known.0.iter().filter_map(|place| place.get());
        assert!(kept.clone().count() > PLACES / 4);
        assert!(kept.clone().all(|list| list.keys.len() <= MOST_BYTES));
    }
}
