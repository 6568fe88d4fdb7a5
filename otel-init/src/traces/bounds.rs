//! How many attributes a span keeps while it runs.

use opentelemetry::KeyValue;

use crate::safety::keep_last;

/// Adds an attribute, unless there are as many as there may be with other keys. Returns how many were left out.
///
/// Only a full list is looked through: "setting an attribute with the same key as an existing attribute SHOULD overwrite the
/// existing attribute's value" is seen to for all when the span ends.
pub(super) fn add(attributes: &mut Vec<KeyValue>, attribute: KeyValue, limit: usize) -> u32 {
    if attributes.len() < limit {
        attributes.push(attribute);
        return 0;
    }
    add_to_full(attributes, attribute, limit)
}

#[cold]
fn add_to_full(attributes: &mut Vec<KeyValue>, attribute: KeyValue, limit: usize) -> u32 {
    // A loop may set one again and again.
    if let Some(known) = attributes.iter_mut().rev().find(|known| known.key == attribute.key) {
        *known = attribute;
        return 0;
    }
    attributes.push(attribute);
    cut(attributes, limit)
}

/// Leaves each key once, with its last value, and no more than `limit` of them. Returns how many were left out.
pub(super) fn cut(attributes: &mut Vec<KeyValue>, limit: usize) -> u32 {
    if attributes.len() <= limit {
        return 0;
    }
    keep_last(attributes, |attribute| &attribute.key);
    let excess = attributes.len().saturating_sub(limit);
    attributes.truncate(limit);
    u32::try_from(excess).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::{add, cut};

    #[test]
    fn a_key_that_is_set_again_takes_no_room() {
        let mut attributes = Vec::new();
        for value in 0..1000 {
            assert_eq!(add(&mut attributes, KeyValue::new("same", value), 3), 0);
            assert!(attributes.len() <= 3);
        }
        assert_eq!(add(&mut attributes, KeyValue::new("second", true), 3), 0);
        assert_eq!(add(&mut attributes, KeyValue::new("third", true), 3), 0);
        assert_eq!(add(&mut attributes, KeyValue::new("fourth", true), 3), 1);
        assert_eq!(add(&mut attributes, KeyValue::new("same", "last"), 3), 0);
        let third = KeyValue::new("third", true);
        assert_eq!(attributes, [KeyValue::new("same", "last"), KeyValue::new("second", true), third]);
    }

    #[test]
    fn a_key_that_is_set_again_on_a_full_span_is_set_in_its_place() {
        let mut attributes: Vec<_> = (0..8).map(|n| KeyValue::new(format!("key {n}"), 0)).collect();
        let place = attributes.as_ptr();
        for value in 1..100 {
            assert_eq!(add(&mut attributes, KeyValue::new("key 5", value), 8), 0);
            assert_eq!((attributes.as_ptr(), attributes.len()), (place, 8), "the list is not made anew");
            assert_eq!(attributes[5], KeyValue::new("key 5", value));
        }
    }

    #[test]
    fn of_a_list_that_is_too_long_the_first_keys_stay() {
        let mut attributes: Vec<_> = (0..10).map(|n| KeyValue::new(format!("key {}", n % 5), n)).collect();
        assert_eq!(cut(&mut attributes, 4), 1);
        let expected: Vec<_> = (0..4).map(|n| KeyValue::new(format!("key {n}"), n + 5)).collect();
        assert_eq!(attributes, expected);
        assert_eq!(cut(&mut attributes, 0), 4);
        assert_eq!(add(&mut attributes, KeyValue::new("none", 1), 0), 1);
    }
}
