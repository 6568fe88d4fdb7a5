//! One list of attributes under the rules: each key once, redacted, short enough, few enough.

use std::collections::HashMap;

use opentelemetry::{Array, Key, KeyValue, Value};

use super::keys::KeyDecision;
use super::limits::AttributeLimits;
use super::redactor::Redactor;
use super::value::{SHORTEST_NUMBER, SafeValue, Verdict};

/// More characters than the limit are looked through for secrets, so that one at the edge is seen whole.
const MARGIN: usize = 4096;

/// Up to this many attributes, comparing each with each is cheaper than hashing.
const FEW: usize = 16;

/// Puts the attributes of a span, an event or a link in order. Gives back how many were cut off by the limit.
pub(super) fn protect(attributes: &mut Vec<KeyValue>, redactor: &Redactor, limits: AttributeLimits) -> u32 {
    if are_fine(attributes, redactor, limits) {
        return 0;
    }
    keep_last(attributes, |attribute| &attribute.key);
    attributes.retain_mut(|attribute| {
        match judged(attribute.key.as_str(), &attribute.value, redactor, limits) {
            Verdict::Same => true,
            Verdict::Changed(value) => {
                attribute.value = value;
                true
            }
            Verdict::Drop => false,
        }
    });
    let excess = attributes.len().saturating_sub(limits.count);
    attributes.truncate(limits.count);
    u32::try_from(excess).unwrap_or(u32::MAX)
}

/// Whether nothing is to be done, as with most: each key is known and there once, and each value stays. True is certain,
/// false is not.
fn are_fine(attributes: &[KeyValue], redactor: &Redactor, limits: AttributeLimits) -> bool {
    attributes.len() <= limits.count
        && redactor.are_plain(attributes)
        && attributes.iter().all(|attribute| is_clean(&attribute.value, redactor, limits))
}

fn is_clean(value: &Value, redactor: &Redactor, limits: AttributeLimits) -> bool {
    match value {
        Value::Bool(_) | Value::F64(_) | Value::Array(Array::Bool(_) | Array::I64(_) | Array::F64(_)) => true,
        Value::I64(number) => number.unsigned_abs() < SHORTEST_NUMBER,
        // No text has more characters than bytes.
        Value::String(text) => {
            let text = text.as_str();
            limits.value_length.is_none_or(|limit| text.len() <= limit) && redactor.is_clean(text)
        }
        _ => false,
    }
}

/// The value under the rules and the length limit.
pub(super) fn judged<V: SafeValue>(
    key: &str,
    value: &V,
    redactor: &Redactor,
    limits: AttributeLimits,
) -> Verdict<V> {
    let decision = redactor.decide(key);
    // Looking through a text of megabytes of which kilobytes stay would be time for nothing.
    let bound = limits.value_length.filter(|_| matches!(decision, KeyDecision::Scan));
    let bounded = bound.and_then(|limit| value.shortened(limit.saturating_add(MARGIN)));
    let mut verdict = bounded.as_ref().unwrap_or(value).redacted(&decision, redactor);
    if bounded.is_some() && matches!(verdict, Verdict::Changed(_)) {
        // It is shorter now, and its end, where a secret may have been cut, nearer than the margin.
        verdict = value.redacted(&decision, redactor);
    }
    if !matches!(verdict, Verdict::Same) {
        redactor.count();
    }
    let changed = match verdict {
        Verdict::Drop => return Verdict::Drop,
        Verdict::Changed(changed) => Some(changed),
        Verdict::Same => bounded,
    };
    let current = changed.as_ref().unwrap_or(value);
    let shortened = limits.value_length.and_then(|limit| current.shortened(limit));
    shortened.or(changed).map_or(Verdict::Same, Verdict::Changed)
}

/// Of several items with one key, the last value stays, in the place of the first: "setting an attribute with the same
/// key as an existing attribute SHOULD overwrite the existing attribute's value". The SDK keeps them all.
pub(crate) fn keep_last<T>(items: &mut Vec<T>, key: impl Fn(&T) -> &Key) {
    if !has_duplicates(items, &key) {
        return;
    }
    let mut places: HashMap<Key, usize> = HashMap::with_capacity(items.len());
    let mut kept: Vec<T> = Vec::with_capacity(items.len());
    for item in std::mem::take(items) {
        match places.get(key(&item)).and_then(|place| kept.get_mut(*place)) {
            Some(first) => *first = item,
            None => {
                places.insert(key(&item).clone(), kept.len());
                kept.push(item);
            }
        }
    }
    *items = kept;
}

/// Whether two items have one key.
pub(super) fn has_duplicates<T>(items: &[T], key: &impl Fn(&T) -> &Key) -> bool {
    if items.len() <= FEW {
        let mut lengths: u64 = 0;
        return items.iter().enumerate().any(|(index, item)| {
            // Only keys of one length, or of lengths 64 apart, are worth a look.
            let length = 1 << (key(item).as_str().len() % 64);
            let may_be_one = lengths & length != 0;
            lengths |= length;
            may_be_one && items.iter().take(index).any(|other| key(other) == key(item))
        });
    }
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    !items.iter().all(|item| seen.insert(key(item)))
}
